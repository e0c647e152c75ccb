package dev.rankrt.examples.bench;

import dev.rankrt.RequestRefusedException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.IntConsumer;
import org.HdrHistogram.ConcurrentHistogram;
import org.HdrHistogram.Histogram;

/**
 * Sends requests to a target, and takes the time of each. One thread at a time.
 *
 * <p>Two kinds of load tell different things. A <em>closed</em> loop keeps a number of requests in
 * flight: a caller that waits for its answer sends nothing meanwhile, so a target that stalls is
 * spared exactly the requests that would have met the stall. An <em>open</em> loop sends at times
 * that were set beforehand, whatever the target does, and each request's latency counts from the
 * time at which it was due: a stall shows in every request that it held up.
 *
 * <p>In both, requests are served in the order in which they came. A target with fewer lanes than
 * requests in flight has them wait in a queue, and that waiting is part of their latency; no
 * thread's wake-up is, other than the target's own.
 */
final class Load {
  private static final int SIGNIFICANT_DIGITS = 3;
  private static final long NANOS = 1_000_000_000;
  private static final long POLL_NANOS = 1_000_000;

  /** Threads that have waited for each other come back within this time. */
  private static final long LEAD_NANOS = 1_000_000;

  private static final Duration LONGEST_DRAIN = Duration.ofSeconds(10);

  private final Target target;
  private final Clock clock;
  private final Histogram nanos = new ConcurrentHistogram(SIGNIFICANT_DIGITS);
  private final AtomicLong unanswered = new AtomicLong();
  private final AtomicReference<Throwable> failure = new AtomicReference<>();

  /** When the threads begin; known once they have. */
  private long start;

  private volatile boolean begun;

  private Load(Target target, Clock clock) {
    this.target = target;
    this.clock = clock;
  }

  /**
   * Keeps a number of requests in flight.
   *
   * @throws RuntimeException a request's failure, unless requests were refused and some answered
   */
  static Figures closed(Target target, Clock clock, int inFlight, int rows, Duration duration) {
    return new Load(target, clock).closed(inFlight, rows, duration);
  }

  /**
   * Sends requests at the times of a Poisson process.
   *
   * @param grace how long after the last arrival requests may still be answered; the others count
   *     as unanswered
   * @throws RuntimeException a request's failure, unless requests were refused and some answered
   */
  static Figures open(
      Target target, Clock clock, double perSecond, int rows, Duration duration, Duration grace) {
    return new Load(target, clock).open(perSecond, rows, duration, grace);
  }

  private Figures closed(int inFlight, int rows, Duration duration) {
    Queue<Long> sentAt = new ConcurrentLinkedQueue<>();
    for (int i = 0; i < inFlight; i++) {
      sentAt.add(Long.MIN_VALUE); // at the start
    }
    AtomicLong lastAnswer = new AtomicLong(Long.MIN_VALUE);
    onThreads(
        Math.min(inFlight, target.lanes()),
        lane -> {
          long end = start + duration.toNanos();
          clock.waitUntil(start);
          // Never empty: there are at least as many requests as lanes, and a lane takes one.
          for (long now = start; now < end; ) {
            long sent = Math.max(start, sentAt.remove());
            boolean answered = succeeds(() -> target.call(lane, rows));
            now = clock.nanos();
            if (answered) {
              nanos.recordValue(now - sent);
            }
            sentAt.add(now);
          }
          lastAnswer.accumulateAndGet(clock.nanos(), Math::max);
        });
    requireNoFailure();
    double seconds = (lastAnswer.get() - start) / (double) NANOS;
    return Figures.of(nanos, unanswered.get(), Figures.Kind.CLOSED, inFlight, 0, rows, seconds);
  }

  private Figures open(double perSecond, int rows, Duration duration, Duration grace) {
    Arrivals arrivals = new Arrivals(perSecond, Double.doubleToLongBits(perSecond));
    AtomicLong inside = new AtomicLong();
    onThreads(
        target.submitters(),
        lane -> {
          long end = start + duration.toNanos();
          long deadline = end + grace.toNanos();
          for (long due = start + arrivals.next(); due < end; due = start + arrivals.next()) {
            clock.waitUntil(due);
            if (clock.nanos() > deadline) {
              unanswered.incrementAndGet();
              continue;
            }
            submit(lane, rows, due, inside);
          }
        });
    waitWhileAny(inside, start + duration.plus(grace).toNanos());
    double seconds = Math.max(duration.toNanos(), clock.nanos() - start) / (double) NANOS;
    unanswered.addAndGet(inside.get());
    requireNoFailure();
    Figures figures =
        Figures.of(nanos.copy(), unanswered.get(), Figures.Kind.OPEN, 0, perSecond, rows, seconds);
    // What still waits in the target's own queue is not for the next measurement to wait behind.
    waitWhileAny(inside, clock.nanos() + LONGEST_DRAIN.toNanos());
    return figures;
  }

  /**
   * A method of its own, which stays compiled from one load to the next: the code of a loop that
   * was compiled while it ran is thrown away at its end.
   */
  private void submit(int lane, int rows, long due, AtomicLong inside) {
    inside.incrementAndGet();
    boolean sent =
        succeeds(
            () ->
                target.submit(
                    lane,
                    rows,
                    problem -> {
                      if (problem == null) {
                        nanos.recordValue(clock.nanos() - due);
                      } else {
                        failed(problem);
                      }
                      inside.decrementAndGet();
                    }));
    if (!sent) {
      inside.decrementAndGet();
    }
  }

  private void waitWhileAny(AtomicLong inside, long deadline) {
    while (inside.get() > 0 && clock.nanos() < deadline) {
      clock.waitUntil(clock.nanos() + POLL_NANOS);
    }
  }

  private boolean succeeds(Runnable call) {
    try {
      call.run();
      return true;
    } catch (RuntimeException e) {
      failed(e);
      return false;
    }
  }

  private void failed(Throwable problem) {
    unanswered.incrementAndGet();
    failure.accumulateAndGet(
        problem, (first, next) -> first == null || isRefusal(first) ? next : first);
  }

  /**
   * Refusals are a target's answer to too much load; what fails otherwise is nothing to measure.
   */
  private void requireNoFailure() {
    Throwable problem = failure.get();
    if (problem != null && (nanos.getTotalCount() == 0 || !isRefusal(problem))) {
      throw problem instanceof RuntimeException wrong
          ? wrong
          : new IllegalStateException("a request failed: " + problem, problem);
    }
  }

  private static boolean isRefusal(Throwable problem) {
    return problem instanceof RequestRefusedException;
  }

  /**
   * Does something on several threads, which begin together: one that starts after its first
   * request was due would send all that it has missed at once.
   */
  private void onThreads(int count, IntConsumer work) {
    AtomicInteger missing = new AtomicInteger(count);
    AtomicReference<Throwable> broken = new AtomicReference<>();
    List<Thread> threads = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      int lane = i;
      Thread thread =
          new Thread(
              () -> {
                begin(missing);
                work.accept(lane);
              },
              "load-" + lane);
      thread.setDaemon(true);
      thread.setUncaughtExceptionHandler((ignored, problem) -> broken.compareAndSet(null, problem));
      threads.add(thread);
    }
    try {
      threads.forEach(Thread::start);
    } catch (OutOfMemoryError e) {
      missing.set(-1); // or those that did start would wait for ever
      throw e;
    }
    try {
      for (Thread thread : threads) {
        thread.join();
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IllegalStateException("interrupted while measuring", e);
    }
    if (broken.get() instanceof OutOfMemoryError tooMuch) {
      throw tooMuch;
    }
    if (broken.get() != null) {
      throw new IllegalStateException("the load generator broke: " + broken.get(), broken.get());
    }
  }

  /** Waits for the other threads. */
  @SuppressWarnings("ThreadPriorityCheck") // one that slept would have to be woken, and be late
  private void begin(AtomicInteger missing) {
    if (missing.decrementAndGet() == 0) {
      start = clock.nanos() + LEAD_NANOS;
      begun = true;
    }
    while (!begun) {
      if (missing.get() < 0) {
        throw new IllegalStateException("other threads could not be started");
      }
      Thread.yield();
    }
  }
}
