package dev.rankrt.streams.internal;

import static dev.rankrt.streams.internal.AdaptiveWait.LONGEST_SPUN_NANOS;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.LongRange;
import net.jqwik.api.constraints.Size;
import org.junit.jupiter.api.Test;

class AdaptiveWaitTest {
  private static final long HOUR = 3_600_000_000_000L;

  private final AdaptiveWait wait = new AdaptiveWait();

  private void repeat(long nanos, int times) {
    for (int i = 0; i < times; i++) {
      wait.ended(nanos);
    }
  }

  @Test
  void firstWait_spins() {
    assertTrue(wait.spins());
  }

  @Property(tries = 200)
  void waitsThatAreAlike_areSpunThroughExactlyWhereTheyAreShort(
      @ForAll @Size(max = 20) List<@LongRange(max = HOUR) Long> before,
      @ForAll @LongRange(max = 4 * LONGEST_SPUN_NANOS) long nanos) {
    AdaptiveWait some = new AdaptiveWait();
    before.forEach(some::ended);
    for (int i = 0; i < 300; i++) {
      some.ended(nanos);
    }
    // Integer division leaves the average a few nanoseconds off what it tends to.
    if (Math.abs(nanos - LONGEST_SPUN_NANOS) > 100) {
      assertEquals(nanos < LONGEST_SPUN_NANOS, some.spins(), nanos + " ns");
    }
  }

  @Property(tries = 100)
  void oneOutlier_ofAnySize_changesNothingForWaitsOfLessThanTwoThirds(
      @ForAll @LongRange(max = LONGEST_SPUN_NANOS * 2 / 3) long nanos,
      @ForAll @LongRange(max = HOUR) long outlier) {
    AdaptiveWait some = new AdaptiveWait();
    for (int i = 0; i < 200; i++) {
      some.ended(nanos);
    }
    some.ended(outlier);
    assertTrue(some.spins());
  }

  @Test
  void waitsThatBecomeLong_areFollowedWithinADozenCalls() {
    repeat(60_000, 100);
    repeat(20_000_000, 12);
    assertFalse(wait.spins());
  }

  @Test
  void waitsThatBecomeShort_areFollowedWithinADozenCalls() {
    repeat(2 * LONGEST_SPUN_NANOS, 100);
    assertFalse(wait.spins());
    repeat(60_000, 12);
    assertTrue(wait.spins());
  }
}
