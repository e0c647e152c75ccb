package dev.rankrt.streams.internal;

import java.util.concurrent.atomic.AtomicLong;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Lets a native object be used until it is closed, and releases it once: never while a call is
 * using it. Safe for use by several threads, and takes no lock.
 */
final class Guard {
  private static final Logger LOG = LoggerFactory.getLogger(Guard.class);

  /** The sign bit says closed; the low bits count calls in flight. */
  private static final long CLOSED = Long.MIN_VALUE;

  private final AtomicLong state = new AtomicLong();
  private final Object what;
  private final Runnable release;

  Guard(Object what, Runnable release) {
    this.what = what;
    this.release = release;
  }

  /** Begins a call, whose end is {@link #exit}. */
  void enter() {
    long now = state.get();
    while (now >= 0) {
      if (state.compareAndSet(now, now + 1)) {
        return;
      }
      now = state.get();
    }
    throw new IllegalStateException(what + " is closed");
  }

  void exit() {
    if (state.decrementAndGet() == CLOSED) {
      try {
        release.run();
      } catch (RuntimeException e) {
        // Whoever closed is gone, and the call that ends here did nothing wrong.
        LOG.error("Releasing {} failed after its last call", what, e);
      }
    }
  }

  /** Closing again does nothing. While calls are in flight, the last one out releases. */
  void close() {
    if (state.getAndUpdate(now -> now | CLOSED) == 0) {
      release.run();
    }
  }
}
