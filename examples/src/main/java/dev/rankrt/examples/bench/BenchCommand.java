package dev.rankrt.examples.bench;

import com.google.gson.JsonParseException;
import dev.rankrt.Device;
import dev.rankrt.examples.bench.Results.Scenario;
import dev.rankrt.examples.bench.Results.Settings;
import dev.rankrt.examples.cli.CommonOptions;
import dev.rankrt.examples.cli.Json;
import dev.rankrt.examples.gpu.Nvml;
import dev.rankrt.examples.gpu.NvmlUnavailableException;
import java.io.IOException;
import java.nio.charset.CharacterCodingException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.stream.Stream;
import org.slf4j.LoggerFactory;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** Measures a model every way there is on this machine; see {@code --help}. */
@Command(
    name = "bench",
    mixinStandardHelpOptions = true,
    sortOptions = false,
    description = {
      "Measures how fast a model is on this machine: on the CPU, on the GPU without TensorRT, with"
          + " TensorRT in FP32 and FP16, with concurrent streams and with batching.",
      "What cannot be measured here is listed with the reason."
    })
public final class BenchCommand implements Callable<Integer> {
  /** Each has a thread that waits for its answer, and on a GPU a session as well. */
  private static final int MOST_IN_FLIGHT = 10_000;

  @Spec private CommandSpec spec;

  @Mixin private CommonOptions common;

  @Mixin private WorkloadOptions model;

  @Option(
      names = "--device",
      paramLabel = "auto|gpu|cpu",
      defaultValue = "auto",
      description =
          "What to measure: all that is here, all and fail without a GPU, or the CPU alone;"
              + " ${DEFAULT-VALUE} by default.")
  private Device.Type device;

  @Option(
      names = "--rows",
      paramLabel = "N",
      defaultValue = "1",
      description = "Rows of a request; ${DEFAULT-VALUE} by default.")
  private int rows;

  @Option(
      names = "--in-flight",
      paramLabel = "N",
      defaultValue = "10",
      description = "Requests in flight, at most 10000; ${DEFAULT-VALUE} by default.")
  private int inFlight;

  @Option(
      names = "--max-batch",
      paramLabel = "N",
      description =
          "Rows of the largest requests, for the Offline scenario; by default 4096 on a GPU and 256"
              + " on the CPU.")
  private Integer maxBatch;

  @Option(
      names = "--sla",
      paramLabel = "MS",
      defaultValue = "10",
      description =
          "The milliseconds that p99 has to stay within in the Server scenario; ${DEFAULT-VALUE} by"
              + " default.")
  private double slaMillis;

  @Option(
      names = "--duration",
      paramLabel = "S",
      defaultValue = "3",
      description =
          "Seconds of each measurement; ${DEFAULT-VALUE} by default. A fifth of it goes before, to"
              + " warm up.")
  private double seconds;

  @Option(
      names = "--quick",
      description = "Measure for 0.2 s: shows that everything works, and no more.")
  private boolean quick;

  @Option(
      names = "--scenario",
      paramLabel = "NAME",
      split = ",",
      description =
          "Some of ${COMPLETION-CANDIDATES}, separated by commas; all of them by default.")
  private List<Scenario> scenarios = List.of(Scenario.values());

  @Option(
      names = "--torch-script",
      paramLabel = "FILE",
      defaultValue = "examples/models/bench_torch.py",
      description = "What measures PyTorch, run by python3; ${DEFAULT-VALUE} by default.")
  private Path torchScript;

  @Option(
      names = "--commit",
      paramLabel = "TEXT",
      description =
          "What was built, for the results; by default what git says of the working folder, if that"
              + " is where the sources are.")
  private Optional<String> commit = Optional.empty();

  @Option(
      names = "--from",
      paramLabel = "FILE",
      description = "Measure nothing: show the results in this JSON file.")
  private Path from;

  @Option(
      names = "--html",
      paramLabel = "FILE",
      description = "Write a page with charts, which needs no other file.")
  private Path html;

  @Option(names = "--svg", paramLabel = "FILE", description = "Write the comparison as a picture.")
  private Path svg;

  @Override
  public Integer call() throws Exception {
    if (html != null) {
      CommonOptions.requireWritable(spec, "--html", html);
    }
    if (svg != null) {
      CommonOptions.requireWritable(spec, "--svg", svg);
    }
    Results results = from == null ? measure() : read(from);
    // First, so that what was measured is not lost with a page that cannot be written.
    common.write(spec.commandLine().getOut(), results, TextReport.of(results));
    if (html != null) {
      CommonOptions.save("--html", html, HtmlPage.of(results));
    }
    if (svg != null) {
      CommonOptions.save("--svg", svg, new Charts(results).picture());
    }
    return CommandLine.ExitCode.OK;
  }

  private Results measure() throws Exception {
    Settings settings = settings();
    Workload workload = model.workload();
    if (device == Device.Type.CPU) {
      return bench(workload, settings, GpuMeter.none()).run(version(), commit(), Optional.empty());
    }
    try (Nvml nvml = Nvml.open()) {
      GpuMeter meter = GpuMeter.of(() -> nvml.sample(Gpu.INDEX));
      return bench(workload, settings, meter).run(version(), commit(), Gpu.describe(nvml));
    } catch (NvmlUnavailableException e) {
      // No field: a logger that is there before the options are read ignores --quiet and --verbose.
      LoggerFactory.getLogger(BenchCommand.class)
          .debug("no figures of the GPU's use: {}", e.getMessage());
      return bench(workload, settings, GpuMeter.none()).run(version(), commit(), Optional.empty());
    }
  }

  private Optional<String> commit() {
    return commit.or(Machine::commit);
  }

  private Bench bench(Workload workload, Settings settings, GpuMeter meter) {
    return new Bench(workload, settings, device, torchScript, meter, common.progress());
  }

  private Settings settings() {
    model.requirePositive("--rows", rows);
    model.requireBetween("--in-flight", inFlight, 1, MOST_IN_FLIGHT, "");
    model.requireSla(slaMillis);
    model.requireDuration(seconds);
    if (maxBatch != null && maxBatch < rows) {
      throw model.wrong("--max-batch is at least --rows, " + rows + ", not " + maxBatch);
    }
    double length = quick ? 0.2 : seconds;
    return new Settings(
        rows,
        inFlight,
        maxBatch == null ? Math.max(rows, 4096) : maxBatch,
        maxBatch == null ? Math.max(rows, 256) : maxBatch,
        slaMillis,
        length,
        length / 5,
        length * 0.3,
        quick ? 2 : 5,
        List.copyOf(scenarios));
  }

  private Results read(Path file) throws IOException {
    if (Files.isDirectory(file)) {
      throw noResults(file, null);
    }
    Results results;
    try {
      results = Json.read(Files.readString(file), Results.class);
    } catch (JsonParseException | CharacterCodingException e) {
      throw noResults(file, e);
    }
    if (results == null || results.format() != Results.FORMAT || !isWhole(results)) {
      throw noResults(file, null);
    }
    return results;
  }

  /** What {@code tune} writes is of a format 1, too, but has not all of this. */
  private static boolean isWhole(Results results) {
    return Stream.of(
            results.date(),
            results.rankrt(),
            results.machine(),
            results.model(),
            results.settings(),
            results.rows())
        .allMatch(Objects::nonNull);
  }

  /** Where a parser stopped is for {@code --verbose}, which shows the cause. */
  private static IOException noResults(Path file, Exception cause) {
    return new IOException(
        file
            + " holds no results of bench: expected what \"rankrt bench --json FILE\" of this"
            + " version writes, with \"format\": "
            + Results.FORMAT
            + "; name such a file, or leave --from away to measure",
        cause);
  }

  /** Returns the version of RankRT that this is. */
  static String version() {
    String version = BenchCommand.class.getPackage().getImplementationVersion();
    return version == null ? "development" : version;
  }
}
