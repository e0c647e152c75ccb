package dev.rankrt.internal;

import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;

/**
 * How fast a thread prepares or frees a model: at once, or in small pieces with rests between them,
 * where another model serves on the same GPU meanwhile. One thread at a time.
 *
 * <p>Some of that work holds the driver's lock, and no other thread of the process can launch
 * anything meanwhile: pinning and freeing memory, copying weights, destroying contexts. A request
 * that arrives then is late, and so are those behind it, until the device has caught up. Each such
 * piece takes a millisecond or so. Done at once, they make a tenth of all requests late.
 *
 * <p>Measured on an H200 at 70 % load: destroying a context takes 6 to 10 ms and holds the lock for
 * 0.8; creating one takes 17 ms, and 13 more where it must switch to another profile, and holds it
 * for 0.1; pinning memory and copying weights from memory that is not pinned hold it all the time.
 * Of the requests that meet a creation a fifth take more than 1.2 times the 99th percentile of
 * quiet times, of those that meet a destruction half do. Where runs that are not full wait for a
 * full GPU, quiet times are quieter, and more do. For that to happen to fewer than one in a
 * hundred, creating may take a fiftieth of the time, and destroying less than a hundredth.
 */
public final class Pace {
  /** How many times as long as the work a rest is. */
  private static final int REST = 50;

  private static final int LONG_REST = 160;

  /** A piece that takes longer is work of the processor, such as reading a file. */
  private static final long LONGEST_REST_NANOS = TimeUnit.SECONDS.toNanos(1);

  private static final long LONGEST_LONG_REST_NANOS = TimeUnit.MILLISECONDS.toNanos(1_600);

  /** How long it may take until a rest is found to be needed no more. */
  private static final long NAP_NANOS = TimeUnit.MILLISECONDS.toNanos(50);

  private static final ThreadLocal<Pace> CURRENT = new ThreadLocal<>();

  private final BooleanSupplier gently;
  private long pieceBegan = System.nanoTime();

  private Pace(BooleanSupplier gently) {
    this.gently = gently;
  }

  /**
   * Does work on this thread.
   *
   * @param gently whether to rest wherever that is possible, asked again before and during each
   *     rest
   */
  public static void run(BooleanSupplier gently, Runnable work) {
    Pace outer = CURRENT.get();
    CURRENT.set(new Pace(gently));
    try {
      work.run();
    } finally {
      CURRENT.set(outer);
    }
  }

  /** Ends a piece of work, and rests where that was asked for. */
  public static void rest() {
    rest(REST, LONGEST_REST_NANOS);
  }

  /** Ends a piece of work that held the driver's lock for much of its time, and rests longer. */
  public static void restLong() {
    rest(LONG_REST, LONGEST_LONG_REST_NANOS);
  }

  private static void rest(int times, long longest) {
    Pace pace = CURRENT.get();
    if (pace != null) {
      long now = System.nanoTime();
      pace.restUntil(now + Math.min(times * (now - pace.pieceBegan), longest));
    }
  }

  private void restUntil(long end) {
    // An interrupt is not this work's to hear: the rest gets shorter, and the flag stays set.
    for (long left;
        (left = end - System.nanoTime()) > 0
            && gently.getAsBoolean()
            && !Thread.currentThread().isInterrupted(); ) {
      LockSupport.parkNanos(this, Math.min(left, NAP_NANOS));
    }
    pieceBegan = System.nanoTime();
  }
}
