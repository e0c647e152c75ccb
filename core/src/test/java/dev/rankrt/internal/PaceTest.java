package dev.rankrt.internal;

import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;

class PaceTest {
  /** Keeps the thread busy, and returns for how long. */
  private static long work() {
    long start = System.nanoTime();
    while (System.nanoTime() - start < millis(1)) {
      Thread.onSpinWait();
    }
    return System.nanoTime() - start;
  }

  private static long nanosOf(Runnable rest) {
    long start = System.nanoTime();
    rest.run();
    return System.nanoTime() - start;
  }

  private static long millis(long millis) {
    return TimeUnit.MILLISECONDS.toNanos(millis);
  }

  @Test
  void gentleWork_restsManyTimesAsLongAsEachPiece() {
    Pace.run(
        () -> true,
        () -> {
          for (int piece = 0; piece < 3; piece++) {
            long worked = work();
            assertTrue(nanosOf(Pace::rest) >= Math.min(45 * worked, millis(900)));
          }
          long worked = work();
          assertTrue(nanosOf(Pace::restLong) >= Math.min(150 * worked, millis(1500)));
        });
  }

  @Test
  void gentleWork_thatNobodyIsLeftToBeGentleTo_restsNoMore() {
    AtomicInteger asked = new AtomicInteger();
    Pace.run(
        () -> asked.incrementAndGet() == 1,
        () -> {
          for (int piece = 0; piece < 5; piece++) {
            work();
            Pace.restLong();
          }
        });
    // Once by each, and once more by the first, unless it overslept.
    assertTrue(asked.get() == 5 || asked.get() == 6, asked::toString);
  }

  @Test
  void gentleWork_interrupted_goesOnAndKeepsTheFlag() {
    Pace.run(
        () -> true,
        () -> {
          Thread.currentThread().interrupt();
          work();
          Pace.rest();
          assertTrue(Thread.interrupted());
        });
  }

  @Test
  void otherWork_doesNotRest() {
    Pace.run(
        () -> false,
        () -> {
          for (int i = 0; i < 10; i++) { // enough for a rest that nobody could miss
            work();
          }
          assertTrue(nanosOf(Pace::restLong) < millis(200));
        });
    Pace.rest(); // nor any that was not asked
  }
}
