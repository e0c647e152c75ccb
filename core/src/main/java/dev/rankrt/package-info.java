/**
 * Real-time inference for ranking models. {@link dev.rankrt.Engine#open} loads a model, {@link
 * dev.rankrt.Engine#newSession} makes a session for a thread, {@link dev.rankrt.Session#infer}
 * scores rows.
 */
package dev.rankrt;
