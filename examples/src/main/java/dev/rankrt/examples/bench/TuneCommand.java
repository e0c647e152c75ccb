package dev.rankrt.examples.bench;

import dev.rankrt.Device;
import dev.rankrt.Engine;
import dev.rankrt.EngineOptions;
import dev.rankrt.Ranker;
import dev.rankrt.TensorSpec;
import dev.rankrt.examples.bench.Results.Accuracy;
import dev.rankrt.examples.bench.Results.ModelFacts;
import dev.rankrt.examples.bench.Setting.Traffic;
import dev.rankrt.examples.cli.CommonOptions;
import dev.rankrt.examples.cli.Progress;
import dev.rankrt.examples.gpu.Nvml;
import dev.rankrt.examples.gpu.NvmlUnavailableException;
import java.io.IOException;
import java.nio.file.Files;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.Callable;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** Finds settings for a model and its traffic; see {@code --help}. */
@Command(
    name = "tune",
    mixinStandardHelpOptions = true,
    sortOptions = false,
    description = {
      "Finds the settings for a model and the traffic that it is to serve, by measuring them here,"
          + " and prints them as Java.",
      "Takes a minute on the CPU, and a few on a GPU, where each precision and batch is built."
    })
public final class TuneCommand implements Callable<Integer> {
  private static final int FORMAT = 1;
  private static final int HALVINGS = 4;
  private static final int WARM_UP_IN_FLIGHT = 4;

  /** Fewer never come while it measures. */
  private static final double LEAST_RATE = 0.001;

  /** More could not be sent. */
  private static final double MOST_RATE = 10_000_000;

  @Spec private CommandSpec spec;

  @Mixin private CommonOptions common;

  @Mixin private WorkloadOptions model;

  @Option(
      names = "--rate",
      paramLabel = "N",
      required = true,
      description = "Requests a second, which come at random times.")
  private double rate;

  @Option(
      names = "--rows",
      paramLabel = "N",
      defaultValue = "1",
      description = "Rows of a request; ${DEFAULT-VALUE} by default.")
  private int rows;

  @Option(
      names = "--sla",
      paramLabel = "MS",
      defaultValue = "10",
      description = "The milliseconds that p99 has to stay within; ${DEFAULT-VALUE} by default.")
  private double slaMillis;

  @Option(
      names = "--tolerance",
      paramLabel = "D",
      defaultValue = "0.005",
      description =
          "How far an output may be from FP32's for a lower precision to be chosen;"
              + " ${DEFAULT-VALUE} by default.")
  private double tolerance;

  @Option(
      names = "--device",
      paramLabel = "auto|gpu|cpu",
      defaultValue = "auto",
      description = "Where to serve; ${DEFAULT-VALUE} by default.")
  private Device.Type device;

  @Option(
      names = "--duration",
      paramLabel = "S",
      defaultValue = "1",
      description = "Seconds of each measurement; ${DEFAULT-VALUE} by default.")
  private double seconds;

  @Option(
      names = "--quick",
      description = "Measure for 0.1 s: shows that everything works, and no more.")
  private boolean quick;

  @Override
  public Integer call() throws Exception {
    model.requireBetween("--rate", rate, LEAST_RATE, MOST_RATE, " requests a second");
    model.requirePositive("--rows", rows);
    model.requireSla(slaMillis);
    model.requireDuration(seconds);
    if (!(tolerance >= 0)) {
      throw model.wrong("--tolerance is 0 or more, not " + tolerance);
    }
    Workload workload = model.workload();
    Instant began = Instant.now();
    // Opening once says where the model runs, and what its inputs are.
    Setup start = Setup.defaults(rows);
    Device where;
    List<TensorSpec> inputs;
    try (Engine engine = Engine.open(workload.file(), start.engineOptions(workload, asked()))) {
      where = engine.device();
      inputs = engine.inputs();
    }
    boolean gpu = where.type() == Device.Type.GPU;
    Traffic traffic =
        new Traffic(rows, rate, slaMillis, Runtime.getRuntime().availableProcessors());
    warmUp(workload, where, start);
    Progress progress = common.progress();
    Tuner.Found found =
        new Tuner(traffic, tolerance, gpu, setup -> measure(workload, where, setup), progress)
            .tune(start);
    CapacitySearch.Capacity capacity = capacity(workload, where, found.setup(), progress);
    boolean met = found.after().figures().within(slaMillis);
    TuneResults results =
        new TuneResults(
            FORMAT,
            began,
            BenchCommand.version(),
            Machine.here(),
            gpu ? describeGpu() : Optional.empty(),
            new ModelFacts(
                workload.name(),
                Files.size(workload.file()),
                inputs.stream().map(TensorSpec::toString).toList()),
            traffic,
            tolerance,
            met,
            found,
            capacity,
            JavaCode.of(found.setup(), workload, where));
    common.write(spec.commandLine().getOut(), results, results.text());
    return met ? CommandLine.ExitCode.OK : CommandLine.ExitCode.SOFTWARE;
  }

  /** Has the process compile its code, for which few requests a second take too long. */
  private void warmUp(Workload workload, Device where, Setup setup) throws IOException {
    Duration length = Units.duration(3 * length());
    try (Subject subject = serve(workload, where, setup)) {
      Figures most = subject.closed(WARM_UP_IN_FLIGHT, rows, length);
      subject.open(most.requestsPerSecond() / 2, rows, length, grace());
    }
  }

  private Tuner.Measured measure(Workload workload, Device where, Setup setup) throws IOException {
    EngineOptions options = setup.engineOptions(workload, where);
    Optional<Accuracy> accuracy = Optional.empty();
    if (where.type() == Device.Type.GPU) {
      // Out of the plan cache from here on: building is where the time goes.
      try (Engine engine = Engine.open(workload.file(), options)) {
        accuracy = engine.accuracy().map(Accuracy::of);
      }
    }
    try (Subject subject = serve(workload, where, setup)) {
      Duration length = Units.duration(enough(rate));
      Figures best = Tuner.settled(() -> subject.open(rate, rows, length, grace()));
      return new Tuner.Measured(best.withoutDistribution(), accuracy);
    }
  }

  private CapacitySearch.Capacity capacity(
      Workload workload, Device where, Setup setup, Progress progress) throws IOException {
    try (Progress.Task task = progress.begin("capacity", -1);
        Subject subject = serve(workload, where, setup)) {
      return CapacitySearch.find(
          rate,
          HALVINGS,
          slaMillis,
          tried -> {
            task.step(1);
            return subject.open(tried, rows, Units.duration(enough(tried)), grace());
          });
    }
  }

  /** Opens a ranker and warms it up. */
  private Subject serve(Workload workload, Device where, Setup setup) throws IOException {
    Ranker ranker =
        Ranker.open(workload.file(), setup.engineOptions(workload, where), setup.rankerOptions());
    Subject subject =
        Subject.of(new RankerTarget(ranker, workload.requests(ranker.inputs(), ranker.outputs())));
    boolean success = false;
    try {
      subject.closed(WARM_UP_IN_FLIGHT, rows, Units.duration(length() / 4));
      success = true;
      return subject;
    } finally {
      if (!success) {
        subject.close();
      }
    }
  }

  private double length() {
    return quick ? 0.1 : seconds;
  }

  /** Returns how long requests have to come for their p99 to mean something. */
  private double enough(double perSecond) {
    return Math.max(length(), Math.min(300 / perSecond, 2 * length()));
  }

  private Duration grace() {
    return Units.duration(2 * slaMillis / 1e3);
  }

  private Device asked() {
    return switch (device) {
      case AUTO -> Device.auto();
      case GPU -> Device.gpu(0);
      case CPU -> Device.cpu();
    };
  }

  private static Optional<Gpu> describeGpu() {
    try (Nvml nvml = Nvml.open()) {
      return Gpu.describe(nvml);
    } catch (NvmlUnavailableException e) {
      return Optional.empty();
    }
  }
}
