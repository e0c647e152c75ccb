package dev.rankrt.natives;

import dev.rankrt.natives.internal.Natives;

/**
 * CUDA and TensorRT, loaded into this process. Safe for use by several threads.
 *
 * <p>Libraries are loaded once per process and stay until it ends: the first call decides, and
 * every later call gets the same answer, or the same failure again. Engines call this themselves;
 * call it first to choose other {@linkplain LoadOptions places}, or to fail early.
 */
public final class NativeRuntime {
  private final Natives natives;

  private NativeRuntime(Natives natives) {
    this.natives = natives;
  }

  /**
   * Loads {@code libcudart} and {@code libnvinfer}, and {@code libnvinfer_plugin} where it is
   * present, and checks that they, the driver and the bindings fit each other.
   *
   * @param options where to look; has no effect once a call has returned or failed
   * @return the loaded libraries
   * @throws NativeLoadException if something is missing or does not fit: what was found, what is
   *     wanted, and what to do
   */
  public static NativeRuntime load(LoadOptions options) {
    return new NativeRuntime(Natives.load(options));
  }

  /**
   * Returns what was loaded.
   *
   * @return versions and files
   */
  public NativeInfo info() {
    return natives.info();
  }

  @Override
  public String toString() {
    return natives.info().toString();
  }
}
