package dev.rankrt.internal;

import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

class PaceTest {
  /** Keeps the thread busy, and returns for how long. */
  private static long work() {
    long start = System.nanoTime();
    while (System.nanoTime() - start < TimeUnit.MILLISECONDS.toNanos(1)) {
      Thread.onSpinWait();
    }
    return System.nanoTime() - start;
  }

  private static long restNanos() {
    long start = System.nanoTime();
    Pace.rest();
    return System.nanoTime() - start;
  }

  @Test
  void gentleWork_restsManyTimesAsLongAsEachPiece() {
    Pace.run(
        true,
        () -> {
          for (int piece = 0; piece < 3; piece++) {
            long worked = work();
            assertTrue(restNanos() >= 19 * worked);
          }
        });
  }

  @Test
  void gentleWork_interrupted_goesOnAndKeepsTheFlag() {
    Pace.run(
        true,
        () -> {
          Thread.currentThread().interrupt();
          work();
          Pace.rest();
          assertTrue(Thread.interrupted());
        });
  }
}
