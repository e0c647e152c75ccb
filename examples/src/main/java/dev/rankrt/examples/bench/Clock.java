package dev.rankrt.examples.bench;

import java.util.concurrent.locks.LockSupport;

/** Time as load generators see it; tests play it. */
interface Clock {
  /** The machine's own. Safe for use by several threads. */
  Clock SYSTEM =
      new Clock() {
        /** A thread that parks comes back some 50 us late; the rest of a wait is spun through. */
        private static final long SPIN_NANOS = 100_000;

        @Override
        public long nanos() {
          return System.nanoTime();
        }

        @Override
        public void waitUntil(long nanos) {
          for (long left = nanos - System.nanoTime(); left > 0; left = nanos - System.nanoTime()) {
            if (left > SPIN_NANOS) {
              LockSupport.parkNanos(left - SPIN_NANOS);
            } else {
              Thread.onSpinWait();
            }
          }
        }
      };

  /** Returns nanoseconds since some moment. */
  long nanos();

  /** Returns at a moment, or at once if it has passed. */
  void waitUntil(long nanos);
}
