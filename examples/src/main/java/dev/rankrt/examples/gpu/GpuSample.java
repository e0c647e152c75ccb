package dev.rankrt.examples.gpu;

import java.util.Optional;

/**
 * What a GPU does at one moment. Empty is what the driver does not tell. Immutable.
 *
 * @param utilisationPercent the share of the driver's last sampling period, up to a second long, in
 *     which a kernel ran
 * @param memoryUsedBytes memory in use by all processes
 * @param smClockMhz the clock of the multiprocessors
 * @param powerWatts what the board draws
 */
public record GpuSample(
    Optional<Integer> utilisationPercent,
    Optional<Long> memoryUsedBytes,
    Optional<Integer> smClockMhz,
    Optional<Double> powerWatts) {}
