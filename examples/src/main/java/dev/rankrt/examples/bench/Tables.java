package dev.rankrt.examples.bench;

import dev.rankrt.examples.bench.Results.Row;
import dev.rankrt.examples.bench.Results.Settings;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.DoubleSummaryStatistics;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Function;
import java.util.stream.Stream;

/** What people read of results, whatever it is written in. */
final class Tables {
  /** What every table has to be read with. */
  static final String NOTE =
      "Every figure of a line rests on its number of requests. A sample is a row. A dash for a"
          + " percentile means too few requests to tell, or too few answers.";

  private static final String NONE = "-";

  private Tables() {}

  /**
   * A table, whose first two columns are names. Immutable.
   *
   * @param title what it shows
   * @param header a name for each column
   * @param lines cells, as many as the header has
   */
  record Table(String title, List<String> header, List<List<String>> lines) {}

  /** Returns what was measured, on what and how, by a word for each. */
  static Map<String, String> facts(Results results) {
    Map<String, String> facts = new LinkedHashMap<>();
    Machine machine = results.machine();
    facts.put(
        "Model",
        Units.text(
            "%s, %s MB: %s",
            results.model().name(),
            Units.digits(results.model().bytes() / 1e6),
            String.join(", ", results.model().inputs())));
    facts.put(
        "Machine",
        Units.text(
            "%s, %d processors, %s, %s, %s",
            machine.cpu(),
            machine.processors(),
            Units.bytes(machine.memoryBytes()),
            machine.os(),
            machine.java()));
    results
        .gpu()
        .ifPresent(
            gpu ->
                facts.put(
                    "GPU",
                    Units.text(
                        "%s, %s, driver %s%s%s",
                        gpu.name(),
                        gpu.memoryBytes().map(Units::bytes).orElse("memory unknown"),
                        gpu.driver(),
                        gpu.libraries().map(", "::concat).orElse(""),
                        clocks(results, gpu))));
    facts.put(
        "RankRT",
        Units.text(
            "%s, commit %s, measured %s",
            results.rankrt(),
            results.commit().orElse("unknown"),
            results.date().truncatedTo(ChronoUnit.SECONDS)));
    facts.put(
        "Method",
        Units.text(
            "%s s a measurement, %s s a try of Server, after %s s to warm up that do not count",
            Units.digits(results.settings().seconds()),
            Units.digits(results.settings().probeSeconds()),
            Units.digits(results.settings().warmupSeconds())));
    return facts;
  }

  /** Returns what the clock was over all measurements, and how high it goes. */
  private static String clocks(Results results, Gpu gpu) {
    DoubleSummaryStatistics seen =
        measured(results).stream()
            .flatMap(row -> Stream.of(row.concurrent(), row.singleStream(), row.offline()))
            .flatMap(figures -> figures.flatMap(Figures::gpu).stream())
            .flatMap(use -> use.clockMhz().stream())
            .mapToDouble(clock -> clock)
            .summaryStatistics();
    String most = gpu.maxClockMhz().map(clock -> Units.text(" of at most %d", clock)).orElse("");
    return seen.getCount() == 0
        ? ""
        : Units.text(", clock %.0f to %.0f MHz%s", seen.getMin(), seen.getMax(), most);
  }

  /** Returns the rows that were measured, which have no reason against them. */
  static List<Row> measured(Results results) {
    return results.rows().stream().filter(row -> row.unavailable().isEmpty()).toList();
  }

  /** Returns a line for each row: how it was set up, or why it was not measured. */
  static Map<String, String> details(Results results) {
    Map<String, String> details = new LinkedHashMap<>();
    for (Row row : results.rows()) {
      String accuracy =
          row.accuracy()
              .map(
                  a ->
                      Units.text(
                          "; at most %.1e from FP32 over %,d rows", a.maxDifference(), a.rows()))
              .orElse("");
      details.put(
          row.name(),
          row.unavailable().map(reason -> "not measured: " + reason).orElse(row.detail())
              + accuracy);
    }
    return details;
  }

  /** Returns a table for each scenario that was measured. */
  static List<Table> of(Results results) {
    Settings settings = results.settings();
    String rows = settings.rows() == 1 ? "1 row each" : settings.rows() + " rows each";
    List<Row> measured = measured(results);
    List<Table> tables = new ArrayList<>();
    add(
        tables,
        Units.text("%d requests in flight, %s", settings.inFlight(), rows),
        List.of(
            "",
            "precision",
            "mean",
            "p50",
            "p99",
            "p99.9",
            "requests/s",
            "samples/s",
            "GPU use",
            "GPU memory",
            "requests"),
        measured,
        row -> row.concurrent().map(figures -> concurrent(row, figures)));
    add(
        tables,
        "SingleStream: one request after the other, " + rows,
        List.of("", "precision", "mean", "p50", "p99", "p99.9", "requests/s", "requests"),
        measured,
        row -> row.singleStream().map(figures -> single(row, figures)));
    add(
        tables,
        Units.text(
            "Server: random arrivals, %s, the highest rate with p99 within %s",
            rows, Units.tick(settings.slaMillis() * 1e3)),
        List.of("", "precision", "requests/s", "p50", "p99", "p99.9", "requests", "rates tried"),
        measured,
        row -> row.server().map(server -> server(row, server)));
    add(
        tables,
        "Offline: the largest requests",
        List.of("", "precision", "rows each", "in flight", "samples/s", "p50", "requests"),
        measured,
        row -> row.offline().map(figures -> offline(row, figures)));
    return tables;
  }

  private static void add(
      List<Table> tables,
      String title,
      List<String> header,
      List<Row> rows,
      Function<Row, Optional<List<String>>> cells) {
    List<List<String>> lines = rows.stream().map(cells).flatMap(Optional::stream).toList();
    if (!lines.isEmpty()) {
      tables.add(new Table(title, header, lines));
    }
  }

  private static List<String> concurrent(Row row, Figures figures) {
    List<String> cells = latencies(row, figures);
    cells.add(Units.rate(figures.requestsPerSecond()));
    cells.add(Units.rate(figures.rowsPerSecond()));
    cells.add(
        figures
            .gpu()
            .flatMap(
                use ->
                    use.utilisationPercent()
                        .map(
                            percent -> Units.text("%.0f %% (%d readings)", percent, use.samples())))
            .orElse(NONE));
    cells.add(figures.gpu().flatMap(Figures.GpuUse::memoryBytes).map(Units::bytes).orElse(NONE));
    cells.add(samples(figures));
    return cells;
  }

  private static List<String> single(Row row, Figures figures) {
    List<String> cells = latencies(row, figures);
    cells.add(Units.rate(figures.requestsPerSecond()));
    cells.add(samples(figures));
    return cells;
  }

  /** Begins a line with what was measured and how long it took. */
  private static List<String> latencies(Row row, Figures figures) {
    return new ArrayList<>(
        List.of(
            row.name(),
            row.precision(),
            mean(figures),
            Units.micros(figures.p50Micros()),
            Units.micros(figures.p99Micros()),
            Units.micros(figures.p999Micros())));
  }

  private static List<String> server(Row row, CapacitySearch.Capacity server) {
    String tried = Units.count(server.probes().size());
    return server
        .best()
        .map(
            best ->
                List.of(
                    row.name(),
                    row.precision(),
                    Units.rate(best.offeredPerSecond()),
                    Units.micros(best.p50Micros()),
                    Units.micros(best.p99Micros()),
                    Units.micros(best.p999Micros()),
                    samples(best),
                    tried))
        .orElseGet(
            () -> List.of(row.name(), row.precision(), "none", NONE, NONE, NONE, NONE, tried));
  }

  private static List<String> offline(Row row, Figures figures) {
    return List.of(
        row.name(),
        row.precision(),
        Units.count(figures.rows()),
        Units.count(figures.inFlight()),
        Units.rate(figures.rowsPerSecond()),
        Units.micros(figures.p50Micros()),
        samples(figures));
  }

  private static String mean(Figures figures) {
    return figures.samples() == 0 ? NONE : Units.micros(figures.meanMicros());
  }

  /** Returns what every figure of a line rests on. */
  static String samples(Figures figures) {
    return Units.count(figures.samples())
        + (figures.unanswered() == 0
            ? ""
            : " and " + Units.count(figures.unanswered()) + " unanswered");
  }
}
