package dev.rankrt;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;
import net.jqwik.api.constraints.LongRange;
import org.junit.jupiter.api.Test;

/** What a ranker believes of how long runs take. */
class ServiceTimesTest {
  private static final int MAX_BATCH = 1000;

  @Property(tries = 200)
  void times_thatAreAlike_areLearntForTheirSizeAlone(
      @ForAll @IntRange(min = 1, max = MAX_BATCH) int rows,
      @ForAll @LongRange(min = 1000, max = 1_000_000_000) long before,
      @ForAll @LongRange(min = 1000, max = 1_000_000_000) long now) {
    ServiceTimes times = new ServiceTimes(MAX_BATCH);
    times.ended(rows, before);
    assertEquals(before, times.of(rows));
    for (int i = 0; i < 300; i++) {
      times.ended(rows, now);
    }
    assertTrue(Math.abs(now - times.of(rows)) <= now / 50 + 30, now + " is not " + times.of(rows));
    int other = rows > MAX_BATCH / 2 ? 1 : MAX_BATCH;
    assertEquals(0, times.of(other));
  }

  @Property(tries = 200)
  void size_thatNoLongerRuns_isThoughtToTakeAtMostTwiceWhatHalfOfItTakes(
      @ForAll @IntRange(min = 1, max = MAX_BATCH / 2) int rows,
      @ForAll @LongRange(min = 1000, max = 1_000_000_000) long before,
      @ForAll @LongRange(min = 1000, max = 1_000_000_000) long now) {
    ServiceTimes times = new ServiceTimes(MAX_BATCH);
    times.ended(2 * rows, before);
    for (int i = 0; i < 500; i++) {
      times.ended(rows, now);
    }
    assertEquals(now, times.of(rows));
    if (before <= 2 * now) {
      assertEquals(before, times.of(2 * rows));
    } else {
      assertTrue(times.of(2 * rows) <= 2 * now, times.of(2 * rows) + " is more than twice " + now);
      assertTrue(times.of(2 * rows) > 1.9 * now, times.of(2 * rows) + " is too little for " + now);
    }
  }

  @Test
  void pause_thatHappensOnce_hardlyCounts() {
    ServiceTimes times = new ServiceTimes(MAX_BATCH);
    for (int i = 0; i < 100; i++) {
      times.ended(64, 50_000);
    }
    times.ended(64, 1_000_000_000);
    assertTrue(times.of(64) < 4 * 50_000, "" + times.of(64));
  }

  @Test
  void times_thatVary_areTheirAverageAndTwiceTheirDistanceFromIt() {
    ServiceTimes times = new ServiceTimes(MAX_BATCH);
    for (int i = 0; i < 100; i++) {
      times.ended(64, i % 2 == 0 ? 50_000 : 150_000);
    }
    assertTrue(Math.abs(times.of(64) - 200_000) < 20_000, "" + times.of(64));
  }

  @Test
  void doubt_overTime_forgetsWhatWasLearnt() {
    ServiceTimes times = new ServiceTimes(MAX_BATCH);
    times.ended(64, 1_000_000_000);
    times.ended(64, 3_000_000_000L); // there is a distance to forget, too
    for (int i = 0; i < 300; i++) {
      times.doubt(64);
    }
    assertTrue(times.of(64) < 1_000_000, "" + times.of(64));
  }
}
