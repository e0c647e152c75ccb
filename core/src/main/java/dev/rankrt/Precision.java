package dev.rankrt;

/**
 * How precisely a model computes on a GPU. Immutable. The CPU backend always computes in {@link
 * #FP32}; {@link Engine#precision()} says what an engine really uses.
 */
public enum Precision {
  /** Single precision throughout, without the tensor cores' shortened mantissa. */
  FP32,
  /** Single precision whose matrix products round their factors to 10 bits of mantissa. */
  TF32,
  /** Half precision for matrix work and embeddings, single precision where it matters. */
  FP16,
  /** As {@link #FP16} with the exponent range of single precision and 7 bits of mantissa. */
  BF16
}
