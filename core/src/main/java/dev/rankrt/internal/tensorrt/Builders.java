package dev.rankrt.internal.tensorrt;

import static org.bytedeco.tensorrt.global.nvinfer.createInferBuilder;

import dev.rankrt.natives.internal.Cuda;
import dev.rankrt.natives.internal.NativeObjects;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.function.BiConsumer;
import java.util.function.Function;
import org.bytedeco.tensorrt.nvinfer.IBuilder;
import org.bytedeco.tensorrt.nvinfer.ILogger.Severity;

/**
 * TensorRT's builder, kept for a while after its last use: creating one takes five seconds, and who
 * builds one model often builds the next. Safe for use by several threads, one of which builds at a
 * time; a builder is not made for more, and two builds would disturb each other's timings.
 */
final class Builders {
  private static final long KEPT_SECONDS = 20;

  private static final Builders PROCESS = new Builders();

  private IBuilder builder;
  private int ordinal;
  private long uses;

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
   */
  synchronized <T> T with(
      TensorRt tensorRt, Cuda.DeviceProperties gpu, Function<IBuilder, T> work) {
    if (builder != null && ordinal != gpu.ordinal()) {
      release();
    }
    if (builder == null) {
      builder = create(tensorRt, gpu);
      ordinal = gpu.ordinal();
    }
    try {
      return work.apply(builder);
    } finally {
      long use = ++uses;
      CompletableFuture.delayedExecutor(KEPT_SECONDS, TimeUnit.SECONDS)
          .execute(() -> releaseAfter(tensorRt, use));
    }
  }

  /** Frees the builder now, and its GPU memory, a gigabyte and more, with it. */
  synchronized void releaseNow(TensorRt tensorRt) {
    releaseAfter(tensorRt, uses);
  }

  private synchronized void releaseAfter(TensorRt tensorRt, long use) {
    if (use == uses && builder != null) {
      tensorRt.onDevice(
          ordinal,
          () -> {
            release();
            return null;
          });
    }
  }

  private void release() {
    NativeObjects.destroy(builder);
    builder = null;
  }

  private static IBuilder create(TensorRt tensorRt, Cuda.DeviceProperties gpu) {
    tensorRt.natives().loadForBuilding();
    List<String> lines = Collections.synchronizedList(new ArrayList<>());
    BiConsumer<Severity, String> collector =
        (severity, message) -> {
          if (severity.value <= Severity.kWARNING.value) {
            lines.add(message);
          }
        };
    tensorRt.log().add(collector);
    try {
      IBuilder created = createInferBuilder(tensorRt.log());
      if (created == null || created.isNull()) {
        throw tensorRt.natives().explainNullBuilder(gpu, List.copyOf(lines));
      }
      return created;
    } finally {
      tensorRt.log().remove(collector);
    }
  }
}
