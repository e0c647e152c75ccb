package dev.rankrt.internal;

import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;

/**
 * How fast a thread prepares or frees a model: at once, or in small pieces with rests between them,
 * where another model serves on the same GPU meanwhile. One thread at a time.
 *
 * <p>Much of that work takes the driver's lock or stops the device: allocating and freeing memory,
 * loading kernels, instantiating graphs. Each piece takes a millisecond or so, in which no other
 * thread of the process can launch anything. Done at once, a tenth of all requests wait behind some
 * piece; spread over twenty times the time, fewer than one in a hundred does, and nobody waits for
 * a swap.
 */
public final class Pace {
  /** How many times as long as the work a rest is. */
  private static final int REST = 19;

  /** A piece that takes longer is work of the processor, such as reading a file. */
  private static final long LONGEST_REST_NANOS = TimeUnit.MILLISECONDS.toNanos(200);

  private static final ThreadLocal<Pace> CURRENT = new ThreadLocal<>();

  private long pieceBegan = System.nanoTime();

  private Pace() {}

  /**
   * Does work on this thread.
   *
   * @param gently whether it rests wherever it can
   */
  public static void run(boolean gently, Runnable work) {
    if (!gently) {
      work.run();
      return;
    }
    Pace outer = CURRENT.get();
    CURRENT.set(new Pace());
    try {
      work.run();
    } finally {
      CURRENT.set(outer);
    }
  }

  /** Ends a piece of work, and rests where that was asked for. */
  public static void rest() {
    Pace pace = CURRENT.get();
    if (pace != null) {
      pace.restNow();
    }
  }

  private void restNow() {
    long worked = System.nanoTime() - pieceBegan;
    long end = System.nanoTime() + Math.min(REST * worked, LONGEST_REST_NANOS);
    // An interrupt is not this work's to hear: the rest gets shorter, and the flag stays set.
    for (long left;
        (left = end - System.nanoTime()) > 0 && !Thread.currentThread().isInterrupted(); ) {
      LockSupport.parkNanos(this, left);
    }
    pieceBegan = System.nanoTime();
  }
}
