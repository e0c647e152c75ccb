package dev.rankrt.examples.bench;

import dev.rankrt.examples.gpu.GpuFacts;
import dev.rankrt.examples.gpu.Nvml;
import dev.rankrt.natives.LoadOptions;
import dev.rankrt.natives.NativeInfo;
import dev.rankrt.natives.NativeLoadException;
import dev.rankrt.natives.NativeRuntime;
import java.util.Optional;

/**
 * The GPU that was measured on; empty is what cannot be told. Immutable.
 *
 * @param name the product's name
 * @param driver the driver's version
 * @param libraries the versions of CUDA, TensorRT and the bindings
 * @param memoryBytes its memory
 * @param maxClockMhz the highest clock of its multiprocessors
 * @param powerLimitWatts what the board may draw
 * @param persistence whether the driver stays loaded while nobody uses the GPU
 * @param pcie how it is connected, such as {@code PCIe 5 x16}
 */
record Gpu(
    String name,
    String driver,
    Optional<String> libraries,
    Optional<Long> memoryBytes,
    Optional<Integer> maxClockMhz,
    Optional<Double> powerLimitWatts,
    Optional<Boolean> persistence,
    Optional<String> pcie) {

  /** The GPU that is measured: the first. */
  static final int INDEX = 0;

  /** Returns what there is to know of the first GPU; nothing where there is none. */
  static Optional<Gpu> describe(Nvml nvml) {
    return nvml.gpus().stream()
        .filter(gpu -> gpu.index() == INDEX)
        .findFirst()
        .map(gpu -> of(gpu, nvml.driverVersion()));
  }

  private static Gpu of(GpuFacts gpu, String driver) {
    return new Gpu(
        gpu.name(),
        driver,
        loaded(),
        gpu.memoryBytes(),
        gpu.smClockMaxMhz(),
        gpu.powerLimitWatts(),
        gpu.persistence(),
        gpu.pcieGenerationMax()
            .flatMap(
                generation -> gpu.pcieLanes().map(lanes -> "PCIe " + generation + " x" + lanes)));
  }

  private static Optional<String> loaded() {
    try {
      NativeInfo info = NativeRuntime.load(LoadOptions.defaults()).info();
      return Optional.of(
          "CUDA "
              + info.cudaRuntime()
              + ", TensorRT "
              + info.tensorRt()
              + ", bindings "
              + info.presets());
    } catch (NativeLoadException e) {
      return Optional.empty();
    }
  }
}
