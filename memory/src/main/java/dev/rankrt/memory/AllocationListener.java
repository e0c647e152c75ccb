package dev.rankrt.memory;

/**
 * Hears what a pool asks of CUDA, and of leaks. Safe for use by several threads: pools call from
 * whichever thread caused the event, at the same time from several.
 *
 * <p>No lock is held during a call, so a listener may use the pool's statistics. What it throws is
 * logged and goes no further. Acquiring and closing leases that need nothing of CUDA are not
 * reported: {@link PoolStats} counts them.
 */
public interface AllocationListener {

  /** Does nothing. */
  AllocationListener NOOP = new AllocationListener() {};

  /**
   * CUDA gave the pool a block.
   *
   * @param pool the pool's name
   * @param bytes the block's size
   */
  default void allocated(String pool, long bytes) {}

  /**
   * The pool gave a block back to CUDA. Also called where CUDA reported an error, because the block
   * counts as freed then too.
   *
   * @param pool the pool's name
   * @param bytes the block's size
   */
  default void freed(String pool, long bytes) {}

  /**
   * A request waited in vain.
   *
   * @param pool the pool's name
   * @param refusal what the caller is about to get
   */
  default void exhausted(String pool, PoolExhaustedException refusal) {}

  /**
   * The collector found a lease that nobody closed.
   *
   * @param pool the pool's name
   * @param bytes what the lease holds, for good
   * @param origin a stack trace of the place that acquired it
   */
  default void leaked(String pool, long bytes, Throwable origin) {}
}
