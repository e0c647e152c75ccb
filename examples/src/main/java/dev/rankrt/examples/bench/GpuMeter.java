package dev.rankrt.examples.bench;

import dev.rankrt.examples.gpu.GpuSample;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.concurrent.locks.LockSupport;
import java.util.function.Function;
import java.util.function.Supplier;
import java.util.stream.DoubleStream;

/** Reads how a GPU is used while something else runs. One thread at a time. */
final class GpuMeter {
  /** The driver itself averages over a sixth of a second or more. */
  private static final long INTERVAL_NANOS = 100_000_000;

  private final Optional<Supplier<GpuSample>> gpu;

  private GpuMeter(Optional<Supplier<GpuSample>> gpu) {
    this.gpu = gpu;
  }

  /** Returns the meter of a GPU. */
  static GpuMeter of(Supplier<GpuSample> gpu) {
    return new GpuMeter(Optional.of(gpu));
  }

  /** Returns the meter of a machine without a GPU. */
  static GpuMeter none() {
    return new GpuMeter(Optional.empty());
  }

  /** Runs a measurement and adds how the GPU was used meanwhile. */
  Figures during(Callable<Figures> measurement) throws Exception {
    if (gpu.isEmpty()) {
      return measurement.call();
    }
    List<GpuSample> readings = new ArrayList<>();
    Thread watcher = new Thread(() -> watch(gpu.get(), readings), "gpu-meter");
    watcher.setDaemon(true);
    watcher.start();
    Figures figures;
    try {
      figures = measurement.call();
    } finally {
      watcher.interrupt();
      watcher.join();
    }
    return figures.with(summary(readings));
  }

  private static void watch(Supplier<GpuSample> gpu, List<GpuSample> readings) {
    do {
      readings.add(gpu.get());
      LockSupport.parkNanos(INTERVAL_NANOS);
    } while (!Thread.currentThread().isInterrupted());
  }

  private static Optional<Figures.GpuUse> summary(List<GpuSample> readings) {
    if (readings.isEmpty()) {
      return Optional.empty();
    }
    return Optional.of(
        new Figures.GpuUse(
            readings.size(),
            mean(readings, GpuSample::utilisationPercent),
            readings.stream().flatMap(r -> r.memoryUsedBytes().stream()).max(Long::compare),
            mean(readings, GpuSample::smClockMhz),
            mean(readings, GpuSample::powerWatts)));
  }

  private static <N extends Number> Optional<Double> mean(
      List<GpuSample> readings, Function<GpuSample, Optional<N>> value) {
    double[] values =
        readings.stream()
            .flatMap(reading -> value.apply(reading).stream())
            .mapToDouble(Number::doubleValue)
            .toArray();
    return values.length == 0
        ? Optional.empty()
        : Optional.of(DoubleStream.of(values).average().orElseThrow());
  }
}
