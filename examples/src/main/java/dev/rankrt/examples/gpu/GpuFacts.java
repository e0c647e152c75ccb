package dev.rankrt.examples.gpu;

import java.util.Optional;

/**
 * A GPU and how it is set up. Empty is what the driver does not tell. Immutable.
 *
 * @param index the driver's number, by PCI address; CUDA may number differently
 * @param name such as {@code NVIDIA H200}
 * @param pciAddress as sysfs writes it, such as {@code 0000:3b:00.0}
 * @param persistence whether the driver stays loaded while nobody uses the GPU
 * @param ecc whether memory errors are corrected
 * @param eccPending whether they will be after the next reboot
 * @param eccUncorrected errors since the driver was loaded that could not be corrected
 * @param mig whether the GPU is cut into instances
 * @param computeMode who may use it
 * @param smClockMhz the clock of the multiprocessors at this moment
 * @param smClockMaxMhz the highest that it goes
 * @param slowdowns the bits of {@code nvmlClocksThrottleReason}, why the clock is not higher
 * @param powerLimitWatts what the board may draw
 * @param powerDefaultWatts what it may draw unless somebody set a limit
 * @param pcieGeneration the PCIe generation at this moment; an idle link slows down
 * @param pcieGenerationMax the highest that GPU and slot both have
 * @param pcieLanes the lanes in use
 * @param pcieLanesMax the lanes that GPU and slot both have
 * @param memoryBytes all memory
 */
public record GpuFacts(
    int index,
    String name,
    String pciAddress,
    Optional<Boolean> persistence,
    Optional<Boolean> ecc,
    Optional<Boolean> eccPending,
    Optional<Long> eccUncorrected,
    Optional<Boolean> mig,
    Optional<ComputeMode> computeMode,
    Optional<Integer> smClockMhz,
    Optional<Integer> smClockMaxMhz,
    Optional<Long> slowdowns,
    Optional<Double> powerLimitWatts,
    Optional<Double> powerDefaultWatts,
    Optional<Integer> pcieGeneration,
    Optional<Integer> pcieGenerationMax,
    Optional<Integer> pcieLanes,
    Optional<Integer> pcieLanesMax,
    Optional<Long> memoryBytes) {

  /** Who may use a GPU. */
  public enum ComputeMode {
    /** Any number of processes. */
    DEFAULT,
    /** One process at a time. */
    EXCLUSIVE_PROCESS,
    /** Nobody. */
    PROHIBITED
  }
}
