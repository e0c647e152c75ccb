package dev.rankrt;

import java.util.concurrent.TimeUnit;
import java.util.function.LongSupplier;

/**
 * Tells whether a ranker has had requests lately, by looking at a count now and then: requests
 * themselves leave no time behind, which all of them would have to write. Safe for use by several
 * threads.
 */
final class Traffic {
  /** Longer than any pause of a service that is in use. */
  static final long LATELY_NANOS = TimeUnit.SECONDS.toNanos(1);

  private final LongSupplier count;
  private long seen;
  private long changed;

  /** Takes a count that grows with requests, and is 0 now. */
  Traffic(LongSupplier count) {
    this.count = count;
    this.changed = System.nanoTime() - LATELY_NANOS;
  }

  /** What came since the last look came just now, as far as anyone knows. */
  synchronized boolean wasThereLately(long now) {
    long counted = count.getAsLong();
    if (counted != seen) {
      seen = counted;
      changed = now;
    }
    return now - changed < LATELY_NANOS;
  }
}
