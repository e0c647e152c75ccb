package dev.rankrt.streams.internal;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

class GuardTest {
  private final AtomicInteger releases = new AtomicInteger();
  private final Guard guard = new Guard("the stream", releases::incrementAndGet);

  @Test
  void close_unused_releasesOnce() {
    guard.close();
    guard.close();
    assertEquals(1, releases.get());
  }

  @Test
  void close_duringCalls_leavesTheReleaseToTheLastOneOut() {
    guard.enter();
    guard.enter();
    guard.close();
    guard.exit();
    assertEquals(0, releases.get());
    guard.exit();
    assertEquals(1, releases.get());
    guard.close();
    assertEquals(1, releases.get());
  }

  @Test
  void enter_closed_isRefusedByName() {
    guard.close();
    IllegalStateException refused = assertThrows(IllegalStateException.class, guard::enter);
    assertEquals("the stream is closed", refused.getMessage());
    guard.close();
    assertEquals(1, releases.get());
  }

  @Test
  void release_thatFails_isTheClosersToKnowAndNotTheLastCallers() {
    Guard failing =
        new Guard(
            "the stream",
            () -> {
              releases.incrementAndGet();
              throw new IllegalArgumentException("no");
            });
    failing.enter();
    failing.close();
    failing.exit();
    assertEquals(1, releases.get());

    Guard idle = new Guard("the stream", () -> Integer.parseInt("no"));
    assertThrows(NumberFormatException.class, idle::close);
    idle.close();
  }

  @Test
  @Timeout(20)
  void usersAndClosers_together_releaseOnceAndNeverDuringUse() throws Exception {
    int users = 3;
    int closers = 2;
    for (int round = 0; round < 300; round++) {
      AtomicInteger inside = new AtomicInteger();
      AtomicInteger released = new AtomicInteger();
      AtomicBoolean duringUse = new AtomicBoolean();
      Guard raced =
          new Guard(
              "the stream",
              () -> {
                released.incrementAndGet();
                duringUse.compareAndSet(false, inside.get() != 0);
              });
      CyclicBarrier start = new CyclicBarrier(users + closers);
      List<Thread> threads = new ArrayList<>();
      for (int i = 0; i < users + closers; i++) {
        boolean closer = i < closers;
        Thread thread =
            new Thread(
                () -> {
                  awaitUnchecked(start);
                  if (closer) {
                    raced.close();
                    return;
                  }
                  try {
                    while (true) {
                      raced.enter();
                      inside.incrementAndGet();
                      inside.decrementAndGet();
                      raced.exit();
                    }
                  } catch (IllegalStateException closed) {
                    // The end of every user.
                  }
                });
        threads.add(thread);
        thread.start();
      }
      for (Thread thread : threads) {
        thread.join();
      }
      assertEquals(1, released.get());
      assertFalse(duringUse.get());
    }
  }

  private static void awaitUnchecked(CyclicBarrier barrier) {
    try {
      barrier.await();
    } catch (Exception e) {
      throw new IllegalStateException(e);
    }
  }
}
