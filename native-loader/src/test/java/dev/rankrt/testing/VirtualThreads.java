package dev.rankrt.testing;

import java.lang.invoke.MethodHandle;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.MethodType;

/** Starts virtual threads, which came with Java 21: not in the Java of these sources. */
public final class VirtualThreads {
  private static final MethodHandle START = startVirtualThread();

  private VirtualThreads() {}

  /** Starts work on a new virtual thread. */
  public static Thread start(Runnable work) throws Throwable {
    return (Thread) START.invokeExact(work);
  }

  private static MethodHandle startVirtualThread() {
    try {
      return MethodHandles.publicLookup()
          .findStatic(
              Thread.class,
              "startVirtualThread",
              MethodType.methodType(Thread.class, Runnable.class));
    } catch (ReflectiveOperationException e) {
      throw new ExceptionInInitializerError(e);
    }
  }
}
