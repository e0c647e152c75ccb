package dev.rankrt.streams.internal;

import static dev.rankrt.streams.internal.AdaptiveSpin.LONGEST_SPUN_NANOS;
import static dev.rankrt.streams.internal.AdaptiveSpin.WAKE_UP_NANOS;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.LongRange;
import net.jqwik.api.constraints.Size;
import org.junit.jupiter.api.Test;

class AdaptiveSpinTest {
  private static final long HOUR = 3_600_000_000_000L;

  @Property(tries = 300)
  void spin_afterAnyWaits_isWithinItsBounds(
      @ForAll @Size(max = 100) List<@LongRange(max = HOUR) Long> waits) {
    AdaptiveSpin spin = new AdaptiveSpin();
    for (long wait : waits) {
      spin.ended(wait);
      assertTrue(spin.spinNanos() >= WAKE_UP_NANOS);
      assertTrue(spin.spinNanos() <= 2 * LONGEST_SPUN_NANOS);
    }
  }

  @Property(tries = 200)
  void spin_whenWaitsAreAlikeAndShort_coversThemOnceLearnt(
      @ForAll @LongRange(max = LONGEST_SPUN_NANOS) long wait,
      @ForAll @Size(max = 20) List<@LongRange(max = HOUR) Long> before) {
    AdaptiveSpin spin = new AdaptiveSpin();
    before.forEach(spin::ended);
    repeat(spin, wait, 200);
    assertTrue(spin.spinNanos() >= Math.min(wait * 3 / 2, LONGEST_SPUN_NANOS));
    assertTrue(spin.spinNanos() <= Math.max(WAKE_UP_NANOS, wait * 5 / 2 + 100));
  }

  @Property(tries = 100)
  void spin_whenWaitsAreLong_isNoLongerThanAWakeUp(
      @ForAll @LongRange(min = 2 * LONGEST_SPUN_NANOS, max = HOUR) long wait) {
    AdaptiveSpin spin = new AdaptiveSpin();
    repeat(spin, wait, 200);
    assertEquals(WAKE_UP_NANOS, spin.spinNanos());
  }

  @Property(tries = 200)
  void oneOutlier_ofAnySize_changesTheSpinByThreeEighthsAtMost(
      @ForAll @LongRange(min = WAKE_UP_NANOS, max = LONGEST_SPUN_NANOS / 2) long wait,
      @ForAll @LongRange(max = HOUR) long outlier) {
    AdaptiveSpin spin = new AdaptiveSpin();
    repeat(spin, wait, 200);
    long before = spin.spinNanos();
    spin.ended(outlier);
    assertTrue(spin.spinNanos() * 8 <= before * 11, before + " then " + spin.spinNanos());
    assertTrue(spin.spinNanos() * 8 >= before * 6, before + " then " + spin.spinNanos());
  }

  @Test
  void firstWait_spinsForTwoWakeUps() {
    assertEquals(2 * WAKE_UP_NANOS, new AdaptiveSpin().spinNanos());
  }

  @Test
  void waitsThatBecomeLonger_areFollowedWithinTenCalls() {
    AdaptiveSpin spin = new AdaptiveSpin();
    repeat(spin, 60_000, 100);
    repeat(spin, 400_000, 10);
    assertTrue(spin.spinNanos() > 400_000, () -> String.valueOf(spin.spinNanos()));
  }

  @Property(tries = 200)
  void waitsThatAreAlike_areSpunThroughExactlyWhereTheyAreShort(
      @ForAll @Size(max = 20) List<@LongRange(max = HOUR) Long> before,
      @ForAll @LongRange(max = 4 * LONGEST_SPUN_NANOS) long wait) {
    AdaptiveSpin spin = new AdaptiveSpin();
    before.forEach(spin::ended);
    repeat(spin, wait, 300);
    // Integer division leaves the average a few nanoseconds off what it tends to.
    if (Math.abs(wait - LONGEST_SPUN_NANOS) > 100) {
      assertEquals(wait < LONGEST_SPUN_NANOS, spin.spins(), wait + " ns");
    }
  }

  @Test
  void waitsThatBecomeLongOrShort_areFollowedWithinADozenCalls() {
    AdaptiveSpin spin = new AdaptiveSpin();
    repeat(spin, 60_000, 100);
    assertTrue(spin.spins());
    repeat(spin, 20_000_000, 12);
    assertFalse(spin.spins());
    repeat(spin, 2 * LONGEST_SPUN_NANOS, 100);
    assertFalse(spin.spins());
    repeat(spin, 60_000, 12);
    assertTrue(spin.spins());
  }

  private static void repeat(AdaptiveSpin spin, long wait, int times) {
    for (int i = 0; i < times; i++) {
      spin.ended(wait);
    }
  }
}
