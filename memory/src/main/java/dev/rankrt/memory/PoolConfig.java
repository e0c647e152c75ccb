package dev.rankrt.memory;

import java.time.Duration;
import java.util.Locale;
import java.util.Objects;

/**
 * What bounds a pool. Immutable.
 *
 * @param name how the log and exceptions call the pool; not blank
 * @param limitBytes what the pool may hold of CUDA's memory at most; 256 or more
 * @param maxWait how long a request waits for memory unless it says otherwise, and how long closing
 *     the pool waits for the device; zero or more
 * @param leakDetection how many leases remember where they were acquired
 * @param listener hears of allocations and leaks
 */
public record PoolConfig(
    String name,
    long limitBytes,
    Duration maxWait,
    LeakDetection leakDetection,
    AllocationListener listener) {

  /**
   * The system property that gives {@link #of} its leak detection, {@value}: a value of {@link
   * LeakDetection} in any case. It is read at every call, so that a service can be searched for
   * leaks without changing its code.
   */
  public static final String LEAK_DETECTION_PROPERTY = "dev.rankrt.leakDetection";

  /** A pool must be able to hold one block at CUDA's alignment. */
  private static final long SMALLEST_LIMIT_BYTES = 256;

  /** Long beside the milliseconds that a run takes, short beside what a caller of it would bear. */
  private static final Duration DEFAULT_MAX_WAIT = Duration.ofSeconds(1);

  /**
   * Checks the values.
   *
   * @param name not blank
   * @param limitBytes 256 or more
   * @param maxWait zero or more
   * @param leakDetection not null
   * @param listener not null
   * @throws IllegalArgumentException if the name is blank, the limit under 256 bytes or the wait
   *     negative
   */
  public PoolConfig {
    Objects.requireNonNull(maxWait, "maxWait");
    Objects.requireNonNull(leakDetection, "leakDetection");
    Objects.requireNonNull(listener, "listener");
    if (name.isBlank()) {
      throw new IllegalArgumentException("name must not be blank");
    }
    if (limitBytes < SMALLEST_LIMIT_BYTES) {
      throw new IllegalArgumentException(
          "limitBytes must be at least " + SMALLEST_LIMIT_BYTES + ": " + limitBytes);
    }
    if (maxWait.isNegative()) {
      throw new IllegalArgumentException("maxWait must not be negative: " + maxWait);
    }
  }

  /**
   * Returns a configuration that waits one second, without a listener, and with leak detection off
   * unless {@link #LEAK_DETECTION_PROPERTY} says otherwise.
   *
   * @param name how the log and exceptions call the pool
   * @param limitBytes what the pool may hold of CUDA's memory at most
   * @return the configuration
   * @throws IllegalArgumentException if a value is out of bounds, the property's included
   */
  public static PoolConfig of(String name, long limitBytes) {
    return new PoolConfig(
        name, limitBytes, DEFAULT_MAX_WAIT, defaultLeakDetection(), AllocationListener.NOOP);
  }

  /**
   * Returns a copy with another wait.
   *
   * @param maxWait zero or more
   * @return the copy
   */
  public PoolConfig withMaxWait(Duration maxWait) {
    return new PoolConfig(name, limitBytes, maxWait, leakDetection, listener);
  }

  /**
   * Returns a copy with other leak detection.
   *
   * @param leakDetection how many leases remember where they were acquired
   * @return the copy
   */
  public PoolConfig withLeakDetection(LeakDetection leakDetection) {
    return new PoolConfig(name, limitBytes, maxWait, leakDetection, listener);
  }

  /**
   * Returns a copy with another listener.
   *
   * @param listener hears of allocations and leaks
   * @return the copy
   */
  public PoolConfig withListener(AllocationListener listener) {
    return new PoolConfig(name, limitBytes, maxWait, leakDetection, listener);
  }

  private static LeakDetection defaultLeakDetection() {
    String value = System.getProperty(LEAK_DETECTION_PROPERTY);
    if (value == null) {
      return LeakDetection.OFF;
    }
    try {
      return LeakDetection.valueOf(value.trim().toUpperCase(Locale.ROOT));
    } catch (IllegalArgumentException e) {
      throw new IllegalArgumentException(
          "system property "
              + LEAK_DETECTION_PROPERTY
              + " must be off, sampled or always: "
              + value,
          e);
    }
  }
}
