package dev.rankrt.streams;

import java.util.Optional;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.Consumer;
import org.slf4j.LoggerFactory;

/** Binds threads, and says once if it cannot. Safe for use by several threads. */
final class ThreadBinder {
  private final Affinity affinity;
  private final Consumer<String> log;
  private final AtomicBoolean said = new AtomicBoolean();

  ThreadBinder(Affinity affinity, Consumer<String> log) {
    this.affinity = affinity;
    this.log = log;
  }

  /** The one of this process, so that its log has one line however many threads are started. */
  static ThreadBinder system() {
    return OfThisProcess.BINDER;
  }

  /** Binds the calling thread, unless there are no CPUs to bind it to. */
  void bind(CpuSet cpus) {
    if (cpus.isEmpty()) {
      return;
    }
    Optional<String> refusal = affinity.bind(cpus);
    if (refusal.isPresent() && said.compareAndSet(false, true)) {
      log.accept(
          "Threads are not bound to CPUs, and may run far from their GPU: asked for "
              + cpus
              + "; "
              + refusal.get());
    }
  }

  private static final class OfThisProcess {
    static final ThreadBinder BINDER =
        new ThreadBinder(
            Affinity.system(), LoggerFactory.getLogger(AffinityThreadFactory.class)::warn);
  }
}
