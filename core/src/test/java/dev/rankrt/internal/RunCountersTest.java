package dev.rankrt.internal;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.rankrt.EngineStats;
import java.util.List;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;
import net.jqwik.api.constraints.Size;
import org.junit.jupiter.api.Test;

class RunCountersTest {
  private final RunCounters counters = new RunCounters();

  @Test
  void stats_addUpSessionsThatAreOpenAndThoseThatAreClosed() {
    RunCounters.Counter open = counters.open();
    RunCounters.Counter closed = counters.open();
    open.ran(3, 4, true);
    closed.ran(5, 5, false);
    counters.close(closed);
    open.ran(1, 1, true);
    assertEquals(new EngineStats(3, 2, 9, 1), counters.stats());
    assertEquals(1, counters.stats().fallbacks());
  }

  @Test
  void counter_closedTwice_countsOnce() {
    RunCounters.Counter counter = counters.open();
    counter.ran(1, 2, true);
    counters.close(counter);
    counters.close(counter);
    assertEquals(new EngineStats(1, 1, 1, 1), counters.stats());
  }

  @Property(tries = 100)
  void stats_neverDependOnWhichSessionsAreOpen(
      @ForAll @Size(min = 1, max = 20) List<@IntRange(min = 1, max = 64) Integer> rows,
      @ForAll @IntRange(min = 0, max = 20) int stillOpen) {
    RunCounters some = new RunCounters();
    long total = 0;
    for (int i = 0; i < rows.size(); i++) {
      RunCounters.Counter counter = some.open();
      counter.ran(rows.get(i), 64, true);
      total += rows.get(i);
      if (i >= stillOpen) {
        some.close(counter);
      }
    }
    int runs = rows.size();
    assertEquals(new EngineStats(runs, runs, total, 64L * runs - total), some.stats());
  }
}
