package dev.rankrt.examples.bench;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.concurrent.locks.LockSupport;
import java.util.function.Supplier;

/** Reads how a GPU is used while something else runs. One thread at a time. */
final class GpuMeter {
  /** The driver itself averages over a sixth of a second or more. */
  private static final long INTERVAL_NANOS = 100_000_000;

  private final Supplier<Optional<Reading>> reader;

  /**
   * Creates a meter.
   *
   * @param reader reads the GPU; empty where that cannot be done
   */
  GpuMeter(Supplier<Optional<Reading>> reader) {
    this.reader = reader;
  }

  /** Returns the meter of a machine without a GPU. */
  static GpuMeter none() {
    return new GpuMeter(Optional::empty);
  }

  /**
   * One look at a GPU. Immutable.
   *
   * @param utilisationPercent the share of time in which a kernel ran, lately
   * @param memoryBytes the memory in use on the device
   * @param clockMhz the clock of the multiprocessors
   */
  record Reading(double utilisationPercent, long memoryBytes, double clockMhz) {}

  /** Runs a measurement and adds how the GPU was used meanwhile. */
  Figures during(Callable<Figures> measurement) throws Exception {
    List<Reading> readings = new ArrayList<>();
    Thread watcher = new Thread(() -> watch(readings), "gpu-meter");
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

  private void watch(List<Reading> readings) {
    while (!Thread.currentThread().isInterrupted()) {
      Optional<Reading> reading = reader.get();
      if (reading.isEmpty()) {
        return;
      }
      readings.add(reading.get());
      LockSupport.parkNanos(INTERVAL_NANOS);
    }
  }

  private static Optional<Figures.GpuUse> summary(List<Reading> readings) {
    if (readings.isEmpty()) {
      return Optional.empty();
    }
    return Optional.of(
        new Figures.GpuUse(
            readings.size(),
            readings.stream().mapToDouble(Reading::utilisationPercent).average().orElseThrow(),
            readings.stream().mapToLong(Reading::memoryBytes).max().orElseThrow(),
            readings.stream().mapToDouble(Reading::clockMhz).average().orElseThrow()));
  }
}
