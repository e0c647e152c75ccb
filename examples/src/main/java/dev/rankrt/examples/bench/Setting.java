package dev.rankrt.examples.bench;

import dev.rankrt.Precision;
import java.util.List;
import java.util.function.BiFunction;
import java.util.function.Function;
import java.util.stream.IntStream;
import java.util.stream.Stream;

/**
 * A setting that {@code tune} chooses a value of. Immutable.
 *
 * @param title the name that it has in the options
 * @param onGpu whether it means something on a GPU
 * @param onCpu whether it means something on the CPU
 * @param value returns a setup's value, as people read it
 * @param candidates returns setups that differ from one in this setting, or are the same
 */
record Setting(
    String title,
    boolean onGpu,
    boolean onCpu,
    Function<Setup, String> value,
    BiFunction<Setup, Traffic, List<Setup>> candidates) {

  private static final String OURS = "RankRT's choice";

  /**
   * All of them, in the order in which they are chosen: first what decides how long a run takes,
   * then what decides which requests run together.
   */
  static final List<Setting> ALL =
      List.of(
          new Setting(
              "precision",
              true,
              false,
              setup -> setup.precision().toString(),
              (setup, traffic) -> Stream.of(Precision.values()).map(setup::withPrecision).toList()),
          new Setting(
              "maxBatch",
              true,
              true,
              setup -> Integer.toString(setup.maxBatch()),
              (setup, traffic) ->
                  IntStream.of(64, 256, 1024, 4096)
                      .filter(rows -> rows >= traffic.rows())
                      .mapToObj(setup::withMaxBatch)
                      .toList()),
          new Setting(
              "optimizeFor",
              true,
              false,
              setup -> setup.optimizeFor().isEmpty() ? OURS : setup.optimizeFor().toString(),
              (setup, traffic) ->
                  Stream.of(
                          traffic.rows(),
                          Math.min(setup.maxBatch(), 8 * traffic.rows()),
                          setup.maxBatch())
                      .map(rows -> setup.withOptimizeFor(List.of(rows)))
                      .toList()),
          new Setting(
              "cpuThreads",
              false,
              true,
              setup -> setup.cpuThreads() == 0 ? OURS : Integer.toString(setup.cpuThreads()),
              (setup, traffic) ->
                  upTo(traffic.processors()).mapToObj(setup::withCpuThreads).toList()),
          new Setting(
              "workers",
              true,
              true,
              setup -> setup.workers() == 0 ? OURS : Integer.toString(setup.workers()),
              (setup, traffic) ->
                  upTo(Math.min(8, traffic.processors())).mapToObj(setup::withWorkers).toList()),
          new Setting(
              "batchingWindow",
              true,
              true,
              setup -> setup.windowMicros() + " us",
              (setup, traffic) ->
                  IntStream.of(50, 200, 1000)
                      // A wait that takes much of the limit helps nobody.
                      .filter(micros -> micros <= traffic.slaMillis() * 1e3 / 4)
                      .mapToObj(setup::withWindowMicros)
                      .toList()));

  /**
   * What a model is asked. Immutable.
   *
   * @param rows rows of a request
   * @param requestsPerSecond how many requests come a second, at random times
   * @param slaMillis what p99 has to stay within
   * @param processors how many processors there are to serve them
   */
  record Traffic(int rows, double requestsPerSecond, double slaMillis, int processors) {}

  /** Tells whether the setting means something on a device. */
  boolean matters(boolean gpu) {
    return gpu ? onGpu : onCpu;
  }

  /** Returns a setup's value of this setting. */
  String of(Setup setup) {
    return value.apply(setup);
  }

  /** Returns setups that differ from one in this setting. */
  List<Setup> others(Setup setup, Traffic traffic) {
    return candidates.apply(setup, traffic).stream()
        .filter(other -> !other.equals(setup))
        .distinct()
        .toList();
  }

  /** Returns 1, 2, 4, 8 and so on. */
  private static IntStream upTo(int most) {
    return IntStream.iterate(1, count -> count <= most, count -> 2 * count);
  }
}
