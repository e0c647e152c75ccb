package dev.rankrt.examples.bench;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.rankrt.InferenceException;
import dev.rankrt.RequestRefusedException;
import java.time.Duration;
import java.util.HashSet;
import java.util.Set;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Consumer;
import org.junit.jupiter.api.Test;

class LoadTest {
  private static final Duration TEN_SECONDS = Duration.ofSeconds(10);
  private static final Duration GRACE = Duration.ofSeconds(2);
  private static final long MICRO = 1_000;
  private static final long SECOND = 1_000_000_000;

  private final PlayedClock clock = new PlayedClock();

  /** A hundred microseconds a call, but for one that takes a second. */
  private PlayedServer stalling(int stalledCall) {
    return new PlayedServer(clock, call -> call == stalledCall ? SECOND : 100 * MICRO);
  }

  @Test
  void memoryThatALoadWants_endsItAsWhatItIs() {
    OutOfMemoryError tooMuch = new OutOfMemoryError("Java heap space");
    Target target =
        new PlayedServer(
            clock,
            call -> {
              throw tooMuch;
            });
    assertSame(
        tooMuch,
        assertThrows(OutOfMemoryError.class, () -> Load.closed(target, clock, 1, 1, TEN_SECONDS)));
  }

  @Test
  void openLoop_chargesAStallToEveryRequestThatItHeldUp() {
    Figures figures = Load.open(stalling(3000), clock, 1000, 1, TEN_SECONDS, GRACE);

    assertEquals(10_000, (double) figures.samples(), 400);
    assertEquals(0, figures.unanswered());
    assertTrue(figures.p50Micros().orElseThrow() < 200, figures::toString);
    // A tenth of all requests was due in that second.
    assertTrue(figures.p99Micros().orElseThrow() > 0.8e6, figures::toString);
  }

  @Test
  void closedLoop_hidesTheSameStall_whichIsWhyThereIsAnOpenOne() {
    Figures figures = Load.closed(stalling(3000), clock, 1, 1, TEN_SECONDS);

    assertEquals(100, figures.p99Micros().orElseThrow(), 1);
    assertEquals(1e6, figures.maxMicros(), 1e3);
  }

  @Test
  void openLoop_countsFromTheScheduledTime_notFromTheSending() {
    // Twice the load that can be served: the queue only grows.
    PlayedServer server = new PlayedServer(clock, call -> 2000 * MICRO);
    Figures figures = Load.open(server, clock, 1000, 1, Duration.ofSeconds(1), TEN_SECONDS);

    assertEquals(1000, (double) figures.samples(), 120);
    assertEquals(0.5e6, figures.p50Micros().orElseThrow(), 0.2e6);
    assertTrue(figures.maxMicros() > 0.7e6, figures::toString);
  }

  @Test
  void openLoop_givesUpAtTheEnd_andCountsWhatIsLeft() {
    PlayedServer server = new PlayedServer(clock, call -> 100_000 * MICRO);
    Figures figures =
        Load.open(server, clock, 1000, 1, Duration.ofSeconds(1), Duration.ofSeconds(1));

    assertEquals(20, (double) figures.samples(), 2);
    assertEquals(1000, (double) (figures.samples() + figures.unanswered()), 120);
    assertTrue(figures.p50Micros().isEmpty(), "most requests have no latency");
    assertFalse(figures.within(1e9), "unanswered requests are slower than any limit");
    assertEquals(10, figures.requestsPerSecond(), 1);
  }

  @Test
  void closedLoop_requestsInFlight_waitTheirTurn() {
    PlayedServer server = new PlayedServer(clock, call -> 100 * MICRO);
    Figures figures = Load.closed(server, clock, 10, 4, Duration.ofSeconds(1));

    assertEquals(1000, figures.p50Micros().orElseThrow(), 1);
    assertEquals(1000, figures.p99Micros().orElseThrow(), 1);
    assertEquals(10_000, figures.samples());
    assertEquals(10_000, figures.requestsPerSecond(), 1);
    assertEquals(40_000, figures.rowsPerSecond(), 4);
    assertEquals(10, figures.inFlight());
  }

  @Test
  void refusedRequests_areNotAnswered_andSlowerThanAny() {
    Target refusing = new Refusing(clock, 50);
    Figures figures = Load.open(refusing, clock, 1000, 1, TEN_SECONDS, GRACE);

    assertEquals(figures.samples() / 49.0, (double) figures.unanswered(), 5);
    assertTrue(figures.p50Micros().isPresent());
    assertTrue(figures.p99Micros().isEmpty(), "one of 50 was refused");
  }

  @Test
  void wrongRequests_areTheCallersToKnow() {
    IllegalArgumentException wrong = new IllegalArgumentException("ids");
    Target target =
        new PlayedServer(
            clock,
            call -> {
              clock.pass(MICRO);
              throw wrong;
            });
    assertSame(
        wrong,
        assertThrows(
            IllegalArgumentException.class,
            () -> Load.closed(target, clock, 1, 1, Duration.ofMillis(1))));
    assertSame(
        wrong,
        assertThrows(
            IllegalArgumentException.class,
            () -> Load.open(target, clock, 1000, 1, Duration.ofSeconds(1), GRACE)));
  }

  @Test
  void oneWrongRequestAmongMany_isNoMatterOfLoad_andEndsTheMeasurement() {
    Target target =
        new PlayedServer(
            clock,
            call -> {
              if (call == 5) {
                throw new RequestRefusedException(
                    RequestRefusedException.Reason.QUEUE_FULL, "full");
              }
              if (call == 10) {
                throw new InferenceException("an id that the model does not have");
              }
              return MICRO;
            });
    assertThrows(
        InferenceException.class,
        () -> Load.open(target, clock, 1000, 1, Duration.ofSeconds(1), GRACE));
  }

  @Test
  void timeThatThreadsTakeToStart_isNoRequestsLatency() {
    try (Target target = new Lanes(1, new AtomicInteger())) {
      Figures open = Load.open(target, new SlowStarts(), 1000, 1, TEN_SECONDS, GRACE);
      assertTrue(open.maxMicros() < 1, open::toString);
      Figures closed = Load.closed(target, new SlowStarts(), 8, 1, Duration.ofNanos(1000));
      assertTrue(closed.maxMicros() < 1, closed::toString);
    }
  }

  @Test
  void severalLanes_countEveryAnswerOnce() {
    AtomicInteger calls = new AtomicInteger();
    try (Target target = new Lanes(4, calls)) {
      Figures figures = Load.closed(target, Clock.SYSTEM, 8, 1, Duration.ofMillis(30));
      assertEquals(calls.get(), figures.samples());
      assertEquals(0, figures.unanswered());
    }
  }

  @Test
  void answersFromOtherThreads_areWaitedForAndCounted() {
    ExecutorService others = Executors.newFixedThreadPool(2);
    AtomicInteger calls = new AtomicInteger();
    Target queueing =
        new Lanes(1, calls) {
          @Override
          public void submit(int lane, int rows, Consumer<Throwable> answer) {
            others.execute(
                () -> {
                  call(lane, rows);
                  answer.accept(null);
                });
          }
        };
    Figures figures =
        Load.open(queueing, Clock.SYSTEM, 20_000, 1, Duration.ofMillis(50), Duration.ofMinutes(1));
    others.shutdown();

    assertTrue(figures.samples() > 0, figures::toString);
    assertEquals(calls.get(), figures.samples());
    assertEquals(0, figures.unanswered());
  }

  @Test
  void whatComesTooLate_isUnanswered_andOutOfTheWayOfTheNextMeasurement() {
    ExecutorService queue = Executors.newSingleThreadExecutor();
    AtomicInteger sent = new AtomicInteger();
    AtomicInteger calls = new AtomicInteger();
    Target slow =
        new Lanes(1, calls) {
          @Override
          public void submit(int lane, int rows, Consumer<Throwable> answer) {
            sent.incrementAndGet();
            queue.execute(
                () -> {
                  Clock.SYSTEM.waitUntil(System.nanoTime() + 2_000 * MICRO);
                  call(lane, rows);
                  answer.accept(null);
                });
          }
        };
    Figures figures =
        Load.open(slow, Clock.SYSTEM, 10_000, 1, Duration.ofMillis(20), Duration.ofMillis(1));

    assertTrue(figures.unanswered() > 0, figures::toString);
    assertEquals(sent.get(), calls.get(), "all are through when it returns");
    queue.shutdown();
  }

  /** Time that passes while threads start, a second for each, and a little while they work. */
  private static final class SlowStarts implements Clock {
    private final Set<Thread> started = new HashSet<>();
    private long now;

    @Override
    public synchronized long nanos() {
      now += started.add(Thread.currentThread()) ? SECOND : 1;
      return now;
    }

    @Override
    public synchronized void waitUntil(long nanos) {
      now = Math.max(nanos(), nanos);
    }
  }

  /** Refuses every so many requests. */
  private static final class Refusing implements Target {
    private final PlayedClock clock;
    private final int every;
    private int calls;

    Refusing(PlayedClock clock, int every) {
      this.clock = clock;
      this.every = every;
    }

    @Override
    public int lanes() {
      return 1;
    }

    @Override
    public void call(int lane, int rows) {
      clock.pass(MICRO);
      if (++calls % every == 0) {
        throw new RequestRefusedException(RequestRefusedException.Reason.QUEUE_FULL, "full");
      }
    }

    @Override
    public void close() {}
  }

  /** Counts calls. */
  private static class Lanes implements Target {
    private final int lanes;
    private final AtomicInteger calls;

    Lanes(int lanes, AtomicInteger calls) {
      this.lanes = lanes;
      this.calls = calls;
    }

    @Override
    public int lanes() {
      return lanes;
    }

    @Override
    public void call(int lane, int rows) {
      calls.incrementAndGet();
    }

    @Override
    public void close() {}
  }
}
