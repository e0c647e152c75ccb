package dev.rankrt.examples.bench;

import dev.rankrt.Device;
import dev.rankrt.EngineOptions;
import dev.rankrt.Precision;
import dev.rankrt.RankerOptions;
import java.time.Duration;
import java.util.List;

/**
 * The settings that {@code tune} chooses between. Immutable.
 *
 * @param precision what a GPU computes in
 * @param maxBatch the most rows of a run
 * @param optimizeFor the batches that a GPU's kernels are chosen for; empty for RankRT's choice
 * @param cpuThreads the threads that a run on the CPU takes; 0 for as many as there are
 * @param workers how many runs are under way at once; 0 for RankRT's choice
 * @param windowMicros how long a worker waits for more requests
 */
record Setup(
    Precision precision,
    int maxBatch,
    List<Integer> optimizeFor,
    int cpuThreads,
    int workers,
    int windowMicros) {

  /** Returns RankRT's defaults, with room for a request. */
  static Setup defaults(int rows) {
    int maxBatch = Math.max(EngineOptions.defaults().maxBatch(), rows);
    return new Setup(Precision.FP32, maxBatch, List.of(), 0, 0, 0);
  }

  Setup withPrecision(Precision other) {
    return new Setup(other, maxBatch, optimizeFor, cpuThreads, workers, windowMicros);
  }

  Setup withMaxBatch(int rows) {
    return new Setup(precision, rows, optimizeFor, cpuThreads, workers, windowMicros);
  }

  Setup withOptimizeFor(List<Integer> batches) {
    return new Setup(precision, maxBatch, batches, cpuThreads, workers, windowMicros);
  }

  Setup withCpuThreads(int threads) {
    return new Setup(precision, maxBatch, optimizeFor, threads, workers, windowMicros);
  }

  Setup withWorkers(int count) {
    return new Setup(precision, maxBatch, optimizeFor, cpuThreads, count, windowMicros);
  }

  Setup withWindowMicros(int micros) {
    return new Setup(precision, maxBatch, optimizeFor, cpuThreads, workers, micros);
  }

  EngineOptions engineOptions(Workload workload, Device device) {
    EngineOptions.Builder builder = workload.options(device, precision, maxBatch);
    if (!optimizeFor.isEmpty()) {
      builder.optimizeFor(optimizeFor.toArray(Integer[]::new));
    }
    if (cpuThreads > 0) {
      builder.cpuThreads(cpuThreads);
    }
    return builder.build();
  }

  RankerOptions rankerOptions() {
    RankerOptions.Builder builder = RankerOptions.builder();
    if (workers > 0) {
      builder.workers(workers);
    }
    return builder.batchingWindow(Duration.ofNanos(windowMicros * 1000L)).build();
  }
}
