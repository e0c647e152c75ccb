/**
 * Real-time inference for ranking models. {@link dev.rankrt.Engine#open} loads a model, {@link
 * dev.rankrt.Engine#newSession} makes a session for a thread, {@link dev.rankrt.Session#infer}
 * scores rows. {@link dev.rankrt.Ranker} does all of this for services with many callers.
 */
package dev.rankrt;
