package dev.rankrt.internal.tensorrt;

/** How a call's inputs and outputs get between host and device. */
enum Transfer {
  /** Copied to device memory before the kernels and back after them. */
  COPY,
  /**
   * Not at all: the kernels read and write the pinned host memory. Faster where they touch each
   * byte about once.
   */
  MAPPED
}
