package dev.rankrt.memory.internal;

import java.util.Arrays;

/** The sizes of a pool's blocks. Immutable. */
final class SizeClasses {
  /**
   * Eight sizes per doubling: rounding up wastes an eighth of the request at most, and a pool of
   * many gigabytes still has few enough sizes that blocks find a second user.
   */
  private static final int STEPS_LOG2 = 3;

  /**
   * The smallest block is 32 KiB: then the smallest step is 4 KiB, which is the page that {@code
   * cudaHostAlloc} pins, and no class shares a page with another block.
   */
  private static final int SMALLEST_LOG2 = 15;

  /** TensorRT and coalesced access want 256 bytes; CUDA's own allocations have it. */
  static final int ALIGNMENT = 256;

  private final long[] sizes;

  /** Sizes up to a limit, the last of which is the limit itself, rounded down to the alignment. */
  SizeClasses(long limitBytes) {
    long largest = limitBytes / ALIGNMENT * ALIGNMENT;
    long[] grown = new long[(Long.SIZE - SMALLEST_LOG2) << STEPS_LOG2];
    int count = 0;
    while (nominal(count) < largest) {
      grown[count] = nominal(count);
      count++;
    }
    grown[count] = largest;
    sizes = Arrays.copyOf(grown, count + 1);
  }

  int count() {
    return sizes.length;
  }

  long bytes(int sizeClass) {
    return sizes[sizeClass];
  }

  /** Returns the smallest class that holds a request, or -1 where even the largest does not. */
  int of(long bytes) {
    int last = sizes.length - 1;
    if (bytes > sizes[last]) {
      return -1;
    }
    if (bytes <= 1L << SMALLEST_LOG2) {
      return 0;
    }
    int log2 = Long.SIZE - 1 - Long.numberOfLeadingZeros(bytes - 1);
    int step = (int) ((bytes - 1) >>> (log2 - STEPS_LOG2)) & ((1 << STEPS_LOG2) - 1);
    return Math.min(((log2 - SMALLEST_LOG2) << STEPS_LOG2) + step + 1, last);
  }

  private static long nominal(int sizeClass) {
    int doublings = sizeClass >> STEPS_LOG2;
    long steps = (1L << STEPS_LOG2) + (sizeClass & ((1 << STEPS_LOG2) - 1));
    int shift = SMALLEST_LOG2 - STEPS_LOG2 + doublings;
    return shift + STEPS_LOG2 + 1 >= Long.SIZE ? Long.MAX_VALUE : steps << shift;
  }
}
