package dev.rankrt.examples.build;

import dev.rankrt.AccuracyReport;
import dev.rankrt.Device;
import dev.rankrt.Engine;
import dev.rankrt.EngineOptions;
import dev.rankrt.EngineOptions.IdRange;
import dev.rankrt.Precision;
import dev.rankrt.examples.cli.CommonOptions;
import dev.rankrt.examples.cli.Progress;
import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.Callable;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** Builds a plan, see {@code --help}. */
@Command(
    name = "build",
    mixinStandardHelpOptions = true,
    sortOptions = false,
    description =
        "Builds an ONNX file into a TensorRT plan for the GPU of this machine, as opening an engine"
            + " does. A service that opens the ONNX file with the same options finds it in the plan"
            + " cache; one that opens the file of --save-engine needs no ONNX file.")
public final class BuildCommand implements Callable<Integer> {
  private static final long MAX_MEBIBYTES = Long.MAX_VALUE >> 20;

  @Spec private CommandSpec spec;

  @Option(names = "--onnx", required = true, paramLabel = "FILE", description = "The model.")
  private Path onnx;

  @ArgGroup(exclusive = true)
  private PrecisionOptions precision = new PrecisionOptions();

  @Option(
      names = "--max-batch",
      paramLabel = "ROWS",
      description = "The most rows in a call; 1024 by default.")
  private Optional<Integer> maxBatch;

  @Option(
      names = "--optimize-for",
      paramLabel = "ROWS",
      split = ",",
      description = "The batches that kernels are chosen for; RankRT's choice by default.")
  private Integer[] optimizeFor;

  @Option(
      names = "--level",
      paramLabel = "0..5",
      description = "How long to look for fast kernels, from seconds to minutes; 3 by default.")
  private Optional<Integer> level;

  @Option(
      names = "--workspace",
      paramLabel = "MIB",
      description = "GPU memory for a kernel beside its inputs and outputs; 4096 by default.")
  private Optional<Long> workspaceMebibytes;

  @Option(
      names = "--id-range",
      paramLabel = "INPUT=MIN..MAX",
      description = "The ids that an input accepts; may be given for several inputs.")
  private Map<String, IdRange> idRanges = new LinkedHashMap<>();

  @Option(
      names = "--timing-cache",
      paramLabel = "FILE",
      description = "Measured kernels, read and written, which makes the next build faster.")
  private Optional<Path> timingCache;

  @Option(names = "--gpu", paramLabel = "N", description = "Which GPU to build on and for; 0.")
  private int gpu;

  @ArgGroup(exclusive = true)
  private Target target = new Target();

  @Mixin private CommonOptions common;

  /** One precision, spelled as EngineOptions does or as trtexec does. */
  private static final class PrecisionOptions {
    @Option(
        names = "--precision",
        paramLabel = "FP32|TF32|FP16|BF16",
        description = "What to compute in; FP32 by default.")
    private Optional<Precision> precision = Optional.empty();

    @Option(names = "--fp16", description = "As --precision FP16.")
    private boolean fp16;

    @Option(names = "--bf16", description = "As --precision BF16.")
    private boolean bf16;

    @Option(names = "--tf32", description = "As --precision TF32.")
    private boolean tf32;

    Precision chosen() {
      if (fp16) {
        return Precision.FP16;
      }
      if (bf16) {
        return Precision.BF16;
      }
      return tf32 ? Precision.TF32 : precision.orElse(Precision.FP32);
    }
  }

  /** Where the plan goes. */
  private static final class Target {
    @Option(
        names = "--save-engine",
        paramLabel = "FILE",
        description = "Write the plan there, and not into the plan cache.")
    private Path file;

    @Option(
        names = "--plan-cache",
        paramLabel = "FOLDER",
        description = "Another plan cache than the user's, ~/.cache/rankrt/plans.")
    private Path cache;
  }

  /**
   * What was built, and what {@code --json} writes.
   *
   * @param model the ONNX file
   * @param plan where the plan is: a file, or the folder of a plan cache
   * @param device where it was built
   * @param precision what it computes in
   * @param maxBatch the most rows in a call
   * @param seconds how long it took
   * @param accuracy what the precision costs
   */
  record Built(
      Path model,
      Path plan,
      String device,
      Precision precision,
      int maxBatch,
      double seconds,
      Optional<AccuracyReport> accuracy) {

    String text() {
      StringBuilder text = new StringBuilder();
      text.append(
          String.format(
              Locale.ROOT,
              "%s, in %s for up to %d rows on %s, built in %.1f s: %s\n",
              model,
              precision,
              maxBatch,
              device,
              seconds,
              plan));
      accuracy.ifPresent(
          report ->
              text.append(
                  String.format(
                      Locale.ROOT,
                      "from FP32 at most %.3g, %.3g on average, over %d %s rows\n",
                      report.maxDifference(),
                      report.meanDifference(),
                      report.rows(),
                      report.given() ? "given" : "drawn")));
      return text.toString();
    }
  }

  @Override
  public Integer call() throws IOException {
    Built built = target.file == null ? intoCache() : intoFile(target.file.toAbsolutePath());
    common.write(spec.commandLine().getOut(), built, built.text());
    return 0;
  }

  private Built intoCache() {
    EngineOptions.Builder options = options();
    if (target.cache != null) {
      options.planCache(target.cache);
    }
    return build(options, options.build().planCache().orElseThrow());
  }

  /** An entry of a plan cache is a plan file: one is made in a cache of its own, and moved. */
  private Built intoFile(Path file) throws IOException {
    CommonOptions.requireWritable(spec, "--save-engine", file);
    Path cache = Files.createTempDirectory(file.getParent(), ".rankrt-build");
    try {
      Built built = build(options().planCache(cache), file);
      try (DirectoryStream<Path> plans = Files.newDirectoryStream(cache, "*.plan")) {
        for (Path plan : plans) {
          Files.move(plan, file, StandardCopyOption.REPLACE_EXISTING);
          return built;
        }
      }
      throw new IOException(
          "no plan to write to " + file + ": " + onnx + " is one already, or the disk is full");
    } finally {
      delete(cache);
    }
  }

  private Built build(EngineOptions.Builder builder, Path plan) {
    try (Progress.Task task = common.progress().begin("building " + onnx.getFileName(), -1)) {
      EngineOptions options = builder.buildListener(task::say).build();
      long began = System.nanoTime();
      try (Engine engine = Engine.open(onnx, options)) {
        return new Built(
            onnx,
            plan,
            engine.device().toString(),
            engine.precision(),
            engine.maxBatch(),
            (System.nanoTime() - began) / 1e9,
            engine.accuracy());
      }
    }
  }

  private EngineOptions.Builder options() {
    EngineOptions.Builder options =
        EngineOptions.builder().device(Device.gpu(gpu)).precision(precision.chosen());
    maxBatch.ifPresent(options::maxBatch);
    level.ifPresent(options::builderLevel);
    workspaceMebibytes.ifPresent(mebibytes -> options.workspaceBytes(bytes(mebibytes)));
    timingCache.ifPresent(options::timingCache);
    if (optimizeFor != null) {
      options.optimizeFor(optimizeFor);
    }
    idRanges.forEach((input, range) -> options.idRange(input, range.min(), range.max()));
    return options;
  }

  private long bytes(long mebibytes) {
    if (mebibytes < 1 || mebibytes > MAX_MEBIBYTES) {
      throw new ParameterException(
          spec.commandLine(),
          "--workspace is from 1 to " + MAX_MEBIBYTES + " MiB, not " + mebibytes);
    }
    return mebibytes << 20;
  }

  private static void delete(Path folder) throws IOException {
    try (DirectoryStream<Path> files = Files.newDirectoryStream(folder)) {
      for (Path file : files) {
        Files.delete(file);
      }
    }
    Files.delete(folder);
  }
}
