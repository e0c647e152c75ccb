package dev.rankrt.examples.bench;

import dev.rankrt.examples.bench.Results.Accuracy;
import dev.rankrt.examples.bench.Setting.Traffic;
import dev.rankrt.examples.cli.Progress;
import dev.rankrt.natives.RankRtException;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * Chooses settings by measuring them under the traffic that they are for. One thread at a time.
 *
 * <p>One setting after the other is tried, each value with all others as chosen so far: first those
 * that decide what a run takes, then those that decide which requests run together. A value is
 * taken for what it gains, and left where it gains no more than a repetition might.
 */
final class Tuner {
  /** What is gained has to be this much: measurements differ by that when nothing was changed. */
  private static final double WORTH_IT = 0.95;

  private static final int MOST_ATTEMPTS = 10;

  private final Traffic traffic;
  private final double tolerance;
  private final boolean gpu;
  private final Measurement measurement;
  private final Progress progress;

  /**
   * Creates a tuner.
   *
   * @param tolerance the largest difference from FP32 that a precision may cost
   * @param gpu whether a GPU serves
   */
  Tuner(
      Traffic traffic, double tolerance, boolean gpu, Measurement measurement, Progress progress) {
    this.traffic = traffic;
    this.tolerance = tolerance;
    this.gpu = gpu;
    this.measurement = measurement;
    this.progress = progress;
  }

  /** Measures a setup under the traffic. */
  interface Measurement {
    /**
     * Returns what a setup does.
     *
     * @throws RankRtException if it cannot run here
     */
    Measured of(Setup setup) throws IOException;
  }

  /**
   * What a setup does. Immutable.
   *
   * @param figures under the traffic
   * @param accuracy what its precision costs, where that was measured
   */
  record Measured(Figures figures, Optional<Accuracy> accuracy) {}

  /**
   * One value that was tried. Immutable.
   *
   * @param value the value, as people read it
   * @param figures what was measured; empty where it could not be
   * @param accuracy what it costs in accuracy, where that was measured
   * @param note why it was not considered; empty if it was
   */
  record Trial(
      String value,
      Optional<Figures> figures,
      Optional<Accuracy> accuracy,
      Optional<String> note) {}

  /**
   * What was decided about one setting. Immutable.
   *
   * @param setting its name in the options
   * @param chosen the value taken
   * @param gain what that gained, in words
   * @param trials every value tried, the first of which was there before
   */
  record Step(String setting, String chosen, String gain, List<Trial> trials) {}

  /**
   * What was found. Immutable.
   *
   * @param before what was measured before anything was changed
   * @param after what was measured with everything chosen
   * @param setup the settings chosen
   * @param steps how they were chosen
   */
  record Found(Measured before, Measured after, Setup setup, List<Step> steps) {}

  Found tune(Setup start) throws IOException {
    List<Setting> settings = Setting.ALL.stream().filter(setting -> setting.matters(gpu)).toList();
    try (Progress.Task task = progress.begin("tune", 1L + settings.size())) {
      task.say("as it is");
      Measured before = measurement.of(start);
      task.step(1);
      Setup setup = start;
      Measured best = before;
      List<Step> steps = new ArrayList<>();
      for (Setting setting : settings) {
        task.say(setting.title());
        // Again, beside the others: a machine does not stay the same for minutes.
        Measured again = measurement.of(setup);
        best = better(again, best) ? again : best;
        if (setup.equals(start)) {
          before = best;
        }
        List<Trial> trials = new ArrayList<>();
        trials.add(
            new Trial(
                setting.of(setup), Optional.of(best.figures()), best.accuracy(), Optional.empty()));
        Setup chosen = setup;
        Measured chosenMeasured = best;
        for (Setup other : setting.others(setup, traffic)) {
          Optional<Measured> measured = measure(setting, other, trials);
          if (measured.isPresent() && better(measured.get(), chosenMeasured)) {
            chosen = other;
            chosenMeasured = measured.get();
          }
        }
        steps.add(
            new Step(
                setting.title(),
                setting.of(chosen),
                gain(best.figures(), chosenMeasured.figures(), chosen.equals(setup)),
                List.copyOf(trials)));
        setup = chosen;
        best = chosenMeasured;
        task.step(1);
      }
      return new Found(before, best, setup, List.copyOf(steps));
    }
  }

  /** One measurement of a setup. */
  interface Attempt {
    Figures make() throws IOException;
  }

  /**
   * Measures until neither the median nor p99 gets better, and returns what had the best p99: a
   * process that has just started compiles its code meanwhile, and what comes first would look
   * worse than all that follows.
   */
  static Figures settled(Attempt attempt) throws IOException {
    Figures best = attempt.make();
    Figures last = best;
    for (int made = 1; made < MOST_ATTEMPTS; made++) {
      Figures next = attempt.make();
      boolean settled =
          !improved(last.p50Micros(), next.p50Micros())
              && !improved(best.p99Micros(), next.p99Micros());
      if (orLast(next.p99Micros()) < orLast(best.p99Micros())) {
        best = next;
      }
      last = next;
      if (settled) {
        break;
      }
    }
    return best;
  }

  private static boolean improved(Optional<Double> before, Optional<Double> after) {
    return orLast(after) < WORTH_IT * orLast(before);
  }

  /** What too few requests were answered to tell is worse than anything. */
  private static double orLast(Optional<Double> micros) {
    return micros.orElse(Double.MAX_VALUE);
  }

  /** Measures a value, and returns that if it may be chosen. */
  private Optional<Measured> measure(Setting setting, Setup setup, List<Trial> trials)
      throws IOException {
    String value = setting.of(setup);
    Measured measured;
    try {
      measured = measurement.of(setup);
    } catch (RankRtException e) {
      String reason = e.getMessage().lines().findFirst().orElse("it failed");
      trials.add(new Trial(value, Optional.empty(), Optional.empty(), Optional.of(reason)));
      return Optional.empty();
    }
    // Not "more than": a difference that is not a number is too large as well.
    boolean accurate = measured.accuracy().map(a -> a.maxDifference() <= tolerance).orElse(true);
    Optional<String> note =
        accurate
            ? Optional.empty()
            : Optional.of(Units.text("costs more accuracy than %.1e", tolerance));
    trials.add(new Trial(value, Optional.of(measured.figures()), measured.accuracy(), note));
    return accurate ? Optional.of(measured) : Optional.empty();
  }

  /**
   * Within the limit, a lower p99 is better. Beyond it, more answered requests are: the queue's
   * length says nothing there.
   */
  private boolean better(Measured one, Measured other) {
    boolean within = one.figures().within(traffic.slaMillis());
    if (within != other.figures().within(traffic.slaMillis())) {
      return within;
    }
    return within
        ? one.figures().p99Micros().orElseThrow()
            < WORTH_IT * other.figures().p99Micros().orElseThrow()
        : WORTH_IT * one.figures().requestsPerSecond() > other.figures().requestsPerSecond();
  }

  private String gain(Figures before, Figures after, boolean same) {
    if (same) {
      return "nothing tried was better";
    }
    return Units.text(
        "p99 %s to %s, %s to %s answered a second",
        Units.micros(before.p99Micros()),
        Units.micros(after.p99Micros()),
        Units.rate(before.requestsPerSecond()),
        Units.rate(after.requestsPerSecond()));
  }
}
