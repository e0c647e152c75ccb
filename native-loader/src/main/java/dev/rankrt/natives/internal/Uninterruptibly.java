package dev.rankrt.natives.internal;

import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;

/** Waiting that an interrupt does not cut short. Safe for use by several threads. */
public final class Uninterruptibly {
  private Uninterruptibly() {}

  /**
   * Waits for a task that throws no checked exception, because leaving early would lose what it is
   * about to allocate. An interrupt is not lost: the thread's flag stays set.
   *
   * @return what the task returned
   * @throws RuntimeException whatever the task threw, an {@link Error} as well: its stack says
   *     where in the task it happened
   */
  public static <T> T get(Future<T> task) {
    boolean interrupted = false;
    try {
      while (true) {
        try {
          return task.get();
        } catch (InterruptedException e) {
          interrupted = true;
        }
      }
    } catch (ExecutionException e) {
      if (e.getCause() instanceof Error error) {
        throw error;
      }
      throw (RuntimeException) e.getCause();
    } finally {
      if (interrupted) {
        Thread.currentThread().interrupt();
      }
    }
  }
}
