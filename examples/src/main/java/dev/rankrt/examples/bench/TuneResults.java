package dev.rankrt.examples.bench;

import dev.rankrt.examples.bench.Results.ModelFacts;
import dev.rankrt.examples.bench.Setting.Traffic;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * What {@code tune} found, as its JSON has it. Immutable.
 *
 * @param format the form of this record, 1
 * @param date when the measurements began
 * @param rankrt the version of RankRT
 * @param machine what was measured on
 * @param gpu the GPU, where one serves
 * @param model what was measured
 * @param traffic what it was asked
 * @param tolerance the largest difference from FP32 that a precision may cost
 * @param met whether the settings keep p99 within the limit
 * @param found the settings, and how they were chosen
 * @param capacity the highest rate that they keep p99 within the limit at
 * @param java the settings as Java
 */
record TuneResults(
    int format,
    Instant date,
    String rankrt,
    Machine machine,
    Optional<Gpu> gpu,
    ModelFacts model,
    Traffic traffic,
    double tolerance,
    boolean met,
    Tuner.Found found,
    CapacitySearch.Capacity capacity,
    String java) {

  /** Returns the same for people. */
  String text() {
    StringBuilder text = new StringBuilder();
    text.append(
        Units.text(
            "%s on %s: %s requests a second of %s, p99 within %s%n",
            model.name(),
            gpu.map(Gpu::name).orElse(machine.cpu()),
            Units.rate(traffic.requestsPerSecond()),
            traffic.rows() == 1 ? "1 row" : traffic.rows() + " rows",
            Units.tick(traffic.slaMillis() * 1e3)));
    for (Tuner.Step step : found.steps()) {
      text.append(Units.text("%n%s: %s (%s)%n", step.setting(), step.chosen(), step.gain()));
      TextReport.table(
          text,
          List.of("", "", "p50", "p99", "answered/s", "from FP32", "requests"),
          step.trials().stream().map(TuneResults::cells).toList());
    }
    text.append("\nIn all\n");
    List<List<String>> lines = new ArrayList<>();
    lines.add(cells(trial("as it was", found.before())));
    lines.add(cells(trial("as chosen", found.after())));
    TextReport.table(
        text, List.of("", "", "p50", "p99", "answered/s", "from FP32", "requests"), lines);
    text.append(
        capacity
            .best()
            .map(
                best ->
                    Units.text(
                        "%nUp to %s requests a second stay within the limit: p99 %s over %s"
                            + " requests.%n",
                        Units.rate(best.offeredPerSecond()),
                        Units.micros(best.p99Micros()),
                        Units.count(best.samples())))
            .orElse("\nNo rate stays within the limit.\n"));
    if (found.after().figures().mayBeWithin(traffic.slaMillis())) {
      text.append(
          "Too few requests came to tell whether the limit is met at the rate asked for: give a"
              + " longer --duration.\n");
    } else if (!met) {
      text.append("The limit is not met at the rate asked for.\n");
    }
    return text.append('\n').append(java).toString();
  }

  private static Tuner.Trial trial(String name, Tuner.Measured measured) {
    return new Tuner.Trial(
        name, Optional.of(measured.figures()), measured.accuracy(), Optional.empty());
  }

  private static List<String> cells(Tuner.Trial trial) {
    String none = "-";
    return List.of(
        trial.value(),
        trial.note().orElse(""),
        trial.figures().map(figures -> Units.micros(figures.p50Micros())).orElse(none),
        trial.figures().map(figures -> Units.micros(figures.p99Micros())).orElse(none),
        trial.figures().map(figures -> Units.rate(figures.requestsPerSecond())).orElse(none),
        trial
            .accuracy()
            .map(a -> Units.text("%.1e over %,d rows", a.maxDifference(), a.rows()))
            .orElse(none),
        trial.figures().map(Tables::samples).orElse(none));
  }
}
