package dev.rankrt.examples.bench;

import dev.rankrt.examples.bench.Results.Row;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.function.Function;
import java.util.stream.DoubleStream;

/**
 * Results as SVG. Colours and fonts are those of {@link #STYLE}, which goes into the page or the
 * picture once; a row has the same colour in every chart.
 */
final class Charts {
  /** Colours for light and dark, each at least 4.5 to 1 against its background. */
  static final String STYLE =
      """
      :root{--paper:#ffffff;--ink:#1f2937;--soft:#5b6472;--grid:#e3e7ed;--edge:#c9d0da;--limit:#b91c1c;
      --s0:#5b6472;--s1:#8a5a00;--s2:#c2410c;--s3:#1d4ed8;--s4:#0f766e;--s5:#7e22ce;--s6:#be185d}
      @media (prefers-color-scheme:dark){:root{--paper:#12161d;--ink:#e6eaf0;--soft:#a3adbb;--grid:#262d38;
      --edge:#3b4452;--limit:#f87171;
      --s0:#a3adbb;--s1:#eab308;--s2:#fb923c;--s3:#60a5fa;--s4:#2dd4bf;--s5:#c084fc;--s6:#f472b6}}
      svg text{font:13px system-ui,sans-serif;fill:var(--ink)}
      svg .soft{fill:var(--soft);font-size:12px}
      svg .title{font-size:15px;font-weight:600}
      svg .end{text-anchor:end}
      svg .middle{text-anchor:middle}
      svg .grid{stroke:var(--grid)}
      svg .edge{stroke:var(--edge)}
      svg .limit{stroke:var(--limit);stroke-dasharray:6 4;stroke-width:1.5}
      svg .curve{fill:none;stroke-width:2}
      """;

  static final int WIDTH = 760;

  private static final int LABELS = 172;
  private static final int VALUES = 165;
  private static final int BAR_STEP = 30;
  private static final int BAR = 18;
  private static final int PLOT_LEFT = 66;
  private static final int PLOT_RIGHT = 24;
  private static final int PLOT_HEIGHT = 280;
  private static final int LEGEND_STEP = 20;
  private static final int LEGEND_COLUMN = 228;

  /** How far above its limit a latency is still told from others. */
  private static final double SHOWN_OVER_LIMIT = 4;

  private static final double[] PERCENTILE_TICKS = {0, 50, 90, 99, 99.9, 99.99, 99.999};
  private static final String[] DASHES = {"", "7 3", "2 3", "", "7 3", "", "2 3"};

  private final List<Row> rows;
  private final Results results;

  Charts(Results results) {
    this.results = results;
    this.rows = results.rows();
  }

  /**
   * A chart. Immutable.
   *
   * @param title what it shows
   * @param caption how to read it
   * @param height in the units of its contents, {@link #WIDTH} of which are its width
   * @param contents SVG elements
   */
  record Chart(String title, String caption, int height, String contents) {
    String svg() {
      return Units.text(
          "<svg viewBox=\"0 0 %d %d\" role=\"img\" aria-label=\"%s\">%s</svg>",
          WIDTH, height, escape(title), contents);
    }
  }

  /** Returns every chart that the results have figures for. */
  List<Chart> all() {
    List<Chart> charts = new ArrayList<>();
    throughput().ifPresent(charts::add);
    latency().ifPresent(charts::add);
    distribution().ifPresent(charts::add);
    server().ifPresent(charts::add);
    offline().ifPresent(charts::add);
    return charts;
  }

  /** Returns the comparison as a picture that stands for itself. */
  String picture() {
    List<Chart> charts = new ArrayList<>();
    throughput().ifPresent(charts::add);
    latency().ifPresent(charts::add);
    StringBuilder contents = new StringBuilder();
    int y = 16;
    for (Chart chart : charts) {
      contents.append(text(16, y + 14, "title", chart.title()));
      contents.append(
          Units.text("<g transform=\"translate(0 %d)\">%s</g>", y + 24, chart.contents()));
      y += chart.height() + 44;
    }
    contents.append(text(16, y + 4, "soft", source()));
    int height = y + 20;
    return Units.text(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" width=\"%d\""
                + " height=\"%d\" role=\"img\" aria-label=\"%s\">",
            WIDTH, height, WIDTH, height, escape(source()))
        + "<style>"
        + STYLE.replace("\n", "")
        + "</style>"
        + "<rect width=\"100%\" height=\"100%\" rx=\"8\" style=\"fill:var(--paper)\"/>"
        + contents
        + "</svg>\n";
  }

  private String source() {
    return results.model().name()
        + "; "
        + results.gpu().map(Gpu::name).orElse(results.machine().cpu())
        + ", "
        + results.date().toString().substring(0, 10);
  }

  private Optional<Chart> throughput() {
    return bars(
        Units.text("Requests a second, %s", load()),
        "Longer is better.",
        Row::concurrent,
        Figures::requestsPerSecond);
  }

  private Optional<Chart> offline() {
    return bars(
        "Offline: samples a second, with the largest requests",
        "Longer is better.",
        Row::offline,
        Figures::rowsPerSecond);
  }

  private String load() {
    int size = results.settings().rows();
    return Units.text(
        "%d in flight, %s each",
        results.settings().inFlight(), size == 1 ? "1 row" : size + " rows");
  }

  private Optional<Chart> bars(
      String title,
      String caption,
      Function<Row, Optional<Figures>> scenario,
      Function<Figures, Double> value) {
    double most =
        rows.stream()
            .map(scenario)
            .flatMap(Optional::stream)
            .mapToDouble(value::apply)
            .max()
            .orElse(0);
    if (most == 0) {
      return Optional.empty();
    }
    StringBuilder svg = new StringBuilder();
    int width = WIDTH - LABELS - VALUES;
    int y = 8;
    for (Row row : rows) {
      Optional<Figures> figures = scenario.apply(row);
      if (figures.isEmpty()) {
        continue;
      }
      double perSecond = value.apply(figures.get());
      String rate = Units.rate(perSecond);
      double length = Math.max(1.5, perSecond / most * width);
      label(svg, row, y);
      svg.append(
          Units.text(
              "<rect x=\"%d\" y=\"%d\" width=\"%.1f\" height=\"%d\" rx=\"2\""
                  + " style=\"fill:%s\"/>",
              LABELS, y, length, BAR, colour(row)));
      svg.append(text(LABELS + length + 8, y + 14, "", rate));
      double after = LABELS + length + 16 + 8 * rate.length();
      svg.append(text(after, y + 14, "soft", "n " + Units.count(figures.get().samples())));
      y += BAR_STEP;
    }
    return Optional.of(new Chart(title, caption, y, svg.toString()));
  }

  private Optional<Chart> latency() {
    List<Figures> all = rows.stream().map(Row::concurrent).flatMap(Optional::stream).toList();
    OptionalDouble least =
        all.stream().flatMap(f -> f.p50Micros().stream()).mapToDouble(v -> v).min();
    OptionalDouble most =
        all.stream()
            .flatMapToDouble(
                f -> DoubleStream.of(f.p99Micros().orElse(0.0), f.p999Micros().orElse(0.0)))
            .max();
    if (least.isEmpty() || most.orElse(0) == 0) {
      return Optional.empty();
    }
    LogAxis axis = LogAxis.around(least.getAsDouble(), most.getAsDouble(), LABELS, WIDTH - VALUES);
    StringBuilder svg = new StringBuilder();
    List<Row> drawn =
        rows.stream()
            .filter(row -> row.concurrent().filter(f -> f.p50Micros().isPresent()).isPresent())
            .toList();
    int bottom = 8 + drawn.size() * BAR_STEP;
    for (double tick : axis.ticks()) {
      double x = axis.at(tick);
      line(svg, "grid", x, 0, x, bottom);
      svg.append(text(x, bottom + 16, "soft middle", Units.tick(tick)));
    }
    int y = 8;
    for (Row row : drawn) {
      label(svg, row, y);
      range(svg, row.concurrent().orElseThrow(), axis, y + BAR / 2.0, colour(row));
      y += BAR_STEP;
    }
    svg.append(text(WIDTH - VALUES + 44, bottom + 16, "soft", "p50 / p99"));
    return Optional.of(
        new Chart(
            "Latency, " + load(),
            "From the filled dot, the median, to the ring, p99, and the stroke, p99.9. Further left"
                + " is better; the axis is logarithmic.",
            bottom + 26,
            svg.toString()));
  }

  private static void range(
      StringBuilder svg, Figures figures, LogAxis axis, double y, String colour) {
    double p50 = axis.at(figures.p50Micros().orElseThrow());
    double p99 = figures.p99Micros().map(axis::at).orElse(p50);
    double p999 = figures.p999Micros().map(axis::at).orElse(p99);
    svg.append(
        Units.text(
            "<path d=\"M%.1f %.1fH%.1f\" style=\"stroke:%s;stroke-width:4;opacity:.45\"/>",
            p50, y, p99, colour));
    svg.append(
        Units.text(
            "<path d=\"M%.1f %.1fH%.1f\" style=\"stroke:%s;stroke-width:1.5\"/>",
            p99, y, p999, colour));
    if (figures.p999Micros().isPresent()) {
      svg.append(
          Units.text(
              "<path d=\"M%.1f %.1fv12\" style=\"stroke:%s;stroke-width:2\"/>",
              p999, y - 6, colour));
    }
    if (figures.p99Micros().isPresent()) {
      svg.append(
          Units.text(
              "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"5\""
                  + " style=\"fill:var(--paper);stroke:%s;stroke-width:2\"/>",
              p99, y, colour));
    }
    svg.append(
        Units.text(
            "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"5.5\" style=\"fill:%s\"/>", p50, y, colour));
    svg.append(
        text(
            WIDTH - VALUES + 14,
            y + 4,
            "",
            Units.micros(figures.p50Micros()) + " / " + Units.micros(figures.p99Micros())));
  }

  private Optional<Chart> distribution() {
    List<Row> drawn =
        rows.stream()
            .filter(row -> row.concurrent().filter(f -> f.distribution().size() > 1).isPresent())
            .toList();
    if (drawn.isEmpty()) {
      return Optional.empty();
    }
    List<Figures.Point> points =
        drawn.stream()
            .flatMap(row -> row.concurrent().orElseThrow().distribution().stream())
            .toList();
    double least = points.stream().mapToDouble(Figures.Point::micros).min().orElseThrow();
    double most = points.stream().mapToDouble(Figures.Point::micros).max().orElseThrow();
    double nines = points.stream().mapToDouble(p -> nines(p.percentile())).max().orElseThrow();
    StringBuilder svg = new StringBuilder();
    int top = legend(svg, drawn);
    int bottom = top + PLOT_HEIGHT;
    LogAxis y = LogAxis.around(least, most, bottom, top);
    verticalAxis(svg, y);
    double scale = (WIDTH - PLOT_RIGHT - PLOT_LEFT) / nines;
    for (double percentile : PERCENTILE_TICKS) {
      if (nines(percentile) <= nines) {
        double x = PLOT_LEFT + scale * nines(percentile);
        line(svg, "grid", x, top, x, bottom);
        String tick = percentile == 0 ? "fastest" : "p" + trimmed(percentile);
        svg.append(text(x, bottom + 18, "soft middle", tick));
      }
    }
    for (Row row : drawn) {
      StringBuilder path = new StringBuilder();
      for (Figures.Point point : row.concurrent().orElseThrow().distribution()) {
        path.append(
            Units.text(
                "%s%.1f %.1f",
                path.isEmpty() ? "M" : "L",
                PLOT_LEFT + scale * nines(point.percentile()),
                y.at(point.micros())));
      }
      curve(svg, path.toString(), series(row));
    }
    return Optional.of(
        new Chart(
            "Latency by percentile, " + load(),
            "Lower is better, and the further to the right a curve stays flat, the better. Curves"
                + " end where fewer than one request would decide.",
            bottom + 30,
            svg.toString()));
  }

  private Optional<Chart> server() {
    List<Row> drawn =
        rows.stream()
            .filter(row -> row.server().flatMap(CapacitySearch.Capacity::best).isPresent())
            .toList();
    if (drawn.isEmpty()) {
      return Optional.empty();
    }
    double limit = results.settings().slaMillis() * 1e3;
    List<Figures> points =
        drawn.stream().flatMap(row -> shown(row.server().orElseThrow()).stream()).toList();
    StringBuilder svg = new StringBuilder();
    int top = legend(svg, drawn);
    int bottom = top + PLOT_HEIGHT;
    double least =
        points.stream()
            .flatMap(f -> f.p99Micros().stream())
            .mapToDouble(v -> v)
            .min()
            .orElse(limit);
    LogAxis y = new LogAxis(Math.min(least, limit) * 0.8, limit * SHOWN_OVER_LIMIT, bottom, top);
    LogAxis x =
        LogAxis.around(
            points.stream().mapToDouble(Figures::offeredPerSecond).min().orElseThrow(),
            points.stream().mapToDouble(Figures::offeredPerSecond).max().orElseThrow(),
            PLOT_LEFT,
            WIDTH - PLOT_RIGHT);
    verticalAxis(svg, y);
    for (double tick : x.ticks()) {
      line(svg, "grid", x.at(tick), top, x.at(tick), bottom);
      svg.append(text(x.at(tick), bottom + 18, "soft middle", Units.text("%,.0f", tick)));
    }
    line(svg, "limit", PLOT_LEFT, y.at(limit), WIDTH - PLOT_RIGHT, y.at(limit));
    svg.append(text(PLOT_LEFT + 8, y.at(limit) - 6, "soft", "limit of p99: " + Units.tick(limit)));
    for (Row row : drawn) {
      tries(svg, row, x, y);
    }
    svg.append(
        text((PLOT_LEFT + WIDTH) / 2.0, bottom + 38, "soft middle", "requests a second, offered"));
    return Optional.of(
        new Chart(
            "Server: p99 against throughput, arrivals at random",
            "Each dot is a rate that was tried; the ring is the highest whose p99 stayed within the"
                + " limit. A curve ends at the first rate that was far too high.",
            bottom + 46,
            svg.toString()));
  }

  private void tries(StringBuilder svg, Row row, LogAxis x, LogAxis y) {
    CapacitySearch.Capacity server = row.server().orElseThrow();
    double best = server.best().map(Figures::offeredPerSecond).orElse(0.0);
    StringBuilder path = new StringBuilder();
    StringBuilder dots = new StringBuilder();
    for (Figures figures : shown(server)) {
      double px = x.at(figures.offeredPerSecond());
      double py = y.at(figures.p99Micros().orElse(Double.MAX_VALUE));
      boolean ring = figures.offeredPerSecond() == best;
      path.append(Units.text("%s%.1f %.1f", path.isEmpty() ? "M" : "L", px, py));
      dots.append(
          Units.text(
              "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"%d\""
                  + " style=\"fill:%s;stroke:%s;stroke-width:2\"/>",
              px, py, ring ? 6 : 3, ring ? "var(--paper)" : colour(row), colour(row)));
    }
    curve(svg, path.toString(), series(row));
    svg.append(dots);
  }

  /** Returns the rates that were tried, up to the first one that was far too high. */
  private static List<Figures> shown(CapacitySearch.Capacity server) {
    // A rate that was tried twice is what its second try made it.
    SortedMap<Double, Figures> byRate = new TreeMap<>();
    server.probes().stream()
        .filter(figures -> !figures.mayBeWithin(server.slaMillis()))
        .forEach(figures -> byRate.put(figures.offeredPerSecond(), figures));
    List<Figures> shown = new ArrayList<>();
    for (Figures figures : byRate.values()) {
      shown.add(figures);
      if (!figures.within(server.slaMillis() * SHOWN_OVER_LIMIT)) {
        break;
      }
    }
    return shown;
  }

  private static void curve(StringBuilder svg, String path, int series) {
    svg.append(
        Units.text(
            "<path class=\"curve\" d=\"%s\" style=\"stroke:var(--s%d)\" stroke-dasharray=\"%s\"/>",
            path, series, DASHES[series]));
  }

  private static void verticalAxis(StringBuilder svg, LogAxis axis) {
    for (double tick : axis.ticks()) {
      line(svg, "grid", PLOT_LEFT, axis.at(tick), WIDTH - PLOT_RIGHT, axis.at(tick));
      svg.append(text(PLOT_LEFT - 8, axis.at(tick) + 4, "soft end", Units.tick(tick)));
    }
  }

  /** Adds a legend, and returns where the plot may begin. */
  private int legend(StringBuilder svg, List<Row> drawn) {
    int columns = (WIDTH - PLOT_LEFT) / LEGEND_COLUMN;
    for (int i = 0; i < drawn.size(); i++) {
      int x = PLOT_LEFT + i % columns * LEGEND_COLUMN;
      int y = 12 + i / columns * LEGEND_STEP;
      curve(svg, Units.text("M%d %dh26", x, y), series(drawn.get(i)));
      svg.append(text(x + 34, y + 4, "", drawn.get(i).name()));
    }
    return 12 + (drawn.size() + columns - 1) / columns * LEGEND_STEP + 4;
  }

  private String colour(Row row) {
    return Units.text("var(--s%d)", series(row));
  }

  /** Returns the number of a row's colour, which is by its place among all rows. */
  private int series(Row row) {
    return rows.indexOf(row) % DASHES.length;
  }

  private static void label(StringBuilder svg, Row row, int y) {
    svg.append(text(LABELS - 10, y + 14, "end", row.name()));
  }

  private static void line(
      StringBuilder svg, String kind, double x1, double y1, double x2, double y2) {
    svg.append(
        Units.text(
            "<line class=\"%s\" x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\"/>",
            kind, x1, y1, x2, y2));
  }

  private static String text(double x, double y, String kind, String text) {
    return Units.text(
        "<text class=\"%s\" x=\"%.1f\" y=\"%.1f\">%s</text>", kind, x, y, escape(text));
  }

  /** Returns how many nines a percentile has: 1 for 90, 2 for 99. */
  private static double nines(double percentile) {
    return -Math.log10(1 - percentile / 100);
  }

  private static String trimmed(double number) {
    return number == Math.rint(number) ? Units.text("%.0f", number) : Double.toString(number);
  }

  static String escape(String text) {
    return text.replace("&", "&amp;")
        .replace("<", "&lt;")
        .replace(">", "&gt;")
        .replace("\"", "&quot;");
  }

  /**
   * A logarithmic axis. Immutable.
   *
   * @param low the value at its beginning
   * @param high the value at its end
   * @param begin the place of its beginning
   * @param end the place of its end
   */
  private record LogAxis(double low, double high, double begin, double end) {
    private static final double DECADES_WITH_FINE_TICKS = 2.2;

    /** Returns an axis with some room around its values. */
    static LogAxis around(double least, double most, double begin, double end) {
      return new LogAxis(least * 0.85, Math.max(most * 1.15, least * 2), begin, end);
    }

    double at(double value) {
      double share = Math.log(value / low) / Math.log(high / low);
      return begin + Math.min(1, Math.max(0, share)) * (end - begin);
    }

    /** Returns powers of ten, and where there are few of them also 2 and 5 times those. */
    List<Double> ticks() {
      boolean fine = Math.log10(high / low) < DECADES_WITH_FINE_TICKS;
      List<Double> ticks = new ArrayList<>();
      for (double ten = Math.pow(10, Math.floor(Math.log10(low))); ten <= high; ten *= 10) {
        for (int factor : fine ? new int[] {1, 2, 5} : new int[] {1}) {
          if (ten * factor >= low && ten * factor <= high) {
            ticks.add(ten * factor);
          }
        }
      }
      return ticks;
    }
  }
}
