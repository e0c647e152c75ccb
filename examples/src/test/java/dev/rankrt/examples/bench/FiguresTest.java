package dev.rankrt.examples.bench;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import java.util.Optional;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;
import net.jqwik.api.constraints.LongRange;
import net.jqwik.api.constraints.Size;
import org.HdrHistogram.Histogram;
import org.junit.jupiter.api.Test;

class FiguresTest {
  @Test
  void percentiles_areThoseOfTheSamples_toThreeDigits() {
    Figures figures = thousandths(1000, 0);

    assertEquals(500, figures.p50Micros().orElseThrow(), 0.5);
    assertEquals(990, figures.p99Micros().orElseThrow(), 1);
    assertEquals(999, figures.p999Micros().orElseThrow(), 1);
    assertEquals(500.5, figures.meanMicros(), 0.5);
    assertEquals(1000, figures.maxMicros(), 1);
    assertEquals(500, figures.requestsPerSecond());
    assertEquals(1500, figures.rowsPerSecond());
  }

  @Test
  void percentilesThatTooFewSamplesDecide_areEmpty() {
    assertEquals(Optional.empty(), thousandths(999, 0).p999Micros());
    assertTrue(thousandths(1000, 0).p999Micros().isPresent());
    assertEquals(Optional.empty(), thousandths(99, 0).p99Micros());
    assertTrue(thousandths(100, 0).p99Micros().isPresent());
    assertEquals(Optional.empty(), thousandths(1, 0).p50Micros());
    assertEquals(0, thousandths(0, 0).samples());
    assertEquals(List.of(), thousandths(0, 5).distribution());
  }

  @Test
  void unansweredRequests_countAsSlowerThanAny() {
    // 1,000 requests: the median is the 500th, and the slowest 20 have no latency.
    Figures figures = thousandths(980, 20);

    assertEquals(500, figures.p50Micros().orElseThrow(), 1);
    assertEquals(Optional.empty(), figures.p99Micros());
    assertEquals(980, figures.samples());
  }

  @Property(tries = 300)
  void distribution_neverFalls_andEndsWithinTheSlowest(
      @ForAll @Size(min = 1, max = 3000)
          List<@LongRange(min = 1, max = 10_000_000_000L) Long> nanos,
      @ForAll @IntRange(max = 50) int unanswered) {
    Histogram histogram = new Histogram(3);
    nanos.forEach(histogram::recordValue);
    Figures figures = Figures.of(histogram, unanswered, Figures.Kind.OPEN, 0, 1, 1, 1);

    double last = 0;
    for (Figures.Point point : figures.distribution()) {
      assertTrue(point.micros() >= last, figures::toString);
      last = point.micros();
    }
    assertTrue(last <= figures.maxMicros() * 1.001, figures::toString);
    assertEquals(nanos.size(), figures.samples());
  }

  /** Requests that took 1, 2, 3, ... microseconds, with 3 rows each, in 2 seconds. */
  private static Figures thousandths(int count, long unanswered) {
    Histogram nanos = new Histogram(3);
    for (int i = 1; i <= count; i++) {
      nanos.recordValue(i * 1000L);
    }
    return Figures.of(nanos, unanswered, Figures.Kind.CLOSED, 1, 0, 3, 2);
  }
}
