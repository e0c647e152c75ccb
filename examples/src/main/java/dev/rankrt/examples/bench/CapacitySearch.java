package dev.rankrt.examples.bench;

import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/** Finds the highest rate of requests that a target can bear. */
final class CapacitySearch {
  /** Enough to get from a first guess to any capacity that this guess can be wrong by. */
  private static final int DOUBLINGS = 8;

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
    List<Figures> probes = new ArrayList<>();
    Optional<Figures> best = Optional.empty();
    double rate = start;
    double low = 0;
    double high = 0;
    int halved = 0;
    for (int step = 0; step < DOUBLINGS + halved && halved <= halvings; step++) {
      Figures tried = tryTwice(rate, slaMillis, probe, probes);
      if (tried.within(slaMillis)) {
        low = rate;
        best = Optional.of(tried);
      } else if (tried.mayBeWithin(slaMillis)) {
        low = rate; // a lower one has even fewer requests to tell from
      } else {
        high = rate;
      }
      if (low > 0 && high > 0) {
        rate = (low + high) / 2;
        halved++;
      } else {
        rate = high == 0 ? rate * 2 : rate / 2;
      }
    }
    return new Capacity(slaMillis, best, List.copyOf(probes));
  }

  /** Something else on the machine can spoil a try: what fails has a second one. */
  private static Figures tryTwice(double rate, double slaMillis, Probe probe, List<Figures> probes)
      throws IOException {
    Figures figures = tryOnce(rate, probe, probes);
    return figures.within(slaMillis) || figures.mayBeWithin(slaMillis)
        ? figures
        : tryOnce(rate, probe, probes);
  }

  private static Figures tryOnce(double rate, Probe probe, List<Figures> probes)
      throws IOException {
    Figures figures = probe.at(rate);
    probes.add(figures.withoutDistribution());
    return figures;
  }
}
