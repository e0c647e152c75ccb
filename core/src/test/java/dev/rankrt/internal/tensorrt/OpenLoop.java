package dev.rankrt.internal.tensorrt;

import dev.rankrt.RequestRefusedException;
import java.util.concurrent.atomic.LongAdder;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BiConsumer;
import java.util.function.DoublePredicate;
import org.HdrHistogram.Histogram;

/**
 * Requests that are sent at random times, whatever comes back, and what came of them. Latency
 * counts from the time that a request was due.
 */
final class OpenLoop {
  /** By which latencies are told apart as well. */
  static final double SLICE_SECONDS = 0.5;

  final Latencies accepted = new Latencies();
  final Latencies refused = new Latencies();
  final LongAdder failed = new LongAdder();
  final LongAdder sent = new LongAdder();

  /** How far the threads that send are behind their schedule, which latency includes. */
  final Latencies late = new Latencies();

  /** Sends a request and says what became of it. */
  interface Sender {
    void send(int number, BiConsumer<float[], Throwable> done);
  }

  /**
   * Sends requests from several threads until it is told not to, and waits for the answers.
   *
   * @param rate requests a second
   * @param goesOn told the seconds since it began at which a request would be due
   */
  static OpenLoop run(Sender send, int threads, double rate, DoublePredicate goesOn)
      throws InterruptedException {
    OpenLoop loop = new OpenLoop();
    Callers.together(
        threads,
        (thread, began) -> {
          long due = began;
          for (int i = thread; ; i = i + 1 & Integer.MAX_VALUE) {
            due += Callers.untilNext(rate / threads);
            double seconds = (due - began) / 1e9;
            if (!goesOn.test(seconds)) {
              return;
            }
            Callers.awaitTime(due);
            loop.send(send, i, due, (int) (seconds / SLICE_SECONDS));
          }
        });
    loop.awaitAll();
    return loop;
  }

  /**
   * A method of its own, which stays compiled from one loop to the next: the code of a loop that
   * was compiled while it ran is thrown away at its end.
   */
  private void send(Sender send, int number, long due, int slice) {
    long called = System.nanoTime();
    sent.increment();
    late.record(called - due);
    send.send(number, (scores, failure) -> done(failure, due, slice, called));
  }

  /** Sends requests for some seconds. */
  static OpenLoop run(Sender send, int threads, double rate, double seconds)
      throws InterruptedException {
    return run(send, threads, rate, due -> due < seconds);
  }

  private void done(Throwable failure, long due, int slice, long called) {
    long now = System.nanoTime();
    if (failure == null) {
      accepted.record(now - due, slice);
    } else if (failure instanceof RequestRefusedException) {
      refused.record(now - called);
    } else {
      failed.increment();
    }
  }

  /** Returns the latencies of all, with one beyond any limit for each that was not answered. */
  Histogram ofAll() {
    Histogram all = accepted.merged();
    long missing = sent.sum() - all.getTotalCount();
    if (missing > 0) {
      all.recordValueWithCount(all.getHighestTrackableValue(), missing);
    }
    return all;
  }

  private void awaitAll() {
    long limit = System.nanoTime() + 30_000_000_000L;
    while (accepted.count() + refused.count() + failed.sum() < sent.sum()) {
      if (System.nanoTime() > limit) {
        throw new IllegalStateException("answers are missing");
      }
      LockSupport.parkNanos(100_000);
    }
  }
}
