package dev.rankrt;

import java.util.concurrent.atomic.AtomicLongArray;

/**
 * How long runs take by their rows, learnt from the last ones, with some margin. Safe for use by
 * several threads; of two that learn at once one may be forgotten, which costs nothing.
 *
 * <p>Rows are told apart by powers of two, as buckets are. For each there is a moving average and
 * one of the distance from it; the answer is the average and twice the distance, so that few runs
 * take longer. A run counts for four times the average at most: one pause says nothing of the next.
 *
 * <p>Nothing is learnt of sizes that do not run, and where a size is thought too slow to be waited
 * for none may run again. So a run also raises doubts about larger ones that are thought to take
 * longer by more than they are larger: what was learnt in a bad time is forgotten, size by size.
 */
final class ServiceTimes {
  private static final int WEIGHT = 8;
  private static final int MOST_COUNTED = 4;

  private final AtomicLongArray averages;
  private final AtomicLongArray distances;

  ServiceTimes(int maxBatch) {
    this.averages = new AtomicLongArray(sizeOf(maxBatch) + 1);
    this.distances = new AtomicLongArray(sizeOf(maxBatch) + 1);
  }

  /** Returns how long a run takes, in nanoseconds; 0 before the first of its size. */
  long of(int rows) {
    return ofSize(sizeOf(rows));
  }

  private long ofSize(int size) {
    return averages.get(size) + 2 * distances.get(size);
  }

  /** Learns from a run. */
  void ended(int rows, long nanos) {
    int size = sizeOf(rows);
    learn(size, nanos);
    long most = ofSize(size);
    for (int larger = size + 1; larger < averages.length(); larger++) {
      most *= 2;
      if (ofSize(larger) > most) {
        doubtSize(larger);
      }
    }
  }

  private void learn(int size, long nanos) {
    long average = averages.get(size);
    if (average == 0) {
      averages.set(size, nanos);
      return;
    }
    long counted = Math.min(nanos, MOST_COUNTED * average);
    averages.set(size, average + (counted - average) / WEIGHT);
    long distance = distances.get(size);
    distances.set(size, distance + (Math.abs(counted - average) - distance) / WEIGHT);
  }

  /**
   * Believes a little less in what was learnt, after it has refused a request: where every request
   * is refused nothing is learnt, and a time that is no longer true would stand for ever.
   */
  void doubt(int rows) {
    doubtSize(sizeOf(rows));
  }

  private void doubtSize(int size) {
    averages.set(size, averages.get(size) - averages.get(size) / 32);
    distances.set(size, distances.get(size) - distances.get(size) / 32);
  }

  private static int sizeOf(int rows) {
    return Integer.SIZE - Integer.numberOfLeadingZeros(rows - 1);
  }
}
