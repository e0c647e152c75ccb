/**
 * Streams, events and captured graphs, for the modules above.
 *
 * <p>There is no lock here. Whether an object is still open, and how many calls are using it, is
 * one atomic word in its handle.
 */
package dev.rankrt.streams.internal;
