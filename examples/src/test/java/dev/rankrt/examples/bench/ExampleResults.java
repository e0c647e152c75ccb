package dev.rankrt.examples.bench;

import dev.rankrt.examples.bench.CapacitySearch.Capacity;
import dev.rankrt.examples.bench.Results.Accuracy;
import dev.rankrt.examples.bench.Results.ModelFacts;
import dev.rankrt.examples.bench.Results.Row;
import dev.rankrt.examples.bench.Results.Scenario;
import dev.rankrt.examples.bench.Results.Settings;
import java.time.Instant;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import org.HdrHistogram.Histogram;

/** Results that nobody measured, with everything that results can have. */
final class ExampleResults {
  static final String HOSTILE = "<script>alert(\"&\")</script>";

  private ExampleResults() {}

  /** Every row but PyTorch's, which could not be measured. */
  static Results full() {
    List<Row> rows =
        Arrays.stream(Contender.values())
            .map(
                contender ->
                    contender == Contender.PYTORCH
                        ? Row.unavailable(contender, "no module named " + HOSTILE)
                        : row(contender))
            .toList();
    return new Results(
        Results.FORMAT,
        Instant.parse("2026-01-02T03:04:05Z"),
        "0.1.0",
        Optional.of("abc1234"),
        new Machine("A processor", 16, 1L << 37, "Linux 6.1", "OpenJDK 25", 1L << 33),
        Optional.of(
            new Gpu(
                "NVIDIA H200",
                "580.159.04",
                Optional.of("CUDA 12.6, TensorRT 10.6.0"),
                Optional.of(150_754_820_096L),
                Optional.of(1980),
                Optional.of(700.0),
                Optional.of(true),
                Optional.empty())),
        new ModelFacts("DLRM " + HOSTILE, 91_900_000, List.of("'dense' FLOAT32[batch, 64]")),
        new Settings(1, 10, 4096, 256, 10, 3, 0.6, 1.2, 5, List.of(Scenario.values())),
        rows);
  }

  private static Row row(Contender contender) {
    double micros = 40.0 * contender.title().length();
    Figures server = figures(Figures.Kind.OPEN, micros, 5000, 4);
    return new Row(
        contender.id(),
        contender.title(),
        contender.precision().name(),
        "10 sessions",
        Optional.empty(),
        1.5,
        Optional.of(new Accuracy(256, 0.003, 0.0002)),
        Optional.of(figures(Figures.Kind.CLOSED, micros, 0, 0)),
        Optional.of(figures(Figures.Kind.CLOSED, micros / 3, 0, 0)),
        Optional.of(
            new Capacity(
                10,
                Optional.of(server),
                List.of(
                    server.withoutDistribution(),
                    figures(Figures.Kind.OPEN, 60 * micros, 9000, 300).withoutDistribution()))),
        Optional.of(figures(Figures.Kind.CLOSED, 50 * micros, 0, 0)));
  }

  private static Figures figures(
      Figures.Kind kind, double micros, double offered, long unanswered) {
    Histogram nanos = new Histogram(3);
    for (int i = 1; i <= 4321; i++) {
      nanos.recordValue((long) (micros * 1000 * (0.5 + i / 4321.0)));
    }
    return Figures.of(nanos, unanswered, kind, kind == Figures.Kind.CLOSED ? 10 : 0, offered, 1, 3)
        .with(
            Optional.of(
                new Figures.GpuUse(
                    29,
                    Optional.of(64.0),
                    Optional.of(2_500_000_000L),
                    Optional.of(1980.0),
                    Optional.empty())));
  }
}
