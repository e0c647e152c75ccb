package dev.rankrt.internal.tensorrt;

import java.util.ArrayList;
import java.util.List;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.atomic.LongAdder;
import org.HdrHistogram.Histogram;

/**
 * Latencies that many threads record, each in histograms of its own: one for all would make
 * workers, which call back with every answer, wait for each other.
 */
final class Latencies {
  private static final long LONGEST_NANOS = 60_000_000_000L;

  /** Those of one thread. */
  private static final class Own {
    final Histogram all = histogram();

    /**
     * By the slice of time that they belong to, null where there are none; coarser, since there may
     * be hundreds.
     */
    final List<Histogram> slices = new ArrayList<>();
  }

  private final Queue<Own> threads = new ConcurrentLinkedQueue<>();
  private final ThreadLocal<Own> own =
      ThreadLocal.withInitial(
          () -> {
            Own mine = new Own();
            threads.add(mine);
            return mine;
          });
  private final LongAdder count = new LongAdder();

  static Histogram histogram() {
    return new Histogram(1, LONGEST_NANOS, 3);
  }

  private static Histogram slice() {
    return new Histogram(1, LONGEST_NANOS, 2);
  }

  void record(long nanos) {
    record(own.get(), Math.max(1, nanos));
  }

  private void record(Own mine, long nanos) {
    mine.all.recordValue(nanos);
    count.increment();
  }

  /** Records one that belongs to a slice of time; the first is 0. */
  void record(long nanos, int slice) {
    Own mine = own.get();
    List<Histogram> slices = mine.slices;
    while (slices.size() <= slice) {
      slices.add(null);
    }
    if (slices.get(slice) == null) {
      slices.set(slice, slice());
    }
    long positive = Math.max(1, nanos);
    slices.get(slice).recordValue(positive);
    record(mine, positive);
  }

  long count() {
    return count.sum();
  }

  /** Returns all of them, when nobody records any more. */
  Histogram merged() {
    Histogram merged = histogram();
    threads.forEach(thread -> merged.add(thread.all));
    return merged;
  }

  /** Returns those of each slice, when nobody records any more. */
  List<Histogram> slices() {
    List<Histogram> merged = new ArrayList<>();
    for (Own thread : threads) {
      for (int i = 0; i < thread.slices.size(); i++) {
        if (i == merged.size()) {
          merged.add(slice());
        }
        if (thread.slices.get(i) != null) {
          merged.get(i).add(thread.slices.get(i));
        }
      }
    }
    return merged;
  }
}
