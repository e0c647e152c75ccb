package dev.rankrt.examples.bench;

import java.util.SplittableRandom;

/**
 * When the requests of many independent users arrive: a Poisson process. Safe for use by several
 * threads, each of which takes the next arrival.
 */
final class Arrivals {
  private static final double NANOS = 1e9;

  private final double perSecond;
  private final SplittableRandom random;
  private double at;

  /**
   * Creates a schedule.
   *
   * @param seed the same seed and rate give the same arrivals
   */
  Arrivals(double perSecond, long seed) {
    if (!(perSecond > 0)) {
      throw new IllegalArgumentException("a rate must be positive: " + perSecond);
    }
    this.perSecond = perSecond;
    this.random = new SplittableRandom(seed);
  }

  /** Returns the next arrival, in nanoseconds from the start. */
  synchronized long next() {
    at += -Math.log1p(-random.nextDouble()) / perSecond * NANOS;
    return (long) at;
  }
}
