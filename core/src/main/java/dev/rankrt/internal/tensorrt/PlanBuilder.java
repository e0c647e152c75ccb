package dev.rankrt.internal.tensorrt;

import dev.rankrt.EngineOptions;
import dev.rankrt.ModelException;
import dev.rankrt.Precision;
import dev.rankrt.internal.Signature;
import dev.rankrt.internal.Signature.Declared;
import dev.rankrt.natives.internal.Cuda;
import dev.rankrt.natives.internal.NativeObjects;
import dev.rankrt.natives.internal.PrivateFiles;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.function.BiConsumer;
import org.bytedeco.javacpp.BytePointer;
import org.bytedeco.tensorrt.global.nvinfer.BuilderFlag;
import org.bytedeco.tensorrt.global.nvinfer.MemoryPoolType;
import org.bytedeco.tensorrt.global.nvinfer.OptProfileSelector;
import org.bytedeco.tensorrt.nvinfer.Dims64;
import org.bytedeco.tensorrt.nvinfer.IBuilder;
import org.bytedeco.tensorrt.nvinfer.IBuilderConfig;
import org.bytedeco.tensorrt.nvinfer.IHostMemory;
import org.bytedeco.tensorrt.nvinfer.ILogger.Severity;
import org.bytedeco.tensorrt.nvinfer.INetworkDefinition;
import org.bytedeco.tensorrt.nvinfer.IOptimizationProfile;
import org.bytedeco.tensorrt.nvinfer.ITensor;
import org.bytedeco.tensorrt.nvinfer.ITimingCache;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Builds plans for the current device. One thread at a time. */
final class PlanBuilder {
  private static final Logger log = LoggerFactory.getLogger(PlanBuilder.class);

  /** A plan that is only compared with need not be fast. */
  static final int REFERENCE_LEVEL = 0;

  private final TensorRt tensorRt;
  private final Cuda.DeviceProperties gpu;
  private final EngineOptions options;
  private final IBuilder builder;

  PlanBuilder(
      TensorRt tensorRt, Cuda.DeviceProperties gpu, EngineOptions options, IBuilder builder) {
    this.tensorRt = tensorRt;
    this.gpu = gpu;
    this.options = options;
    this.builder = builder;
  }

  /** Tells the user how far a build is. */
  static void report(EngineOptions options, String message) {
    log.info(message);
    tell(options, message);
  }

  private static void tell(EngineOptions options, String message) {
    options
        .buildListener()
        .ifPresent(
            listener -> {
              try {
                listener.progress(message);
              } catch (RuntimeException e) {
                log.warn("the build listener failed on '{}'", message, e);
              }
            });
  }

  /**
   * Builds a plan.
   *
   * @param batches what the optimisation profiles are optimised for, one profile each
   * @param level TensorRT's optimisation level
   */
  Plan build(Path model, Precision precision, List<Integer> batches, int level) {
    report(options, "parsing " + model.getFileName());
    try (OnnxParsing parsing = OnnxParsing.parse(tensorRt, builder, model, options.shared())) {
      INetworkDefinition network = parsing.network();
      requireServable(model, network);
      PrecisionPass.apply(
          network, precision, precision == options.precision() ? options.pins() : Map.of());
      return build(model, network, precision, batches, level);
    }
  }

  private Plan build(
      Path model,
      INetworkDefinition network,
      Precision precision,
      List<Integer> batches,
      int level) {
    BiConsumer<Severity, String> progress =
        (severity, message) -> {
          if (severity == Severity.kINFO) {
            tell(options, message);
          }
        };
    IBuilderConfig config = builder.createBuilderConfig();
    ITimingCache timings = null;
    tensorRt.log().add(progress);
    try (Messages messages = new Messages(tensorRt.log())) {
      configure(config, precision, level);
      timings = timingCache(config);
      addProfiles(network, config, batches);
      report(
          options,
          "building "
              + model.getFileName()
              + " in "
              + precision
              + " for batches of "
              + batches
              + ", "
              + network.getNbLayers()
              + " layers, level "
              + level);
      IHostMemory memory = builder.buildSerializedNetwork(network, config);
      if (memory == null || memory.isNull()) {
        throw new ModelException(
            "TensorRT cannot build "
                + model.toAbsolutePath()
                + " in "
                + precision
                + ": "
                + messages.text());
      }
      keep(timings);
      Properties header = new Properties();
      header.setProperty(Plan.TENSORRT, tensorRt.version());
      header.setProperty(Plan.GPU, describe(gpu));
      header.setProperty("precision", precision.name());
      header.setProperty("model", model.getFileName().toString());
      if (!options.shared().isEmpty()) {
        header.setProperty(Plan.SHARED, options.shared().toString());
      }
      return new Plan(header, memory.data(), memory.size(), () -> NativeObjects.destroy(memory));
    } finally {
      tensorRt.log().remove(progress);
      NativeObjects.destroy(timings);
      NativeObjects.destroy(config);
    }
  }

  /** Returns what a plan is tied to. */
  static String describe(Cuda.DeviceProperties gpu) {
    return gpu.name()
        + ", compute capability "
        + gpu.major()
        + "."
        + gpu.minor()
        + ", "
        + gpu.multiprocessors()
        + " multiprocessors";
  }

  private void configure(IBuilderConfig config, Precision precision, int level) {
    config.setBuilderOptimizationLevel(level);
    // TensorRT sets it by default, which would make FP32 something else.
    if (precision == Precision.TF32) {
      config.setFlag(BuilderFlag.kTF32);
    } else {
      config.clearFlag(BuilderFlag.kTF32);
    }
    // Half of what is free: the build itself needs the rest, and other programs may be using the
    // GPU.
    long free = tensorRt.cuda().memoryInfo().freeBytes();
    config.setMemoryPoolLimit(
        MemoryPoolType.kWORKSPACE, Math.min(options.workspaceBytes(), free / 2));
  }

  private void addProfiles(
      INetworkDefinition network, IBuilderConfig config, List<Integer> batches) {
    boolean free = false;
    for (int i = 0; i < network.getNbInputs(); i++) {
      free |= isFree(network.getInput(i));
    }
    if (!free) {
      return;
    }
    for (int optimum : batches) {
      IOptimizationProfile profile = builder.createOptimizationProfile(); // the builder owns it
      for (int i = 0; i < network.getNbInputs(); i++) {
        ITensor input = network.getInput(i);
        if (!isFree(input)) {
          continue;
        }
        boolean accepted =
            setBatch(profile, input, OptProfileSelector.kMIN, 1)
                && setBatch(profile, input, OptProfileSelector.kOPT, optimum)
                && setBatch(profile, input, OptProfileSelector.kMAX, options.maxBatch());
        if (!accepted) {
          throw new ModelException(
              "TensorRT refuses batches from 1 to "
                  + options.maxBatch()
                  + " for input '"
                  + input.getName()
                  + "'");
        }
      }
      if (config.addOptimizationProfile(profile) < 0) {
        throw new ModelException("TensorRT refuses to optimise for batches of " + optimum);
      }
    }
  }

  private static boolean setBatch(
      IOptimizationProfile profile, ITensor input, OptProfileSelector selector, int batch) {
    try (Dims64 dimensions = input.getDimensions()) {
      dimensions.d(0, batch);
      return profile.setDimensions(input.getName(), selector, dimensions);
    }
  }

  /** Refuses inputs that no engine could serve, before anything is built for them. */
  private static void requireServable(Path model, INetworkDefinition network) {
    List<Declared> inputs = new ArrayList<>();
    for (int i = 0; i < network.getNbInputs(); i++) {
      ITensor input = network.getInput(i);
      try (Dims64 dimensions = input.getDimensions()) {
        inputs.add(
            new Declared(
                input.getName(),
                TensorRtEngine.typeOf(model.toString(), input.getName(), input.getType()),
                TensorRtEngine.listOf(dimensions)));
      }
    }
    Signature.requireServable(model, inputs);
  }

  private static boolean isFree(ITensor input) {
    try (Dims64 dimensions = input.getDimensions()) {
      return dimensions.nbDims() > 0 && dimensions.d(0) < 0;
    }
  }

  private ITimingCache timingCache(IBuilderConfig config) {
    Path file = options.timingCache().orElse(null);
    if (file == null) {
      return null;
    }
    byte[] known = new byte[0];
    try {
      if (Files.isReadable(file)) {
        known = Files.readAllBytes(file);
      }
    } catch (IOException e) {
      log.warn("timing cache {} cannot be read: {}", file, e.toString());
    }
    ITimingCache cache;
    try (BytePointer bytes = new BytePointer(known)) {
      cache = config.createTimingCache(bytes, known.length);
    }
    if (cache == null || cache.isNull() || !config.setTimingCache(cache, false)) {
      // Damaged, or of another TensorRT or GPU. TensorRT said which in its log.
      log.warn("timing cache {} does not fit and is not used", file);
      NativeObjects.destroy(cache);
      return null;
    }
    return cache;
  }

  private void keep(ITimingCache timings) {
    if (timings == null) {
      return;
    }
    Path file = options.timingCache().orElseThrow();
    IHostMemory memory = timings.serialize();
    if (memory == null || memory.isNull()) {
      log.warn("timing cache {} is not written: TensorRT gave nothing", file);
      return;
    }
    try {
      ByteBuffer bytes = new BytePointer(memory.data()).limit(memory.size()).asByteBuffer();
      byte[] copy = new byte[bytes.remaining()];
      bytes.get(copy);
      Path absolute = file.toAbsolutePath();
      if (!Files.isDirectory(absolute.getParent())) {
        Files.createDirectories(absolute.getParent());
      }
      PrivateFiles.replace(absolute, temporary -> Files.write(temporary, copy));
    } catch (IOException e) {
      log.warn("timing cache {} cannot be written: {}", file, e.toString());
    } finally {
      NativeObjects.destroy(memory);
    }
  }
}
