package dev.rankrt.memory;

import dev.rankrt.natives.RankRtException;

/**
 * A pool had no memory for a request within its wait. The message says what was asked, where the
 * pool's bytes are and who holds them.
 */
public class PoolExhaustedException extends RankRtException {
  private static final long serialVersionUID = 1L;

  /** Where the pool's bytes were. */
  private final PoolStats stats;

  /**
   * Creates an exception.
   *
   * @param message what was asked, the numbers, the holders and what to try
   * @param stats where the pool's bytes were
   * @param cause what CUDA said, or null
   */
  public PoolExhaustedException(String message, PoolStats stats, Throwable cause) {
    super(message, cause);
    this.stats = stats;
  }

  /**
   * Returns where the pool's bytes were when the request was refused.
   *
   * @return a snapshot
   */
  public PoolStats stats() {
    return stats;
  }
}
