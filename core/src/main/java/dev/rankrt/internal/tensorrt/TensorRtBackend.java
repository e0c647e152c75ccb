package dev.rankrt.internal.tensorrt;

import dev.rankrt.AccuracyReport;
import dev.rankrt.Device;
import dev.rankrt.EngineOptions;
import dev.rankrt.Precision;
import dev.rankrt.internal.Pace;
import dev.rankrt.internal.onnx.OnnxFile;
import dev.rankrt.natives.CudaException;
import dev.rankrt.natives.DeviceLostException;
import dev.rankrt.natives.NativeLoadException;
import dev.rankrt.natives.RankRtException;
import dev.rankrt.natives.internal.Cuda;
import dev.rankrt.natives.internal.MemoryLimit;
import dev.rankrt.spi.Backend;
import dev.rankrt.spi.BackendEngine;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.TreeSet;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Runs models on a GPU through TensorRT, building them first where that is needed. Safe for use by
 * several threads.
 */
public final class TensorRtBackend implements Backend {
  private static final Logger log = LoggerFactory.getLogger(TensorRtBackend.class);

  private static final int SMALL_BATCH = 64;

  /**
   * On an H200, kernels chosen for 1024 rows serve 4096 as well as any, and those for 64 take twice
   * the time.
   */
  private static final int LARGE_BATCH = 1024;

  @Override
  public String name() {
    return "TensorRT";
  }

  @Override
  public Device.Type deviceType() {
    return Device.Type.GPU;
  }

  @Override
  public Optional<String> unavailable(Device device) {
    try {
      int count = TensorRt.load().cuda().deviceCount();
      return device.ordinal() < count
          ? Optional.empty()
          : Optional.of("there is no GPU " + device.ordinal() + ", this process sees " + count);
    } catch (NativeLoadException | CudaException e) {
      return Optional.of(e.getMessage());
    }
  }

  @Override
  public BackendEngine open(Path model, Device device, EngineOptions options) {
    try {
      return load(model, device, options);
    } catch (OutOfMemoryError e) {
      throw MemoryLimit.explain(e).orElseThrow(() -> e);
    }
  }

  private static BackendEngine load(Path model, Device device, EngineOptions options) {
    TensorRt tensorRt = TensorRt.load();
    String name = model.getFileName().toString();
    try (Plan plan =
        switch (Plan.kindOf(model)) {
          case RANKRT_PLAN -> Plan.read(model);
          case TENSORRT_PLAN -> Plan.readForeign(model);
          case OTHER ->
              tensorRt
                  .cuda()
                  .onDevice(
                      device.ordinal(), () -> cachedOrBuilt(tensorRt, model, device, options));
        }) {
      plan.requireShared(name, options);
      Pace.rest();
      TensorRtEngine engine = TensorRtEngine.load(tensorRt, device.ordinal(), name, plan, options);
      Pace.restLong();
      return engine;
    }
  }

  private static Plan cachedOrBuilt(
      TensorRt tensorRt, Path model, Device device, EngineOptions options) {
    OnnxFile.requireServable(model);
    Cuda.DeviceProperties gpu = tensorRt.cuda().properties(device.ordinal());
    Path folder = options.planCache().orElse(null);
    if (folder == null) {
      return build(tensorRt, gpu, model, options);
    }
    List<String> settings =
        List.of(
            Plan.FORMAT,
            tensorRt.version(),
            PlanBuilder.describe(gpu),
            options.precision().name(),
            Integer.toString(options.maxBatch()),
            profileBatches(options).toString(),
            Integer.toString(options.builderLevel()),
            Long.toString(options.workspaceBytes()),
            options.idRanges().toString(),
            options.pins().toString(),
            Sample.keyOf(options),
            options.shared().toString());
    return new PlanCache(folder)
        .get(() -> PlanCache.key(model, settings), () -> build(tensorRt, gpu, model, options));
  }

  /**
   * Builds a plan, measures how it runs best and what its precision costs, and notes both in its
   * header.
   */
  private static Plan build(
      TensorRt tensorRt, Cuda.DeviceProperties gpu, Path model, EngineOptions options) {
    PlanBuilder.report(options, "preparing TensorRT's builder");
    return Builders.ofProcess()
        .with(
            tensorRt,
            gpu,
            builder ->
                build(
                    new PlanBuilder(tensorRt, gpu, options, builder),
                    tensorRt,
                    gpu,
                    model,
                    options));
  }

  private static Plan build(
      PlanBuilder builder,
      TensorRt tensorRt,
      Cuda.DeviceProperties gpu,
      Path model,
      EngineOptions options) {
    String name = model.getFileName().toString();
    Plan plan =
        builder.build(model, options.precision(), profileBatches(options), options.builderLevel());
    boolean success = false;
    try {
      TensorRtEngine engine = TensorRtEngine.load(tensorRt, gpu.ordinal(), name, plan, options);
      // A build rests nowhere, and its sessions, a dozen and more, would for minutes.
      Pace.run(() -> false, () -> measure(tensorRt, builder, engine, plan, model, options));
      success = true;
      return plan;
    } finally {
      if (!success) {
        plan.close();
      }
    }
  }

  private static void measure(
      TensorRt tensorRt,
      PlanBuilder builder,
      TensorRtEngine engine,
      Plan plan,
      Path model,
      EngineOptions options) {
    try {
      // Before anything is measured: what the user gave may not fit.
      Sample sample = Sample.of(engine.inputs(), engine.minBatch(), engine.maxBatch(), options);
      PlanBuilder.report(options, "measuring profiles and transfers of " + engine.name());
      Tuner.measure(engine).forEach((hint, tuning) -> tuning.writeTo(plan.header(), hint));
      if (options.precision() != Precision.FP32) {
        compareIfPossible(tensorRt, builder, engine, plan, model, options, sample);
      }
    } finally {
      engine.close();
    }
  }

  /**
   * Leaves a plan without a report where the same model in single precision does not fit beside it.
   */
  private static void compareIfPossible(
      TensorRt tensorRt,
      PlanBuilder builder,
      TensorRtEngine engine,
      Plan plan,
      Path model,
      EngineOptions options,
      Sample sample) {
    try {
      compare(tensorRt, builder, engine, plan, model, options, sample);
    } catch (DeviceLostException e) {
      throw e;
    } catch (RankRtException e) {
      log.warn("{} could not be compared with FP32", engine.name(), e);
    }
  }

  private static void compare(
      TensorRt tensorRt,
      PlanBuilder builder,
      TensorRtEngine engine,
      Plan plan,
      Path model,
      EngineOptions options,
      Sample sample) {
    PlanBuilder.report(options, "comparing " + options.precision() + " with FP32");
    try (Plan reference =
        builder.build(
            model, Precision.FP32, List.of(options.maxBatch()), PlanBuilder.REFERENCE_LEVEL)) {
      TensorRtEngine exact =
          TensorRtEngine.load(
              tensorRt, engine.ordinal(), engine.name() + " in FP32", reference, options);
      try {
        AccuracyReport report = Accuracy.compare(engine, exact, sample);
        PlanBuilder.report(options, "largest difference from FP32: " + report.maxDifference());
        Accuracy.writeTo(report, plan.header());
      } finally {
        exact.close();
      }
    }
  }

  /**
   * Returns what to optimise for: a profile for large batches and one for small ones, unless the
   * user knows better. Which of them serves which batch is measured.
   */
  private static List<Integer> profileBatches(EngineOptions options) {
    if (!options.optimizeFor().isEmpty()) {
      return options.optimizeFor();
    }
    TreeSet<Integer> batches = new TreeSet<>();
    batches.add(Math.min(SMALL_BATCH, options.maxBatch()));
    batches.add(Math.min(LARGE_BATCH, options.maxBatch()));
    return new ArrayList<>(batches.descendingSet());
  }
}
