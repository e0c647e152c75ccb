package dev.rankrt;

/**
 * What an engine's sessions have run since it was opened, warm-up included. Immutable: a snapshot.
 *
 * @param runs runs that succeeded, of all sessions, closed ones included
 * @param graphReplays runs that replayed a captured CUDA graph; at steady state on a GPU all do
 * @param rows the rows that callers asked for
 * @param paddedRows rows that were computed beside them to fill a bucket, whose results nobody sees
 */
public record EngineStats(long runs, long graphReplays, long rows, long paddedRows) {
  /**
   * Returns the runs that were enqueued operation by operation: on the CPU all of them, on a GPU
   * those of a size that no graph was captured for, where padding is switched off.
   *
   * @return the number of runs
   */
  public long fallbacks() {
    return runs - graphReplays;
  }
}
