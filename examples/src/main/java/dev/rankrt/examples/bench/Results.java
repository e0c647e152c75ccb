package dev.rankrt.examples.bench;

import dev.rankrt.AccuracyReport;
import java.time.Instant;
import java.util.List;
import java.util.Optional;

/**
 * What {@code bench} found, as its JSON has it. Immutable. The fields are explained in {@code
 * examples/results/README.md}; what changes their meaning changes {@link #FORMAT}.
 *
 * @param format the form of this record, {@link #FORMAT}
 * @param date when the measurements began
 * @param rankrt the version of RankRT
 * @param commit the commit that it was built from, where that is known
 * @param machine what was measured on
 * @param gpu the GPU, where one was measured
 * @param model what was measured
 * @param settings how it was measured
 * @param rows the comparison
 */
record Results(
    int format,
    Instant date,
    String rankrt,
    Optional<String> commit,
    Machine machine,
    Optional<Gpu> gpu,
    ModelFacts model,
    Settings settings,
    List<Row> rows) {

  /** The form that this version writes and reads. */
  static final int FORMAT = 1;

  /**
   * A model. Immutable.
   *
   * @param name what it is
   * @param bytes the size of its file
   * @param inputs its inputs, as {@code TensorSpec} writes them
   */
  record ModelFacts(String name, long bytes, List<String> inputs) {}

  /**
   * How measurements are made. Immutable.
   *
   * @param rows rows of a request, except in {@link Scenario#OFFLINE}
   * @param inFlight how many requests are in flight in {@link Scenario#CONCURRENT}
   * @param maxBatchGpu rows of the GPU's requests in {@link Scenario#OFFLINE}
   * @param maxBatchCpu the same for the CPU
   * @param slaMillis what p99 has to stay within in {@link Scenario#SERVER}
   * @param seconds the length of a measurement
   * @param warmupSeconds the length of what runs before each, whose figures are thrown away
   * @param probeSeconds the length of each try of {@link Scenario#SERVER}
   * @param halvings how often the search of {@link Scenario#SERVER} halves its interval
   * @param scenarios which scenarios were run
   */
  record Settings(
      int rows,
      int inFlight,
      int maxBatchGpu,
      int maxBatchCpu,
      double slaMillis,
      double seconds,
      double warmupSeconds,
      double probeSeconds,
      int halvings,
      List<Scenario> scenarios) {}

  /** The ways of asking. Immutable. */
  enum Scenario {
    /** A number of requests in flight: each answer is followed by the next request. */
    CONCURRENT,
    /** One request after the other. */
    SINGLE_STREAM,
    /** Requests at random times, at the highest rate that keeps p99 within a limit. */
    SERVER,
    /** The largest requests, as many as are in flight. */
    OFFLINE
  }

  /**
   * One row of the comparison. Immutable.
   *
   * @param id its name for programs
   * @param name its name for people
   * @param precision what it computes in
   * @param detail how it is set up; empty where it was not measured
   * @param unavailable why it was not measured; empty where it was
   * @param openSeconds how long the model took to open, building included
   * @param accuracy what the precision costs, where that was measured
   * @param concurrent {@link Scenario#CONCURRENT}
   * @param singleStream {@link Scenario#SINGLE_STREAM}
   * @param server {@link Scenario#SERVER}
   * @param offline {@link Scenario#OFFLINE}
   */
  record Row(
      String id,
      String name,
      String precision,
      String detail,
      Optional<String> unavailable,
      double openSeconds,
      Optional<Accuracy> accuracy,
      Optional<Figures> concurrent,
      Optional<Figures> singleStream,
      Optional<CapacitySearch.Capacity> server,
      Optional<Figures> offline) {

    static Row unavailable(Contender contender, String reason) {
      return new Row(
          contender.id(),
          contender.title(),
          contender.precision().name(),
          "",
          Optional.of(reason),
          0,
          Optional.empty(),
          Optional.empty(),
          Optional.empty(),
          Optional.empty(),
          Optional.empty());
    }
  }

  /**
   * How far outputs are from the same model's in FP32. Immutable.
   *
   * @param rows how many rows were compared
   * @param maxDifference the largest absolute difference
   * @param meanDifference the mean absolute difference
   */
  record Accuracy(int rows, double maxDifference, double meanDifference) {
    static Accuracy of(AccuracyReport report) {
      return new Accuracy(report.rows(), report.maxDifference(), report.meanDifference());
    }
  }
}
