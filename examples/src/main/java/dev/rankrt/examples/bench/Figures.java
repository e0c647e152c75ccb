package dev.rankrt.examples.bench;

import com.google.gson.annotations.SerializedName;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.HdrHistogram.Histogram;

/**
 * What one measurement found. Immutable.
 *
 * <p>Percentiles are over all requests: one that was not answered counts as slower than any. One
 * that too few requests decide is empty: p99.9 of less than 1,000 requests would be a single one's
 * luck.
 *
 * @param load how requests were sent
 * @param inFlight how many requests a closed loop kept in flight; 0 for an open one
 * @param offeredPerSecond how many requests an open loop sent a second; 0 for a closed one
 * @param rows rows of each request
 * @param seconds how long the measurement took
 * @param samples how many requests were answered, which every figure here rests on
 * @param unanswered how many were refused or not answered in time
 * @param meanMicros the mean latency of those answered
 * @param p50Micros the median latency
 * @param p99Micros the latency of the slowest hundredth
 * @param p999Micros the latency of the slowest thousandth
 * @param maxMicros the longest latency of those answered
 * @param requestsPerSecond answered requests a second
 * @param rowsPerSecond answered rows a second
 * @param distribution latencies by percentile
 * @param gpu how the GPU was used meanwhile, where one was
 */
record Figures(
    Kind load,
    int inFlight,
    double offeredPerSecond,
    int rows,
    double seconds,
    long samples,
    long unanswered,
    double meanMicros,
    Optional<Double> p50Micros,
    Optional<Double> p99Micros,
    Optional<Double> p999Micros,
    double maxMicros,
    double requestsPerSecond,
    double rowsPerSecond,
    List<Point> distribution,
    Optional<GpuUse> gpu) {

  /** How requests are sent. */
  enum Kind {
    /** A number of requests is kept in flight. */
    @SerializedName("closed")
    CLOSED,
    /** Requests come at set times. */
    @SerializedName("open")
    OPEN
  }

  /**
   * A point of a latency distribution. Immutable.
   *
   * @param percentile from 0 to 100
   * @param micros the latency that this share of the requests stays within
   */
  record Point(double percentile, double micros) {}

  /**
   * How a GPU was used; empty is what the driver does not tell. Immutable.
   *
   * @param samples how many readings the figures rest on
   * @param utilisationPercent the mean share of time in which a kernel ran
   * @param memoryBytes the most memory in use on the device, by every process
   * @param clockMhz the mean clock of the multiprocessors
   * @param powerWatts the mean of what the board drew
   */
  record GpuUse(
      int samples,
      Optional<Double> utilisationPercent,
      Optional<Long> memoryBytes,
      Optional<Double> clockMhz,
      Optional<Double> powerWatts) {}

  private static final double NANOS_PER_MICRO = 1e3;
  private static final double[] PERCENTILES = {
    0, 1, 5, 10, 20, 30, 40, 50, 60, 70, 75, 80, 85, 90, 92.5, 95, 97, 98, 99, 99.5, 99.8, 99.9,
    99.95, 99.98, 99.99, 99.995, 99.999, 99.9999
  };

  static Figures of(
      Histogram nanos,
      long unanswered,
      Kind load,
      int inFlight,
      double offeredPerSecond,
      int rows,
      double seconds) {
    long samples = nanos.getTotalCount();
    List<Point> distribution = new ArrayList<>();
    for (double percentile : PERCENTILES) {
      micros(nanos, unanswered, percentile)
          .ifPresent(micros -> distribution.add(new Point(percentile, micros)));
    }
    return new Figures(
        load,
        inFlight,
        offeredPerSecond,
        rows,
        seconds,
        samples,
        unanswered,
        samples == 0 ? 0 : nanos.getMean() / NANOS_PER_MICRO,
        micros(nanos, unanswered, 50),
        micros(nanos, unanswered, 99),
        micros(nanos, unanswered, 99.9),
        nanos.getMaxValue() / NANOS_PER_MICRO,
        samples / seconds,
        samples * (double) rows / seconds,
        List.copyOf(distribution),
        Optional.empty());
  }

  private static Optional<Double> micros(Histogram nanos, long unanswered, double percentile) {
    long answered = nanos.getTotalCount();
    long all = answered + unanswered;
    double ofAnswered = all == 0 ? 0 : percentile * all / answered;
    // 1e-9: a hundredth of 100 requests is one, whatever floating point says.
    boolean decided = all * (100 - percentile) / 100 >= 1 - 1e-9;
    return answered > 0 && decided && ofAnswered <= 100
        ? Optional.of(nanos.getValueAtPercentile(ofAnswered) / NANOS_PER_MICRO)
        : Optional.empty();
  }

  /** Tells whether 99 of 100 requests were answered within a time. */
  boolean within(double millis) {
    return p99Micros.isPresent() && p99Micros.get() <= millis * 1e3;
  }

  /** Tells whether too few requests came to tell, each of which was answered within a time. */
  boolean mayBeWithin(double millis) {
    return p99Micros.isEmpty() && unanswered == 0 && maxMicros <= millis * 1e3;
  }

  /** Returns the same figures with how the GPU was used. */
  Figures with(Optional<GpuUse> use) {
    return with(distribution, use);
  }

  /** Returns the same figures without the distribution, which is most of what they take. */
  Figures withoutDistribution() {
    return with(List.of(), gpu);
  }

  private Figures with(List<Point> points, Optional<GpuUse> use) {
    return new Figures(
        load,
        inFlight,
        offeredPerSecond,
        rows,
        seconds,
        samples,
        unanswered,
        meanMicros,
        p50Micros,
        p99Micros,
        p999Micros,
        maxMicros,
        requestsPerSecond,
        rowsPerSecond,
        points,
        use);
  }
}
