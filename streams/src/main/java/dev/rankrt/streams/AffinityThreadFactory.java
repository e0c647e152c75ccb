package dev.rankrt.streams;

import dev.rankrt.natives.internal.PlatformThreads;
import java.util.Objects;
import java.util.concurrent.ThreadFactory;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Supplier;

/**
 * Makes threads that run on chosen CPUs. Safe for use by several threads.
 *
 * <p>Its threads are daemons, so that a pool that was not shut down does not keep the process
 * alive. A thread that one of them starts inherits its CPUs. Where threads cannot be bound they run
 * anywhere, and the log says so once.
 *
 * <pre>{@code
 * CpuSet near = AffinityPolicy.gpuNode().cpus(NumaTopology.system(), "0000:3b:00.0");
 * ExecutorService workers =
 *     Executors.newFixedThreadPool(8, new AffinityThreadFactory("ranker-", near));
 * }</pre>
 */
public final class AffinityThreadFactory implements ThreadFactory {
  private final String namePrefix;
  private final CpuSet cpus;
  private final ThreadBinder binder;
  private final AtomicLong threads = new AtomicLong();

  /**
   * Creates a factory.
   *
   * @param namePrefix what the threads' names begin with; a number follows
   * @param cpus where the threads run, as {@link AffinityPolicy#cpus} gives it; empty for anywhere
   */
  public AffinityThreadFactory(String namePrefix, CpuSet cpus) {
    this(namePrefix, cpus, ThreadBinder.system());
  }

  AffinityThreadFactory(String namePrefix, CpuSet cpus, ThreadBinder binder) {
    this.namePrefix = Objects.requireNonNull(namePrefix, "namePrefix");
    this.cpus = Objects.requireNonNull(cpus, "cpus");
    this.binder = binder;
  }

  /**
   * Makes a thread that binds itself to the CPUs before it runs its task.
   *
   * @param task what the thread runs
   * @return a daemon thread, not started
   */
  @Override
  public Thread newThread(Runnable task) {
    Objects.requireNonNull(task, "task");
    Thread thread =
        new Thread(
            () -> {
              binder.bind(cpus);
              task.run();
            },
            namePrefix + threads.incrementAndGet());
    thread.setDaemon(true);
    return thread;
  }

  /**
   * Runs a task on a new thread of this factory and waits for it. Memory that the task is the first
   * to touch, or that it pins, comes from the NUMA node of these CPUs.
   *
   * <p>An interrupt does not cut the wait short, because what the task allocates would be lost; the
   * interrupt flag stays set. What belongs to the calling thread, such as its current CUDA device,
   * is not the new thread's.
   *
   * @param <T> what the task gives
   * @param task what to run
   * @return what the task returned
   * @throws RuntimeException whatever the task threw, an {@link Error} as well
   */
  public <T> T call(Supplier<T> task) {
    return PlatformThreads.callOn(this, Objects.requireNonNull(task, "task"));
  }
}
