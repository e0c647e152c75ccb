package dev.rankrt;

import java.util.concurrent.atomic.AtomicInteger;

/**
 * Which threads of this process may spin: waking a thread that sleeps takes longer than some waits
 * last, and more spinning threads than idle cores take from those that work. Safe for use by
 * several threads.
 *
 * <p>Workers, of which there are few, spin wherever there are cores enough; callers, of which there
 * may be any number, while there is a place.
 */
final class Spinning {
  /** For a GPU's workers, or where those are few for what else the process does. */
  private static final int FEWEST_CORES_FOR_OTHERS = 4;

  private static final int CORES = Runtime.getRuntime().availableProcessors();

  private static final int MOST_CALLERS =
      CORES - Math.max(FEWEST_CORES_FOR_OTHERS, Replica.usualWorkersOfGpu(CORES, 1));

  private static final AtomicInteger spinning = new AtomicInteger();

  private Spinning() {}

  /** Tells whether a worker may. */
  static boolean mayWorkers() {
    return MOST_CALLERS > 0;
  }

  /** Claims a caller's place; whoever got one gives it back with {@link #exit}. */
  static boolean enter() {
    if (spinning.get() >= MOST_CALLERS) {
      return false;
    }
    if (spinning.incrementAndGet() > MOST_CALLERS) {
      spinning.decrementAndGet();
      return false;
    }
    return true;
  }

  static void exit() {
    spinning.decrementAndGet();
  }
}
