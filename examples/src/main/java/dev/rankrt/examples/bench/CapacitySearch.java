package dev.rankrt.examples.bench;

import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.Predicate;

/** Finds the highest rate of requests that a target can bear. */
final class CapacitySearch {
  /** Enough to get from a first guess to any capacity that this guess can be wrong by. */
  private static final int DOUBLINGS = 10;

  private CapacitySearch() {}

  /** Measures one rate, in requests a second. */
  interface Probe {
    Figures at(double rate) throws IOException;
  }

  /**
   * What a search found. Immutable.
   *
   * @param slaMillis what p99 had to stay within
   * @param best the measurement at the highest rate that was borne; none if no rate was
   * @param probes every rate tried, in the order of trying
   */
  record Capacity(double slaMillis, Optional<Figures> best, List<Figures> probes) {}

  /**
   * Doubles a rate until it is not borne (or halves it until it is), then halves the interval
   * between the two.
   *
   * @param start the first rate tried, in requests a second
   * @param halvings how often the interval is halved: five leave 3 % of it
   * @param slaMillis what p99 has to stay within
   * @param probe measures one rate
   */
  static Capacity find(double start, int halvings, double slaMillis, Probe probe)
      throws IOException {
    Predicate<Figures> borne = figures -> figures.within(slaMillis);
    List<Figures> probes = new ArrayList<>();
    double rate = start;
    Optional<Figures> best = Optional.empty();
    double low = 0;
    double high = 0;
    for (int step = 0; step < DOUBLINGS && (low == 0 || high == 0); step++) {
      Figures figures = probe.at(rate);
      probes.add(figures.withoutDistribution());
      if (borne.test(figures)) {
        low = rate;
        best = Optional.of(figures);
        rate *= 2;
      } else {
        high = rate;
        rate /= 2;
      }
    }
    for (int halving = 0; halving < halvings && low > 0 && high > 0; halving++) {
      rate = (low + high) / 2;
      Figures figures = probe.at(rate);
      probes.add(figures.withoutDistribution());
      if (borne.test(figures)) {
        low = rate;
        best = Optional.of(figures);
      } else {
        high = rate;
      }
    }
    return new Capacity(slaMillis, best, List.copyOf(probes));
  }
}
