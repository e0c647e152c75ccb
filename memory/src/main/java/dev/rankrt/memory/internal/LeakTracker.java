package dev.rankrt.memory.internal;

import dev.rankrt.memory.LeakDetection;
import java.lang.ref.PhantomReference;
import java.lang.ref.Reference;
import java.lang.ref.ReferenceQueue;
import java.util.Set;
import java.util.concurrent.ThreadLocalRandom;
import java.util.function.Consumer;

/**
 * Remembers where leases were acquired and notices those that were collected open. Safe for use by
 * several threads.
 */
final class LeakTracker {
  /** As {@link LeakDetection#SAMPLED} promises. */
  private static final int SAMPLE = 128;

  /** A trace starts below the pool, at the code that asked it. */
  private static final Set<String> OWN_CLASSES =
      Set.of(LeakTracker.class.getName(), Pool.class.getName());

  private final ReferenceQueue<Lease> collected = new ReferenceQueue<>();
  private final LeakDetection detection;

  LeakTracker(LeakDetection detection) {
    this.detection = detection;
  }

  /** Returns the trace of a new lease, or null where this one is not tracked. */
  Trace track(Lease lease, String holder, long bytes) {
    boolean tracked =
        switch (detection) {
          case OFF -> false;
          case SAMPLED -> ThreadLocalRandom.current().nextInt(SAMPLE) == 0;
          case ALWAYS -> true;
        };
    return tracked ? new Trace(lease, holder, bytes, collected) : null;
  }

  /** Hands over every lease that was collected open since the last call. */
  void report(Consumer<Trace> leaked) {
    for (Reference<?> found = collected.poll(); found != null; found = collected.poll()) {
      leaked.accept((Trace) found);
    }
  }

  /** Where and for whom a lease was acquired; says nothing that keeps the lease reachable. */
  static final class Trace extends PhantomReference<Lease> {
    final String holder;
    final long bytes;
    final Throwable origin;

    Trace(Lease lease, String holder, long bytes, ReferenceQueue<Lease> queue) {
      super(lease, queue);
      this.holder = holder;
      this.bytes = bytes;
      this.origin =
          new Throwable(
              "acquired for '" + holder + "' by thread '" + Thread.currentThread().getName() + "'");
    }

    /** Returns the line of code that asked the pool. */
    String place() {
      for (StackTraceElement frame : origin.getStackTrace()) {
        String owner = frame.getClassName();
        if (OWN_CLASSES.stream()
            .noneMatch(own -> owner.equals(own) || owner.startsWith(own + "$"))) {
          return frame.toString();
        }
      }
      return "an unknown place";
    }
  }
}
