package dev.rankrt;

import java.util.concurrent.atomic.AtomicIntegerArray;

/**
 * Mutual exclusion for the few microseconds that taking requests from a queue lasts: less than
 * waking a thread up would. Safe for use by several threads; not for one that holds it already.
 */
final class SpinLock {
  /** About a microsecond; whoever holds it for longer has much to take, or has lost its core. */
  private static final int SPINS_BEFORE_YIELD = 20;

  /** Two cache lines before and behind: what others write close by must not slow those who spin. */
  private static final int PADDING = 2 * 64 / Integer.BYTES;

  private final AtomicIntegerArray held = new AtomicIntegerArray(PADDING + 1 + PADDING);

  @SuppressWarnings("ThreadPriorityCheck") // a hint, without which it would be only slower
  void lock() {
    for (int spins = 0; held.get(PADDING) != 0 || !held.compareAndSet(PADDING, 0, 1); spins++) {
      if (spins < SPINS_BEFORE_YIELD) {
        Thread.onSpinWait();
      } else {
        Thread.yield();
      }
    }
  }

  void unlock() {
    held.setRelease(PADDING, 0);
  }
}
