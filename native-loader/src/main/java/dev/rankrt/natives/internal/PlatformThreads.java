package dev.rankrt.natives.internal;

import java.lang.invoke.MethodHandle;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.MethodType;
import java.util.concurrent.FutureTask;
import java.util.concurrent.ThreadFactory;
import java.util.function.Supplier;

/**
 * Tells virtual threads from others, and does for them what needs one that the operating system
 * knows. CUDA's current device is such a thread's, and a virtual thread may go on in another one
 * wherever it waits for a lock or an answer. Safe for use by several threads.
 */
public final class PlatformThreads {
  /** {@code Thread.isVirtual}, which Java 17 does not have; null there. */
  private static final MethodHandle IS_VIRTUAL = isVirtual();

  private PlatformThreads() {}

  /** Tells whether the thread has a carrier that others could use while it waits. */
  public static boolean isVirtual(Thread thread) {
    try {
      return IS_VIRTUAL != null && (boolean) IS_VIRTUAL.invokeExact(thread);
    } catch (Throwable e) {
      throw new AssertionError(e);
    }
  }

  /**
   * Runs something on this thread, or where that is virtual, on a new one that is not, and waits.
   * Locks that a virtual thread holds are not held by the work.
   *
   * @return what the work returned
   */
  public static <T> T call(Supplier<T> work) {
    return isVirtual(Thread.currentThread())
        ? callOn(task -> new Thread(task, "rankrt-for-virtual"), work)
        : work.get();
  }

  /**
   * Runs something on a new thread, and waits. An interrupt reaches neither the wait nor the work;
   * the calling thread's flag stays set.
   *
   * @return what the work returned
   * @throws RuntimeException whatever the work threw, an {@link Error} as well
   */
  public static <T> T callOn(ThreadFactory threads, Supplier<T> work) {
    FutureTask<T> task = new FutureTask<>(work::get);
    threads.newThread(task).start();
    return Uninterruptibly.get(task);
  }

  private static MethodHandle isVirtual() {
    try {
      return MethodHandles.publicLookup()
          .findVirtual(Thread.class, "isVirtual", MethodType.methodType(boolean.class));
    } catch (ReflectiveOperationException e) {
      return null;
    }
  }
}
