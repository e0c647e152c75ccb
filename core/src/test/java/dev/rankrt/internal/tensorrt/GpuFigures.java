package dev.rankrt.internal.tensorrt;

import dev.rankrt.Device;
import dev.rankrt.Engine;
import dev.rankrt.EngineOptions;
import dev.rankrt.Precision;
import dev.rankrt.Session;
import dev.rankrt.TensorSpec;
import dev.rankrt.natives.internal.Cuda;
import dev.rankrt.natives.internal.NativeObjects;
import dev.rankrt.testing.Figures;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.Random;
import java.util.function.Function;
import org.bytedeco.tensorrt.global.nvinfer.MemoryPoolType;
import org.bytedeco.tensorrt.global.nvinfer.OptProfileSelector;
import org.bytedeco.tensorrt.nvinfer.Dims64;
import org.bytedeco.tensorrt.nvinfer.IBuilder;
import org.bytedeco.tensorrt.nvinfer.IBuilderConfig;
import org.bytedeco.tensorrt.nvinfer.IHostMemory;
import org.bytedeco.tensorrt.nvinfer.INetworkDefinition;
import org.bytedeco.tensorrt.nvinfer.IOptimizationProfile;
import org.bytedeco.tensorrt.nvinfer.ITensor;

/**
 * Measures on a GPU what the documentation states.
 *
 * <pre>
 *   GpuFigures open MODEL CACHE NAME      times of opening, of the first call and of later ones
 *   GpuFigures typing MODEL               strong FP16 typing against TensorRT 10's FP16 flag
 *   GpuFigures profiles MODEL             every optimisation profile and transfer, up to 4096 rows
 * </pre>
 */
final class GpuFigures {
  /** {@code BuilderFlag.kFP16} of TensorRT 10, which TensorRT 11 no longer has. */
  private static final int FP16_FLAG = 0;

  private static final int[] BATCHES = {1, 64, 1024};
  private static final int ROUNDS = 5;
  private static final int RUNS = 400;

  private GpuFigures() {}

  public static void main(String[] arguments) {
    Path model = Path.of(arguments[1]);
    switch (arguments[0]) {
      case "open" -> open(model, Path.of(arguments[2]), arguments[3]);
      case "typing" -> typing(model);
      case "profiles" -> profiles(model);
      default -> throw new IllegalArgumentException(arguments[0]);
    }
  }

  private static void open(Path model, Path cache, String name) {
    EngineOptions options =
        EngineOptions.builder()
            .device(Device.gpu(0))
            .precision(Precision.FP16)
            .planCache(cache)
            .build();
    long start = System.nanoTime();
    try (Engine engine = Engine.open(model, options)) {
      Figures.add(name + ", open, seconds", since(start) / 1e9);
      start = System.nanoTime();
      try (Session session = engine.newSession()) {
        Figures.add(name + ", new session, milliseconds", since(start) / 1e6);
        engine
            .accuracy()
            .ifPresent(
                report -> {
                  Figures.add(name + ", largest difference from FP32", report.maxDifference());
                  Figures.add(name + ", mean difference from FP32", report.meanDifference());
                });
        for (int rows = 1; rows <= options.maxBatch(); rows *= 2) {
          calls(session, rows, name);
        }
      }
    }
    long again = System.nanoTime();
    Engine.open(model, options).close();
    Figures.add(name + ", open again in the same process, seconds", since(again) / 1e9);
  }

  private static void calls(Session session, int rows, String name) {
    List<TensorSpec> inputs = session.engine().inputs();
    Random random = new Random(rows);
    float[] dense = new float[rows * inputs.get(0).shape().elementsPerRow()];
    long[] ids = new long[rows * inputs.get(1).shape().elementsPerRow()];
    for (int i = 0; i < dense.length; i++) {
      dense[i] = (float) random.nextGaussian();
    }
    for (int i = 0; i < ids.length; i++) {
      ids[i] = random.nextInt(10_000);
    }
    long[] nanos = new long[1 + ROUNDS * RUNS];
    for (int i = 0; i < nanos.length; i++) {
      long start = System.nanoTime();
      session.infer(dense, ids);
      nanos[i] = since(start);
    }
    Figures.add(name + ", first call of " + rows + " rows, microseconds", nanos[0] / 1e3);
    Arrays.sort(nanos);
    Figures.add(
        name + ", call of " + rows + " rows, p50 microseconds", nanos[nanos.length / 2] / 1e3);
    Figures.add(
        name + ", call of " + rows + " rows, p99 microseconds",
        nanos[nanos.length * 99 / 100] / 1e3);
  }

  /** Both plans with the same profile, in one process, by turns. */
  private static void typing(Path model) {
    TensorRt tensorRt = TensorRt.load();
    Cuda.DeviceProperties gpu = tensorRt.cuda().properties(0);
    EngineOptions options =
        EngineOptions.builder().device(Device.gpu(0)).precision(Precision.FP16).build();
    int optimum = options.maxBatch();
    long preparing = System.nanoTime();
    Builders.ofProcess().with(tensorRt, gpu, builder -> null);
    Figures.add("typing, preparing the builder, seconds", since(preparing) / 1e9);
    TensorRtEngine strong =
        built(
            tensorRt,
            gpu,
            options,
            "strong",
            builder ->
                new PlanBuilder(tensorRt, gpu, options, builder)
                    .build(model, Precision.FP16, List.of(optimum), options.builderLevel()));
    TensorRtEngine flagged =
        built(
            tensorRt,
            gpu,
            options,
            "flag",
            builder -> buildWithFlag(tensorRt, builder, model, optimum, options));
    for (Transfer transfer : Transfer.values()) {
      TensorRtSession a = strong.newSession(Tuning.uniform(strong.bucketSizes(), 0, transfer));
      TensorRtSession b = flagged.newSession(Tuning.uniform(flagged.bucketSizes(), 0, transfer));
      for (int rows : BATCHES) {
        double[] ofA = new double[ROUNDS];
        double[] ofB = new double[ROUNDS];
        for (int round = 0; round < ROUNDS; round++) {
          ofA[round] = median(a, rows);
          ofB[round] = median(b, rows);
        }
        Arrays.sort(ofA);
        Arrays.sort(ofB);
        String what = "typing, " + rows + " rows, " + transfer + ", p50 microseconds, ";
        Figures.add(what + "strong", ofA[ROUNDS / 2]);
        Figures.add(what + "flag", ofB[ROUNDS / 2]);
      }
      a.close();
      b.close();
    }
    strong.close();
    flagged.close();
  }

  /** What the choice that is kept with a plan is made from. */
  private static void profiles(Path model) {
    TensorRt tensorRt = TensorRt.load();
    Cuda.DeviceProperties gpu = tensorRt.cuda().properties(0);
    EngineOptions options =
        EngineOptions.builder()
            .device(Device.gpu(0))
            .precision(Precision.FP16)
            .maxBatch(4096)
            .build();
    List<Integer> optima = List.of(1024, 64);
    TensorRtEngine engine =
        built(
            tensorRt,
            gpu,
            options,
            "profiles",
            builder ->
                new PlanBuilder(tensorRt, gpu, options, builder)
                    .build(model, Precision.FP16, optima, options.builderLevel()));
    for (int profile = 0; profile < optima.size(); profile++) {
      for (Transfer transfer : Transfer.values()) {
        long before = tensorRt.cuda().memoryInfo().freeBytes();
        TensorRtSession session =
            engine.newSession(Tuning.uniform(engine.bucketSizes(), profile, transfer));
        String what = "profile for " + optima.get(profile) + " rows, " + transfer + ", ";
        Figures.add(
            what + "GPU bytes of a session",
            (double) (before - tensorRt.cuda().memoryInfo().freeBytes()));
        for (int rows : new int[] {1, 64, 256, 1024, 4096}) {
          median(session, rows);
          Figures.add(what + rows + " rows, p50 microseconds", median(session, rows));
        }
        session.close();
      }
    }
    engine.close();
  }

  private static double median(TensorRtSession session, int rows) {
    long[] nanos = new long[RUNS];
    for (int i = 0; i < RUNS; i++) {
      long start = System.nanoTime();
      session.run(rows);
      nanos[i] = since(start);
    }
    Arrays.sort(nanos);
    return nanos[RUNS / 2] / 1e3;
  }

  private static TensorRtEngine built(
      TensorRt tensorRt,
      Cuda.DeviceProperties gpu,
      EngineOptions options,
      String name,
      Function<IBuilder, Plan> build) {
    long start = System.nanoTime();
    try (Plan plan = Builders.ofProcess().with(tensorRt, gpu, build)) {
      Figures.add("building, " + name + ", seconds", since(start) / 1e9);
      return TensorRtEngine.load(tensorRt, 0, name, plan, options);
    }
  }

  private static Plan buildWithFlag(
      TensorRt tensorRt, IBuilder builder, Path model, int optimum, EngineOptions options) {
    OnnxParsing parsing = OnnxParsing.parse(tensorRt, builder, model, Map.of(), 0);
    INetworkDefinition network = parsing.network();
    IBuilderConfig config = builder.createBuilderConfig();
    config.setFlag(FP16_FLAG);
    config.setBuilderOptimizationLevel(options.builderLevel());
    config.setMemoryPoolLimit(MemoryPoolType.kWORKSPACE, options.workspaceBytes());
    IOptimizationProfile profile = builder.createOptimizationProfile();
    for (int i = 0; i < network.getNbInputs(); i++) {
      ITensor input = network.getInput(i);
      try (Dims64 dimensions = input.getDimensions()) {
        profile.setDimensions(input.getName(), OptProfileSelector.kMIN, dimensions.d(0, 1));
        profile.setDimensions(input.getName(), OptProfileSelector.kOPT, dimensions.d(0, optimum));
        profile.setDimensions(
            input.getName(), OptProfileSelector.kMAX, dimensions.d(0, options.maxBatch()));
      }
    }
    config.addOptimizationProfile(profile);
    IHostMemory memory = builder.buildSerializedNetwork(network, config);
    NativeObjects.destroy(config);
    parsing.close();
    return new Plan(
        new Properties(), memory.data(), memory.size(), () -> NativeObjects.destroy(memory));
  }

  private static long since(long start) {
    return System.nanoTime() - start;
  }
}
