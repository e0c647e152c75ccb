package dev.rankrt.internal;

import dev.rankrt.EngineStats;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicLong;

/**
 * Counts what the sessions of an engine run. Safe for use by several threads.
 *
 * <p>Each session counts for itself, so that counting on the path of a call is a few plain stores
 * to what no other session writes.
 */
public final class RunCounters {
  private final List<Counter> open = new ArrayList<>();
  private EngineStats closed = new EngineStats(0, 0, 0, 0);

  /** One session's counts. Counted by one thread at a time, read by any. */
  public static final class Counter {
    // The number of runs is stored last and read first: it never leads the others.
    private final AtomicLong runs = new AtomicLong();
    private final AtomicLong graphReplays = new AtomicLong();
    private final AtomicLong rows = new AtomicLong();
    private final AtomicLong paddedRows = new AtomicLong();

    /**
     * Counts a run.
     *
     * @param rows the caller's rows
     * @param computed the rows that were computed, at least as many
     * @param replayed whether a graph was replayed
     */
    public void ran(int rows, int computed, boolean replayed) {
      add(this.rows, rows);
      add(paddedRows, computed - rows);
      add(graphReplays, replayed ? 1 : 0);
      add(runs, 1);
    }

    /** Only one thread adds at a time, so that no atomic instruction is needed. */
    private static void add(AtomicLong count, long more) {
      count.setRelease(count.getPlain() + more);
    }

    private EngineStats stats() {
      long runsFirst = runs.getAcquire();
      return new EngineStats(runsFirst, graphReplays.get(), rows.get(), paddedRows.get());
    }
  }

  /** Returns the counter of a new session. */
  public synchronized Counter open() {
    Counter counter = new Counter();
    open.add(counter);
    return counter;
  }

  /** Keeps what a session has counted, which runs no more. */
  public synchronized void close(Counter counter) {
    if (open.remove(counter)) {
      closed = sum(closed, counter.stats());
    }
  }

  /** Returns what all sessions have run so far. */
  public synchronized EngineStats stats() {
    return open.stream().map(Counter::stats).reduce(closed, RunCounters::sum);
  }

  private static EngineStats sum(EngineStats a, EngineStats b) {
    return new EngineStats(
        a.runs() + b.runs(),
        a.graphReplays() + b.graphReplays(),
        a.rows() + b.rows(),
        a.paddedRows() + b.paddedRows());
  }
}
