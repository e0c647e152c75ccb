package dev.rankrt.examples.bench;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.time.Duration;
import java.util.concurrent.atomic.AtomicInteger;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.DoubleRange;
import org.HdrHistogram.Histogram;
import org.junit.jupiter.api.Test;

class CapacitySearchTest {
  private static final long MILLI = 1_000_000;

  /** A server that takes a millisecond, one request at a time. */
  private static Figures oneMilliEach(double rate) {
    PlayedClock clock = new PlayedClock();
    PlayedServer server = new PlayedServer(clock, call -> MILLI);
    return Load.open(server, clock, rate, 1, Duration.ofSeconds(60), Duration.ofSeconds(1));
  }

  @Test
  void withATightLimit_findsWhatQueueingTheoryKnows() throws IOException {
    CapacitySearch.Capacity found =
        CapacitySearch.find(100, 7, 10, CapacitySearchTest::oneMilliEach);

    // One server, fixed service time, random arrivals: 99 % wait less than nine services up to a
    // load of about 0.8.
    assertEquals(800, found.best().orElseThrow().offeredPerSecond(), 40);
    assertTrue(found.best().orElseThrow().within(10));
  }

  @Test
  void withALooseLimit_findsTheServersWholeCapacity() throws IOException {
    CapacitySearch.Capacity found =
        CapacitySearch.find(100, 7, 200, CapacitySearchTest::oneMilliEach);

    assertEquals(1000, found.best().orElseThrow().offeredPerSecond(), 20);
  }

  @Test
  void firstGuessTooHigh_isHalvedUntilItIsBorne() throws IOException {
    CapacitySearch.Capacity found =
        CapacitySearch.find(30_000, 7, 10, CapacitySearchTest::oneMilliEach);

    assertEquals(800, found.best().orElseThrow().offeredPerSecond(), 40);
  }

  @Test
  void limitBelowTheServiceTime_isBorneAtNoRate() throws IOException {
    CapacitySearch.Capacity found =
        CapacitySearch.find(100, 5, 0.5, CapacitySearchTest::oneMilliEach);

    assertTrue(found.best().isEmpty());
    assertTrue(found.probes().size() <= 16, found::toString);
  }

  @Test
  void oneSpoiledTry_doesNotDecide() throws IOException {
    AtomicInteger tries = new AtomicInteger();
    CapacitySearch.Capacity found =
        CapacitySearch.find(
            100, 7, 10, rate -> answered(rate, rate <= 850 && tries.getAndIncrement() % 3 != 1));

    assertEquals(850, found.best().orElseThrow().offeredPerSecond(), 10);
  }

  @Test
  void firstGuessWithTooFewRequestsToTell_isLeftUpwards() throws IOException {
    CapacitySearch.Capacity found = CapacitySearch.find(20, 7, 10, rate -> millisEach(rate, 2));

    assertEquals(800, found.best().orElseThrow().offeredPerSecond(), 120);
  }

  /** The same server, measured for less time. */
  private static Figures millisEach(double rate, int seconds) {
    PlayedClock clock = new PlayedClock();
    PlayedServer server = new PlayedServer(clock, call -> MILLI);
    return Load.open(server, clock, rate, 1, Duration.ofSeconds(seconds), Duration.ofSeconds(1));
  }

  @Property(tries = 200)
  void capacity_isFoundToAThirtySecondOfItsOctave_fromAnywhereNear(
      @ForAll @DoubleRange(min = 1, max = 1e6) double capacity,
      @ForAll @DoubleRange(min = 0.01, max = 50) double guess)
      throws IOException {
    CapacitySearch.Capacity found =
        CapacitySearch.find(capacity * guess, 5, 10, rate -> answered(rate, rate <= capacity));

    double best = found.best().orElseThrow().offeredPerSecond();
    assertTrue(best <= capacity, () -> best + " of " + capacity);
    assertTrue(best >= capacity * (1 - 1.0 / 31), () -> best + " of " + capacity);
  }

  private static Figures answered(double rate, boolean borne) {
    Histogram nanos = new Histogram(3);
    nanos.recordValueWithCount(borne ? MILLI : 11 * MILLI, 100);
    return Figures.of(nanos, 0, Figures.Kind.OPEN, 0, rate, 1, 1);
  }
}
