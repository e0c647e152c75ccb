package dev.rankrt.internal.tensorrt;

import static org.bytedeco.tensorrt.global.nvinfer.createInferBuilder;

import dev.rankrt.natives.internal.Cuda;
import dev.rankrt.natives.internal.NativeObjects;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Function;
import org.bytedeco.tensorrt.nvinfer.IBuilder;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * TensorRT's builder, of which a process has one, while something is built. Safe for use by several
 * threads, one of which builds at a time; a builder is not made for more, and two builds would
 * disturb each other's timings.
 *
 * <p>It is freed when nobody waits for it, before what was built serves: under load that takes six
 * seconds, in which requests are late by ten milliseconds and more. Creating one takes five. Who
 * builds many models, and serves none meanwhile, keeps it for so many seconds after each by the
 * system property {@value #KEPT_SECONDS}.
 */
final class Builders {
  private static final Logger log = LoggerFactory.getLogger(Builders.class);

  static final String KEPT_SECONDS = "dev.rankrt.tensorrt.builderSeconds";

  private static final Builders PROCESS = new Builders();

  private IBuilder builder;
  private int ordinal;

  /** Changed by who holds the lock. */
  private volatile long uses;

  /** Taken after the plan cache's lock, and held while a plan is built. */
  private final ReentrantLock lock = new ReentrantLock();

  private Builders() {}

  /** Returns those of this process. */
  static Builders ofProcess() {
    return PROCESS;
  }

  /**
   * Runs something with the builder of the current device.
   *
   * @param work must not keep the builder
   * @throws dev.rankrt.natives.NativeLoadException if TensorRT cannot build here, with the reason
   * @throws IllegalArgumentException if the system property is no number
   */
  <T> T with(TensorRt tensorRt, Cuda.DeviceProperties gpu, Function<IBuilder, T> work) {
    if (lock.isHeldByCurrentThread()) {
      throw new IllegalStateException("a build listener must not open engines: one is being built");
    }
    long keptSeconds = keptSeconds();
    lock.lock();
    try {
      if (builder != null && ordinal != gpu.ordinal()) {
        release(tensorRt);
      }
      if (builder == null) {
        builder = create(tensorRt, gpu);
        ordinal = gpu.ordinal();
      }
      try {
        return work.apply(builder);
      } finally {
        long use = uses + 1;
        uses = use;
        if (keptSeconds > 0) {
          later(keptSeconds, () -> releaseAfter(tensorRt, use));
        } else if (!lock.hasQueuedThreads()) {
          release(tensorRt);
        }
      }
    } finally {
      lock.unlock();
    }
  }

  static long keptSeconds() {
    String value = System.getProperty(KEPT_SECONDS, "0");
    try {
      return Long.parseLong(value.trim());
    } catch (NumberFormatException e) {
      throw new IllegalArgumentException(
          "system property " + KEPT_SECONDS + " must be a number of seconds: " + value, e);
    }
  }

  /**
   * Runs something later, on a thread of its own: it takes seconds, and leaves its device current,
   * where the JVM's common pool is for tasks of anybody's that take device 0 for the one they have.
   */
  static void later(long seconds, Runnable task) {
    CompletableFuture.delayedExecutor(
            seconds, TimeUnit.SECONDS, work -> new Thread(work, "rankrt-builder-release").start())
        .execute(task);
  }

  private void releaseAfter(TensorRt tensorRt, long use) {
    // Whoever is building sees to it afterwards, and need not be waited for, which takes minutes.
    // One that is too early leaves the lock to the last, which would find it taken and go.
    if (use == uses && lock.tryLock()) {
      try {
        if (use == uses && builder != null) {
          release(tensorRt);
        }
      } finally {
        lock.unlock();
      }
    }
  }

  /** Frees the builder, and its GPU memory, a gigabyte and more, with it. */
  private void release(TensorRt tensorRt) {
    IBuilder unused = builder;
    builder = null;
    try {
      tensorRt
          .cuda()
          .onDevice(
              ordinal,
              () -> {
                NativeObjects.destroy(unused);
                return null;
              });
    } catch (RuntimeException e) {
      log.warn("TensorRT's builder could not be freed", e);
    }
  }

  private static IBuilder create(TensorRt tensorRt, Cuda.DeviceProperties gpu) {
    tensorRt.natives().loadForBuilding();
    try (Messages messages = new Messages(tensorRt.log())) {
      IBuilder created = createInferBuilder(tensorRt.log());
      if (created == null || created.isNull()) {
        throw tensorRt.natives().explainNullBuilder(gpu, messages.lines());
      }
      return created;
    }
  }
}
