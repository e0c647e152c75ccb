package dev.rankrt.examples.gpu;

import java.util.List;
import java.util.Locale;
import java.util.Optional;

/**
 * What the NVIDIA driver says about its GPUs; asking changes nothing. Safe for use by several
 * threads.
 */
public interface Nvml extends AutoCloseable {
  /**
   * Asks NVIDIA's management library ({@code libnvidia-ml.so.1}) through the bindings, and where
   * that does not work, as on arm64, which the bindings leave out, the program {@code nvidia-smi}.
   *
   * @return a source of facts, owned by the caller
   * @throws NvmlUnavailableException if neither answers
   */
  static Nvml open() throws NvmlUnavailableException {
    try {
      return JavacppNvml.open();
    } catch (NvmlUnavailableException library) {
      try {
        return NvidiaSmi.open();
      } catch (NvmlUnavailableException program) {
        NvmlUnavailableException both =
            new NvmlUnavailableException(
                library.getMessage() + "; " + program.getMessage(), library);
        both.addSuppressed(program);
        throw both;
      }
    }
  }

  /** Returns who answers: {@code NVML} or {@code nvidia-smi}. */
  String source();

  /** Returns the driver's version, such as {@code 580.159.04}. */
  String driverVersion();

  /** Returns all GPUs that the driver shows to this process, as they are now. */
  List<GpuFacts> gpus();

  /**
   * Returns what a GPU does now.
   *
   * @param index a {@link GpuFacts#index}
   */
  GpuSample sample(int index);

  /** Returns the {@link GpuFacts#index} of a GPU, by the PCI address that CUDA gives. */
  default Optional<Integer> indexOf(String pciAddress) {
    String wanted = canonicalAddress(pciAddress);
    return gpus().stream()
        .filter(gpu -> gpu.pciAddress().equals(wanted))
        .map(GpuFacts::index)
        .findFirst();
  }

  @Override
  void close();

  /** Returns a PCI address as sysfs writes it; the driver writes eight digits for the domain. */
  static String canonicalAddress(String address) {
    String lower = address.strip().toLowerCase(Locale.ROOT);
    return lower.matches("0000[0-9a-f]{4}:.*") ? lower.substring(4) : lower;
  }
}
