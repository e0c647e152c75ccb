package dev.rankrt.internal.tensorrt;

import static org.bytedeco.tensorrt.global.nvinfer.createInferRuntime;

import dev.rankrt.AccuracyReport;
import dev.rankrt.DataType;
import dev.rankrt.EngineOptions;
import dev.rankrt.EngineOptions.PerformanceHint;
import dev.rankrt.EngineStats;
import dev.rankrt.ModelException;
import dev.rankrt.Precision;
import dev.rankrt.TensorSpec;
import dev.rankrt.internal.Pace;
import dev.rankrt.internal.RunCounters;
import dev.rankrt.internal.Signature;
import dev.rankrt.internal.Signature.Declared;
import dev.rankrt.memory.PoolConfig;
import dev.rankrt.memory.internal.DevicePool;
import dev.rankrt.memory.internal.StagingPool;
import dev.rankrt.natives.internal.Closing;
import dev.rankrt.natives.internal.NativeObjects;
import dev.rankrt.spi.BackendEngine;
import dev.rankrt.streams.AffinityPolicy;
import dev.rankrt.streams.AffinityThreadFactory;
import dev.rankrt.streams.CpuSet;
import dev.rankrt.streams.NumaTopology;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.Executor;
import org.bytedeco.tensorrt.global.nvinfer;
import org.bytedeco.tensorrt.global.nvinfer.ExecutionContextAllocationStrategy;
import org.bytedeco.tensorrt.global.nvinfer.OptProfileSelector;
import org.bytedeco.tensorrt.global.nvinfer.TensorIOMode;
import org.bytedeco.tensorrt.nvinfer.Dims64;
import org.bytedeco.tensorrt.nvinfer.ICudaEngine;
import org.bytedeco.tensorrt.nvinfer.IExecutionContext;
import org.bytedeco.tensorrt.nvinfer.IRuntime;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** A plan on a GPU, shared by its sessions. Safe for use by several threads. */
final class TensorRtEngine implements BackendEngine {
  private static final Logger log = LoggerFactory.getLogger(TensorRtEngine.class);

  /**
   * Pinned memory has no limit of its own that could be asked for: the host's memory is the limit.
   */
  private static final long STAGING_LIMIT_BYTES = 1L << 40;

  private final TensorRt tensorRt;
  private final int ordinal;
  private final String name;
  private final EngineOptions options;
  private final IRuntime runtime;
  private final ICudaEngine engine;
  private final Precision precision;
  private final Signature signature;
  private final Buckets bucketSizes;
  private final int profiles;

  private final DevicePool devicePool;
  private final StagingPool stagingPool;
  private final AccuracyReport accuracy;
  private final Tuning tuning;
  private final double runsThatFill;
  private final RunCounters counters = new RunCounters();

  /** Set when a session's work did not end: it may be using the engine. */
  private volatile boolean keptForever;

  private TensorRtEngine(
      TensorRt tensorRt,
      int ordinal,
      String name,
      Plan plan,
      EngineOptions options,
      IRuntime runtime,
      ICudaEngine engine) {
    this.tensorRt = tensorRt;
    this.ordinal = ordinal;
    this.name = name;
    this.options = options;
    this.runtime = runtime;
    this.engine = engine;
    // A plan of another tool does not tell; what the user says of it is as good as anything.
    this.precision =
        Precision.valueOf(plan.header().getProperty("precision", options.precision().name()));
    this.profiles = engine.getNbOptimizationProfiles();
    List<Declared> inputs = declared(TensorIOMode.kINPUT);
    Signature.requireServable(Path.of(name), inputs);
    long profileMaximum = profileMaximum(inputs);
    this.signature =
        Signature.of(
            Path.of(name),
            inputs,
            inferred(inputs, declared(TensorIOMode.kOUTPUT), profileMaximum));
    this.bucketSizes =
        new Buckets(
            signature.fixedBatch(), (int) Math.min(profileMaximum, signature.maxBatch(options)));
    Tuning alone = stored(plan, PerformanceHint.LATENCY);
    Tuning beside = stored(plan, PerformanceHint.THROUGHPUT);
    boolean lone =
        options.performanceHint().orElse(PerformanceHint.LATENCY) == PerformanceHint.LATENCY;
    this.tuning = lone ? alone : beside;
    int largest = bucketSizes.largest();
    this.runsThatFill = Tuner.runsThatFill(alone.of(largest).micros(), beside.of(largest).micros());
    log.debug("{} full runs of {} keep the GPU busy", runsThatFill, name);
    this.accuracy = Accuracy.readFrom(plan.header()).orElse(null);
    long total = tensorRt.cuda().properties(ordinal).totalBytes();
    this.devicePool = new DevicePool(tensorRt.cuda(), ordinal, PoolConfig.of(name, total));
    this.stagingPool =
        new StagingPool(
            tensorRt.cuda(),
            ordinal,
            PoolConfig.of(name, STAGING_LIMIT_BYTES),
            nearGpu(tensorRt, ordinal, options.affinity()));
  }

  /** Returns what was measured when the plan was built, if it is of these buckets. */
  private Tuning stored(Plan plan, PerformanceHint hint) {
    Tuning stored = Tuning.readFrom(plan.header(), hint);
    return stored.fits(bucketSizes, profiles)
        ? stored
        : Tuning.uniform(bucketSizes, 0, Transfer.COPY);
  }

  /**
   * Runs tasks where the pages that they pin come from the right NUMA node: on a thread of its own
   * where there is a choice, or the calling thread would have to be moved.
   */
  private static Executor nearGpu(TensorRt tensorRt, int ordinal, AffinityPolicy affinity) {
    CpuSet cpus =
        affinity.cpus(NumaTopology.system(), tensorRt.cuda().properties(ordinal).pciBusId());
    if (cpus.isEmpty()) {
      return Runnable::run;
    }
    AffinityThreadFactory threads = new AffinityThreadFactory("rankrt-pinning-", cpus);
    return task -> threads.newThread(task).start();
  }

  /**
   * Loads a plan onto a device.
   *
   * @param name what messages call the plan
   * @param plan read, and left to its owner
   * @throws ModelException if the plan does not fit this TensorRT or this GPU
   */
  static TensorRtEngine load(
      TensorRt tensorRt, int ordinal, String name, Plan plan, EngineOptions options) {
    return tensorRt
        .cuda()
        .onDevice(ordinal, () -> loadOnCurrent(tensorRt, ordinal, name, plan, options));
  }

  private static TensorRtEngine loadOnCurrent(
      TensorRt tensorRt, int ordinal, String name, Plan plan, EngineOptions options) {
    String here =
        "TensorRT "
            + tensorRt.version()
            + " on "
            + PlanBuilder.describe(tensorRt.cuda().properties(ordinal));
    String builtFor =
        "TensorRT "
            + plan.header().getProperty(Plan.TENSORRT)
            + " on "
            + plan.header().getProperty(Plan.GPU);
    boolean known = plan.header().containsKey(Plan.TENSORRT);
    if (known && !builtFor.equals(here)) {
      throw new ModelException(
          name
              + " was built for "
              + builtFor
              + "; here is "
              + here
              + "; build the plan from its ONNX file on this machine");
    }
    try (Messages messages = new Messages(tensorRt.log())) {
      IRuntime runtime = createInferRuntime(tensorRt.log());
      ICudaEngine engine = null;
      boolean success = false;
      try {
        engine = runtime == null ? null : runtime.deserializeCudaEngine(plan.data(), plan.size());
        if (engine == null || engine.isNull()) {
          throw new ModelException(
              "TensorRT cannot load "
                  + name
                  + ", "
                  + plan.size()
                  + " bytes, built for "
                  + (known ? builtFor : "unknown")
                  + "; here is "
                  + here
                  + ": "
                  + messages.text());
        }
        TensorRtEngine loaded =
            new TensorRtEngine(tensorRt, ordinal, name, plan, options, runtime, engine);
        success = true;
        return loaded;
      } finally {
        if (!success) {
          NativeObjects.destroy(engine);
          NativeObjects.destroy(runtime);
        }
      }
    }
  }

  /** Returns what the plan says of its inputs or outputs. */
  private List<Declared> declared(TensorIOMode mode) {
    List<Declared> tensors = new ArrayList<>();
    for (int i = 0; i < engine.getNbIOTensors(); i++) {
      String tensor = engine.getIOTensorName(i);
      if (engine.getTensorIOMode(tensor).value != mode.value) {
        continue;
      }
      if (engine.isShapeInferenceIO(tensor)) {
        throw new ModelException(
            name
                + ": '"
                + tensor
                + "' is a shape, which cannot be given or read; export the model without it");
      }
      try (Dims64 dimensions = engine.getTensorShape(tensor)) {
        tensors.add(
            new Declared(
                tensor,
                typeOf(name, tensor, engine.getTensorDataType(tensor)),
                listOf(dimensions)));
      }
    }
    return tensors;
  }

  /** Returns RankRT's name for the type of an input or output. */
  static DataType typeOf(String model, String tensor, nvinfer.DataType type) {
    return switch (type.intern()) {
      case kFLOAT -> DataType.FLOAT32;
      case kHALF -> DataType.FLOAT16;
      case kBF16 -> DataType.BFLOAT16;
      case kINT32 -> DataType.INT32;
      case kINT64 -> DataType.INT64;
      default -> throw Signature.typeRefused(model, tensor, type.intern().toString());
    };
  }

  /** Replaces what the plan leaves open in outputs' shapes by what TensorRT infers. */
  private List<Declared> inferred(
      List<Declared> inputs, List<Declared> outputs, long profileMaximum) {
    if (inputs.stream().noneMatch(Declared::beginsFree)) {
      return outputs;
    }
    long someRows = Math.min(2, profileMaximum);
    long moreRows = Math.min(3, profileMaximum);
    List<List<Long>> some = shapes(inputs, outputs, someRows);
    List<List<Long>> more = shapes(inputs, outputs, moreRows);
    List<Declared> inferred = new ArrayList<>();
    for (int i = 0; i < outputs.size(); i++) {
      Declared output = outputs.get(i);
      if (someRows == moreRows && output.beginsFree()) {
        some.get(i).set(0, -1L); // too few rows to tell
        more.get(i).set(0, -1L);
      }
      inferred.add(Signature.measured(output, some.get(i), someRows, more.get(i), moreRows));
    }
    return inferred;
  }

  private List<List<Long>> shapes(List<Declared> inputs, List<Declared> outputs, long rows) {
    IExecutionContext context = newContext();
    try {
      for (Declared input : inputs) {
        if (input.beginsFree()) {
          try (Dims64 dimensions = engine.getTensorShape(input.name())) {
            context.setInputShape(input.name(), dimensions.d(0, rows));
          }
        }
      }
      List<List<Long>> shapes = new ArrayList<>();
      for (Declared output : outputs) {
        try (Dims64 dimensions = context.getTensorShape(output.name())) {
          shapes.add(listOf(dimensions));
        }
      }
      return shapes;
    } finally {
      destroy(context);
    }
  }

  /** Returns the largest batch that every profile takes. */
  private long profileMaximum(List<Declared> inputs) {
    long maximum = Long.MAX_VALUE;
    for (Declared input : inputs) {
      if (input.beginsFree()) {
        for (int profile = 0; profile < profiles; profile++) {
          try (Dims64 dimensions =
              engine.getProfileShape(input.name(), profile, OptProfileSelector.kMAX)) {
            maximum = Math.min(maximum, dimensions.d(0));
          }
        }
        // Others' plans run with their first profile, and ours have the same rows in all.
        try (Dims64 dimensions = engine.getProfileShape(input.name(), 0, OptProfileSelector.kMIN)) {
          requireFromOneRow(input.name(), dimensions.d(0));
        }
      }
    }
    return maximum;
  }

  private void requireFromOneRow(String input, long minimum) {
    if (minimum > 1) {
      throw new ModelException(
          name
              + ": input '"
              + input
              + "' takes at least "
              + minimum
              + " rows in the plan's first optimisation profile; build the plan with one that begins"
              + " with 1 row");
    }
  }

  static List<Long> listOf(Dims64 dimensions) {
    List<Long> list = new ArrayList<>();
    for (int axis = 0; axis < dimensions.nbDims(); axis++) {
      list.add(dimensions.d(axis));
    }
    return list;
  }

  /**
   * Creates a context without memory of its own. TensorRT does not say that this is safe on several
   * threads at once.
   */
  synchronized IExecutionContext newContext() {
    try (Messages messages = new Messages(tensorRt.log())) {
      IExecutionContext context =
          engine.createExecutionContext(ExecutionContextAllocationStrategy.kUSER_MANAGED);
      if (context == null || context.isNull()) {
        throw new ModelException(
            "TensorRT cannot create a context of " + name + ": " + messages.text());
      }
      return context;
    }
  }

  /** Returns how much scratch memory a context may need at most. */
  long scratchBytes(int profile) {
    return engine.getDeviceMemorySizeForProfileV2(profile);
  }

  synchronized void destroy(IExecutionContext context) {
    NativeObjects.destroy(context);
  }

  TensorRt tensorRt() {
    return tensorRt;
  }

  int ordinal() {
    return ordinal;
  }

  String name() {
    return name;
  }

  int fixedBatch() {
    return signature.fixedBatch();
  }

  Buckets bucketSizes() {
    return bucketSizes;
  }

  Tuning tuning() {
    return tuning;
  }

  int profiles() {
    return Math.max(1, profiles);
  }

  DevicePool devicePool() {
    return devicePool;
  }

  StagingPool stagingPool() {
    return stagingPool;
  }

  EngineOptions options() {
    return options;
  }

  @Override
  public List<TensorSpec> inputs() {
    return signature.inputs();
  }

  @Override
  public List<TensorSpec> outputs() {
    return signature.outputs();
  }

  @Override
  public int minBatch() {
    return signature.minBatch(options);
  }

  @Override
  public int maxBatch() {
    return bucketSizes.maxBatch();
  }

  @Override
  public Precision precision() {
    return precision;
  }

  @Override
  public Optional<String> pciAddress() {
    return Optional.of(tensorRt.cuda().properties(ordinal).pciBusId());
  }

  @Override
  public Optional<AccuracyReport> accuracy() {
    return Optional.ofNullable(accuracy);
  }

  @Override
  public List<Integer> buckets() {
    // A model with a fixed batch has one bucket, of which calls may use a part.
    return Arrays.stream(bucketSizes.sizes())
        .map(size -> Math.min(size, maxBatch()))
        .boxed()
        .toList();
  }

  @Override
  public double runsThatFill() {
    return runsThatFill;
  }

  @Override
  public EngineStats stats() {
    return counters.stats();
  }

  RunCounters counters() {
    return counters;
  }

  @Override
  public TensorRtSession newSession() {
    return newSession(tuning);
  }

  TensorRtSession newSession(Tuning way) {
    return tensorRt.cuda().onDevice(ordinal, () -> TensorRtSession.create(this, way));
  }

  /** Leaves the engine in memory when it is closed. Leaking is better than corrupting. */
  void keepForever() {
    keptForever = true;
  }

  @Override
  public void close() {
    tensorRt
        .cuda()
        .onDevice(
            ordinal,
            () -> {
              Closing.all(
                  List.of(
                      devicePool::close,
                      Pace::restLong,
                      stagingPool::close,
                      Pace::restLong,
                      this::destroy));
              return null;
            });
  }

  private void destroy() {
    if (keptForever) {
      log.error("{} stays in GPU memory: a session's work on it did not end", name);
      return;
    }
    NativeObjects.destroy(engine);
    NativeObjects.destroy(runtime);
  }
}
