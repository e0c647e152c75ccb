package dev.rankrt.internal.tensorrt;

import java.util.Arrays;

/**
 * The batch sizes that a graph is captured for. Immutable.
 *
 * <p>Powers of two: no call runs with twice its rows, and there are few enough to capture them all
 * before the first request. The largest is the engine's limit, whatever number that is.
 */
record Buckets(int fixedBatch, int maxBatch) {

  /** Returns the largest size, which a session has memory for. */
  int largest() {
    return fixedBatch > 0 ? fixedBatch : maxBatch;
  }

  /** Returns the sizes, smallest first. */
  int[] sizes() {
    if (fixedBatch > 0) {
      return new int[] {fixedBatch};
    }
    int[] sizes = new int[33];
    int count = 0;
    for (long size = 1; size < maxBatch; size *= 2) {
      sizes[count++] = (int) size;
    }
    sizes[count++] = maxBatch;
    return Arrays.copyOf(sizes, count);
  }
}
