package dev.rankrt.internal.tensorrt;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.LockSupport;

/** Threads that ask for something all at once, and when they do. */
final class Callers {
  private static final long LEAD_NANOS = 5_000_000;

  private Callers() {}

  /** What a thread does. */
  interface Numbered {
    void run(int number) throws Exception;
  }

  /** Does something on so many threads at once, and fails if it failed on any. */
  static void onThreads(int count, Numbered work) throws InterruptedException {
    ConcurrentLinkedQueue<Throwable> failures = new ConcurrentLinkedQueue<>();
    List<Thread> threads = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      int number = i;
      Thread thread =
          new Thread(
              () -> {
                try {
                  work.run(number);
                } catch (Throwable e) {
                  failures.add(e);
                }
              },
              "load " + i);
      threads.add(thread);
      thread.start();
    }
    for (Thread thread : threads) {
      thread.join();
    }
    if (!failures.isEmpty()) {
      throw new IllegalStateException(failures.size() + " threads failed", failures.peek());
    }
  }

  /** What a thread does from a time on that all share. */
  interface Scheduled {
    void run(int number, long began) throws Exception;
  }

  /**
   * Does something on so many threads, for which time begins soon after the last of them runs. One
   * that starts after its first request was due sends all that it has missed at once, and a queue
   * that is nearly full then needs many times as long to recover.
   */
  static void together(int count, Scheduled work) throws InterruptedException {
    AtomicInteger missing = new AtomicInteger(count);
    AtomicLong time = new AtomicLong();
    onThreads(
        count,
        number -> {
          if (missing.decrementAndGet() == 0) {
            time.set(System.nanoTime() + LEAD_NANOS);
          }
          work.run(number, awaitSet(time));
        });
  }

  @SuppressWarnings("ThreadPriorityCheck") // one that slept would have to be woken, and be late
  private static long awaitSet(AtomicLong time) {
    while (time.get() == 0) {
      Thread.yield();
    }
    return time.get();
  }

  /** Sleeps through most of a long wait, and spins through the end, which a sleep would miss. */
  static void awaitTime(long time) {
    for (long left; (left = time - System.nanoTime()) > 0; ) {
      if (left > 300_000) {
        LockSupport.parkNanos(left - 200_000);
      } else {
        Thread.onSpinWait();
      }
    }
  }

  /** Returns the nanoseconds to the next arrival of a Poisson process. */
  static long untilNext(double rate) {
    return (long) (-Math.log(1 - ThreadLocalRandom.current().nextDouble()) / rate * 1e9);
  }
}
