package dev.rankrt.examples.bench;

import dev.rankrt.Device;
import dev.rankrt.EngineOptions;
import dev.rankrt.Precision;
import dev.rankrt.RankerOptions;
import dev.rankrt.streams.WaitPolicy;
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
 * @param waitPolicy how a worker waits for a GPU
 * @param windowMicros how long a worker waits for more requests
 */
record Setup(
    Precision precision,
    int maxBatch,
    List<Integer> optimizeFor,
    int cpuThreads,
    int workers,
    WaitPolicy waitPolicy,
    int windowMicros) {

  /** Returns RankRT's defaults, with room for a request. */
  static Setup defaults(int rows) {
    int maxBatch = Math.max(EngineOptions.defaults().maxBatch(), rows);
    return new Setup(
        Precision.FP32, maxBatch, List.of(), 0, 0, EngineOptions.defaults().waitPolicy(), 0);
  }

  Setup withPrecision(Precision other) {
    return new Setup(other, maxBatch, optimizeFor, cpuThreads, workers, waitPolicy, windowMicros);
  }

  Setup withMaxBatch(int rows) {
    return new Setup(precision, rows, optimizeFor, cpuThreads, workers, waitPolicy, windowMicros);
  }

  Setup withOptimizeFor(List<Integer> batches) {
    return new Setup(precision, maxBatch, batches, cpuThreads, workers, waitPolicy, windowMicros);
  }

  Setup withCpuThreads(int threads) {
    return new Setup(precision, maxBatch, optimizeFor, threads, workers, waitPolicy, windowMicros);
  }

  Setup withWorkers(int count) {
    return new Setup(precision, maxBatch, optimizeFor, cpuThreads, count, waitPolicy, windowMicros);
  }

  Setup withWaitPolicy(WaitPolicy policy) {
    return new Setup(precision, maxBatch, optimizeFor, cpuThreads, workers, policy, windowMicros);
  }

  Setup withWindowMicros(int micros) {
    return new Setup(precision, maxBatch, optimizeFor, cpuThreads, workers, waitPolicy, micros);
  }

  EngineOptions engineOptions(Workload workload, Device device) {
    EngineOptions.Builder builder =
        workload.options(device, precision, maxBatch).waitPolicy(waitPolicy);
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
