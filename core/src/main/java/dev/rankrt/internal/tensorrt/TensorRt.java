package dev.rankrt.internal.tensorrt;

import dev.rankrt.natives.LoadOptions;
import dev.rankrt.natives.internal.Cuda;
import dev.rankrt.natives.internal.Natives;
import dev.rankrt.natives.internal.PlatformThreads;
import java.util.function.Supplier;

/**
 * TensorRT and CUDA, loaded into this process. Safe for use by several threads.
 *
 * @param natives the libraries
 * @param log the one logger that TensorRT knows
 */
record TensorRt(Natives natives, TensorRtLog log) {

  /** Created once, when TensorRT's classes can be initialised. */
  private static final class Holder {
    static final TensorRtLog LOG = detached(TensorRtLog::new);
  }

  /**
   * Returns the loaded libraries, loading them first if nobody has.
   *
   * @throws dev.rankrt.natives.NativeLoadException if they cannot be loaded
   */
  static TensorRt load() {
    Natives natives = Natives.load(LoadOptions.defaults());
    return new TensorRt(natives, Holder.LOG);
  }

  Cuda cuda() {
    return natives.cuda();
  }

  String version() {
    return natives.info().tensorRt();
  }

  /**
   * Creates an object that owns native memory where no {@code PointerScope} of the caller's is
   * open: it would adopt the object, and free it at its end. Scopes belong to threads, so a thread
   * of our own has none.
   */
  private static <T> T detached(Supplier<T> factory) {
    return PlatformThreads.callOn(task -> new Thread(task, "rankrt-tensorrt-log"), factory);
  }
}
