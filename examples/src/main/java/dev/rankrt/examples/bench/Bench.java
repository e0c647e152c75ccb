package dev.rankrt.examples.bench;

import dev.rankrt.Device;
import dev.rankrt.Engine;
import dev.rankrt.EngineOptions;
import dev.rankrt.Ranker;
import dev.rankrt.TensorSpec;
import dev.rankrt.examples.bench.Results.Accuracy;
import dev.rankrt.examples.bench.Results.ModelFacts;
import dev.rankrt.examples.bench.Results.Row;
import dev.rankrt.examples.bench.Results.Scenario;
import dev.rankrt.examples.bench.Results.Settings;
import dev.rankrt.examples.cli.Progress;
import dev.rankrt.natives.NativeLoadException;
import dev.rankrt.natives.RankRtException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.IntFunction;

/** Measures every row of the comparison that can be measured here. One thread at a time. */
final class Bench {
  private static final int LONGEST_REASON = 110;

  /** Rates tried before the search of {@link Scenario#SERVER} begins to halve; a usual number. */
  private static final int USUAL_DOUBLINGS = 4;

  /** How many requests a try of {@link Scenario#SERVER} should have: p99 needs 100. */
  private static final double ENOUGH = 300;

  /** How much longer than usual a try may take to have them. */
  private static final int LONGEST = 4;

  private final Workload workload;
  private final Settings settings;
  private final Device.Type device;
  private final Path torchScript;
  private final GpuMeter meter;
  private final Progress progress;
  private List<TensorSpec> inputs = List.of();

  /**
   * Creates a run.
   *
   * @param device the CPU to leave the GPU alone, a GPU to insist on one
   * @param torchScript what measures PyTorch
   * @param meter reads how the GPU is used
   */
  Bench(
      Workload workload,
      Settings settings,
      Device.Type device,
      Path torchScript,
      GpuMeter meter,
      Progress progress) {
    this.workload = workload;
    this.settings = settings;
    this.device = device;
    this.torchScript = torchScript;
    this.meter = meter;
    this.progress = progress;
  }

  /**
   * Something that is ready to be measured. Whoever opened it closes its subject.
   *
   * @param maxRows the rows of its largest requests
   */
  private record Opened(
      Subject subject, String detail, int maxRows, double seconds, Optional<Accuracy> accuracy) {}

  /**
   * Measures.
   *
   * @param gpu the GPU's description, if there is one
   * @throws IOException if the model cannot be read
   * @throws RankRtException if nothing could be measured, or not the GPU that was insisted on
   */
  Results run(String version, Optional<Gpu> gpu) throws Exception {
    Instant began = Instant.now();
    List<Row> rows = new ArrayList<>();
    RankRtException failure = null;
    long steps = (long) Contender.values().length * stepsOfARow();
    try (Progress.Task task = progress.begin("bench", steps)) {
      for (Contender contender : Contender.values()) {
        task.say(contender.title());
        try {
          rows.add(measure(contender, task));
        } catch (RankRtException e) {
          if (device == Device.Type.GPU && e instanceof NativeLoadException) {
            throw e;
          }
          failure = e;
          rows.add(Row.unavailable(contender, reason(e)));
        }
      }
    }
    if (failure != null && rows.stream().allMatch(row -> row.unavailable().isPresent())) {
      throw failure;
    }
    ModelFacts model =
        new ModelFacts(
            workload.name(),
            Files.size(workload.file()),
            inputs.stream().map(TensorSpec::toString).toList());
    return new Results(
        Results.FORMAT,
        began,
        version,
        Machine.commit(),
        Machine.here(),
        gpu,
        model,
        settings,
        List.copyOf(rows));
  }

  private int stepsOfARow() {
    return settings.scenarios().stream()
        .mapToInt(
            scenario -> scenario == Scenario.SERVER ? USUAL_DOUBLINGS + settings.halvings() : 1)
        .sum();
  }

  private Row measure(Contender contender, Progress.Task task) throws Exception {
    if (contender.kind().onGpu() && device == Device.Type.CPU) {
      task.step(stepsOfARow());
      return Row.unavailable(contender, "--device cpu");
    }
    Opened opened;
    try {
      opened = open(contender);
    } catch (IOException e) {
      task.step(stepsOfARow());
      return Row.unavailable(contender, shortened(e.getMessage()));
    }
    try (Subject subject = opened.subject()) {
      boolean gpu = contender.kind().onGpu();
      // Also tells the search for the highest rate where to begin.
      double atOnce = warmUp(subject, settings.inFlight(), settings.rows()).requestsPerSecond();
      return new Row(
          contender.id(),
          contender.title(),
          contender.precision().name(),
          opened.detail(),
          Optional.empty(),
          opened.seconds(),
          opened.accuracy(),
          closed(Scenario.CONCURRENT, subject, gpu, settings.inFlight(), settings.rows(), task),
          closed(Scenario.SINGLE_STREAM, subject, gpu, 1, settings.rows(), task),
          server(subject, atOnce, task),
          closed(Scenario.OFFLINE, subject, gpu, settings.inFlight(), opened.maxRows(), task));
    }
  }

  private Figures warmUp(Subject subject, int inFlight, int rows) throws IOException {
    return subject.closed(inFlight, rows, Units.duration(settings.warmupSeconds()));
  }

  private Optional<Figures> closed(
      Scenario scenario, Subject subject, boolean gpu, int inFlight, int rows, Progress.Task task)
      throws Exception {
    if (!settings.scenarios().contains(scenario)) {
      return Optional.empty();
    }
    warmUp(subject, inFlight, rows);
    GpuMeter watching = gpu ? meter : GpuMeter.none();
    Figures figures =
        watching.during(() -> subject.closed(inFlight, rows, Units.duration(settings.seconds())));
    task.step(1);
    return Optional.of(figures);
  }

  private Optional<CapacitySearch.Capacity> server(
      Subject subject, double atOnce, Progress.Task task) throws IOException {
    if (!settings.scenarios().contains(Scenario.SERVER)) {
      return Optional.empty();
    }
    // Requests that are later than this change nothing but how long an overload takes.
    Duration grace = Units.duration(2 * settings.slaMillis() / 1e3);
    return Optional.of(
        CapacitySearch.find(
            atOnce / 4,
            settings.halvings(),
            settings.slaMillis(),
            rate -> {
              double decisive = Math.min(ENOUGH / rate, LONGEST * settings.probeSeconds());
              Duration length = Units.duration(Math.max(settings.probeSeconds(), decisive));
              Figures figures = subject.open(rate, settings.rows(), length, grace);
              task.step(1);
              return figures;
            }));
  }

  private Opened open(Contender contender) throws IOException {
    return switch (contender.kind()) {
      case PYTORCH -> openTorch();
      case CPU_SESSIONS ->
          openSessions(
              contender,
              Device.cpu(),
              settings.maxBatchCpu(),
              Math.min(settings.inFlight(), Runtime.getRuntime().availableProcessors()));
      case CPU_RANKER -> openRanker(contender, Device.cpu(), settings.maxBatchCpu());
      case GPU_SESSION -> openSessions(contender, Device.gpu(0), settings.maxBatchGpu(), 1);
      case GPU_SESSIONS ->
          openSessions(contender, Device.gpu(0), settings.maxBatchGpu(), settings.inFlight());
      case GPU_RANKER -> openRanker(contender, Device.gpu(0), settings.maxBatchGpu());
    };
  }

  private Opened openTorch() throws IOException {
    Dlrm model =
        workload
            .dlrm()
            .orElseThrow(() -> new IOException("PyTorch is measured for the default model only"));
    if (!Files.exists(torchScript)) {
      throw new IOException("no script " + torchScript);
    }
    long start = System.nanoTime();
    TorchSubject subject = TorchSubject.start(TorchSubject.command(torchScript, model));
    return new Opened(
        subject,
        subject.version() + ", eager, requests take turns",
        settings.maxBatchGpu(),
        seconds(start),
        Optional.empty());
  }

  private Opened openSessions(Contender contender, Device where, int maxBatch, int sessions) {
    EngineOptions options =
        workload.options(where, contender.precision(), maxBatch).cpuThreads(1).build();
    long start = System.nanoTime();
    Engine engine = Engine.open(workload.file(), options);
    double opened = seconds(start);
    inputs = engine.inputs();
    Optional<Accuracy> accuracy = engine.accuracy().map(Accuracy::of);
    IntFunction<Requests> requests = workload.requests(engine.inputs(), engine.outputs());
    return new Opened(
        Subject.of(new SessionsTarget(engine, sessions, requests)),
        sessions == 1 ? "one session, requests take turns" : sessions + " sessions",
        engine.maxBatch(),
        opened,
        accuracy);
  }

  private Opened openRanker(Contender contender, Device where, int maxBatch) {
    EngineOptions options =
        workload.options(where, contender.precision(), maxBatch).cpuThreads(1).build();
    long start = System.nanoTime();
    Ranker ranker = Ranker.open(workload.file(), options);
    double opened = seconds(start);
    inputs = ranker.inputs();
    IntFunction<Requests> requests = workload.requests(ranker.inputs(), ranker.outputs());
    return new Opened(
        Subject.of(new RankerTarget(ranker, requests)),
        "a Ranker as it is by default, runs of up to " + maxBatch + " rows",
        maxBatch,
        opened,
        Optional.empty());
  }

  /** Returns the part of a message that is a reason, without what was wanted and what to do. */
  private static String reason(RuntimeException problem) {
    String line = problem.getMessage().lines().findFirst().orElse("");
    String backend = "(TensorRT): ";
    int begin = line.lastIndexOf(backend);
    String reason = begin < 0 ? line : line.substring(begin + backend.length());
    int end = reason.indexOf(", wanted ");
    return shortened(end < 0 ? reason : reason.substring(0, end));
  }

  private static String shortened(String text) {
    return text.length() <= LONGEST_REASON ? text : text.substring(0, LONGEST_REASON - 1) + "…";
  }

  private static double seconds(long startNanos) {
    return (System.nanoTime() - startNanos) / 1e9;
  }
}
