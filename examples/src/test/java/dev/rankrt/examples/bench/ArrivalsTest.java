package dev.rankrt.examples.bench;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.stream.LongStream;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.DoubleRange;
import org.junit.jupiter.api.Test;

class ArrivalsTest {
  private static final int COUNT = 100_000;

  @Property(tries = 20)
  void gapsAreExponential_atEveryRate(
      @ForAll @DoubleRange(min = 0.5, max = 1e6) double rate, @ForAll long seed) {
    double mean = 1e9 / rate;
    long[] times = times(rate, seed);
    long longerThanMean = 0;
    long longerThanThrice = 0;
    double squares = 0;
    for (int i = 1; i < times.length; i++) {
      double gap = times[i] - times[i - 1];
      assertTrue(gap >= 0, "time goes on");
      longerThanMean += gap > mean ? 1 : 0;
      longerThanThrice += gap > 3 * mean ? 1 : 0;
      squares += (gap - mean) * (gap - mean);
    }
    // Six deviations of what each is an estimate of.
    assertEquals(mean, times[COUNT - 1] / (double) COUNT, 6 * mean / Math.sqrt(COUNT));
    assertEquals(Math.exp(-1), longerThanMean / (double) COUNT, 0.01);
    assertEquals(Math.exp(-3), longerThanThrice / (double) COUNT, 0.005);
    assertEquals(mean, Math.sqrt(squares / COUNT), 0.05 * mean);
  }

  @Test
  void countsInEqualSpans_varyAsMuchAsTheirMean() {
    long[] counts = new long[1000];
    for (long time : times(100, 1)) {
      int second = (int) (time / 1_000_000_000);
      if (second < counts.length) {
        counts[second]++;
      }
    }
    double mean = LongStream.of(counts).limit(900).average().orElseThrow();
    double variance =
        LongStream.of(counts)
            .limit(900)
            .mapToDouble(c -> (c - mean) * (c - mean))
            .average()
            .orElseThrow();
    assertEquals(100, mean, 2);
    assertEquals(1, variance / mean, 0.3);
  }

  @Test
  void sameSeed_givesTheSameArrivals() {
    assertArrayEquals(times(10, 3), times(10, 3));
  }

  @Test
  void rateThatIsNone_isRefused() {
    assertThrows(IllegalArgumentException.class, () -> new Arrivals(0, 1));
    assertThrows(IllegalArgumentException.class, () -> new Arrivals(Double.NaN, 1));
  }

  private static long[] times(double rate, long seed) {
    Arrivals arrivals = new Arrivals(rate, seed);
    return LongStream.generate(arrivals::next).limit(COUNT).toArray();
  }
}
