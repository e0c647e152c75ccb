package dev.rankrt.natives.internal;

import java.util.concurrent.atomic.AtomicLong;

/**
 * Decides when one native thing is released: once, and never while a call is using it. Safe for use
 * by several threads.
 *
 * <p>Every use sits between {@link #enter} and {@link #exit}. Closing refuses new uses; if none is
 * in flight it releases, otherwise the last one out does. The thing counts as released even when
 * its release fails: nobody can know how far a failed free got, so it is never tried again.
 */
public final class NativeHandle implements AutoCloseable {
  /** The sign bit says closed; the rest counts calls in flight. */
  private static final long CLOSED = Long.MIN_VALUE;

  private final AtomicLong state = new AtomicLong();
  private final String what;
  private final Runnable release;
  private volatile boolean released;

  /**
   * Creates an open handle.
   *
   * @param what the name that messages use, such as {@code engine 'ranker'}
   * @param release frees the thing; runs once, on the thread that closes or that leaves last
   */
  public NativeHandle(String what, Runnable release) {
    this.what = what;
    this.release = release;
  }

  /**
   * Begins a use.
   *
   * @throws IllegalStateException if the handle is closed
   */
  public void enter() {
    if (!tryEnter()) {
      throw new IllegalStateException(what + " is closed");
    }
  }

  /** Begins a use, or returns false if the handle is closed. */
  public boolean tryEnter() {
    for (; ; ) {
      long s = state.get();
      if (s < 0) {
        return false;
      }
      if (state.compareAndSet(s, s + 1)) {
        return true;
      }
    }
  }

  /** Ends a use. The last one out of a closed handle releases it. */
  public void exit() {
    long s;
    do {
      s = state.get();
      if ((s & ~CLOSED) == 0) {
        throw new IllegalStateException(what + ": exit without enter");
      }
    } while (!state.compareAndSet(s, s - 1));
    if (s - 1 == CLOSED) {
      runRelease();
    }
  }

  /** Refuses new uses, and releases once none is in flight. Closing again does nothing. */
  @Override
  public void close() {
    if (state.getAndUpdate(s -> s | CLOSED) == 0) {
      runRelease();
    }
  }

  private void runRelease() {
    released = true;
    release.run();
  }

  @Override
  public String toString() {
    long s = state.get();
    long inFlight = s & ~CLOSED;
    String status = s >= 0 ? "open" : released ? "released" : "closing";
    return what + " (" + status + ", " + inFlight + " calls in flight)";
  }
}
