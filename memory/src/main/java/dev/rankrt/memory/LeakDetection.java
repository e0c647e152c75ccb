package dev.rankrt.memory;

/**
 * How many leases remember where they were acquired, so that a leak report can name the place.
 * Immutable.
 *
 * <p>A leak is a lease that the garbage collector finds before anyone closed it. It is reported
 * through the log, on a line that starts with {@code LEAK:}, and to the {@link AllocationListener};
 * its memory is never freed, because GPU work may still be using it.
 */
public enum LeakDetection {
  /** None: leaks go unreported, and leases cost nothing extra. */
  OFF,

  /**
   * One lease in 128: a leak that repeats is found soon, and the cost of a stack trace, a few
   * microseconds, is spread thin.
   */
  SAMPLED,

  /** All, and staging memory is overwritten when it comes back. For tests. */
  ALWAYS
}
