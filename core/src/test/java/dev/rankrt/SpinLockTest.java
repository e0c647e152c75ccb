package dev.rankrt;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

class SpinLockTest {
  private static final int THREADS = 8;
  private static final int TIMES = 20_000;

  private final SpinLock lock = new SpinLock();
  private int count;

  @Test
  @Timeout(value = 60, unit = TimeUnit.SECONDS)
  void threads_ofWhichThereAreMoreThanCores_excludeEachOther() throws Exception {
    List<Thread> threads = new ArrayList<>();
    for (int i = 0; i < THREADS; i++) {
      threads.add(new Thread(this::countUp));
    }
    threads.forEach(Thread::start);
    for (Thread thread : threads) {
      thread.join();
    }
    assertEquals(THREADS * TIMES, count);
  }

  private void countUp() {
    for (int i = 0; i < TIMES; i++) {
      lock.lock();
      try {
        count++;
      } finally {
        lock.unlock();
      }
    }
  }
}
