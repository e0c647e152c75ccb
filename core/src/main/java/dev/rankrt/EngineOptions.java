package dev.rankrt;

import dev.rankrt.internal.onnx.SharedModel;
import dev.rankrt.natives.internal.PrivateFiles;
import dev.rankrt.streams.AffinityPolicy;
import dev.rankrt.streams.WaitPolicy;
import java.nio.Buffer;
import java.nio.FloatBuffer;
import java.nio.LongBuffer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.TreeMap;

/** How to open an engine. Immutable. */
public final class EngineOptions {
  private static final EngineOptions DEFAULTS = builder().build();

  private static final int MOST_THREADS = 1024;

  private final Device device;
  private final Precision precision;
  private final int maxBatch;
  private final boolean padding;
  private final int cpuThreads;
  private final Map<String, IdRange> idRanges;
  private final List<Integer> optimizeFor;
  private final int builderLevel;
  private final long workspaceBytes;
  private final Map<String, Precision> pins;
  private final Path planCache;
  private final Path timingCache;
  private final BuildListener buildListener;
  private final Map<String, Buffer> sample;
  private final Map<String, List<Columns>> shared;
  private final WaitPolicy waitPolicy;
  private final int streamPriority;
  private final AffinityPolicy affinity;
  private final PerformanceHint performanceHint;

  private EngineOptions(Builder builder) {
    this.device = builder.device;
    this.precision = builder.precision;
    this.maxBatch = builder.maxBatch;
    this.padding = builder.padding;
    this.cpuThreads = builder.cpuThreads;
    this.idRanges = Collections.unmodifiableMap(new TreeMap<>(builder.idRanges));
    this.optimizeFor = List.copyOf(builder.optimizeFor);
    this.builderLevel = builder.builderLevel;
    this.workspaceBytes = builder.workspaceBytes;
    this.pins = Collections.unmodifiableMap(new TreeMap<>(builder.pins));
    this.planCache = builder.planCache;
    this.timingCache = builder.timingCache;
    this.buildListener = builder.buildListener;
    this.sample = new TreeMap<>(builder.sample);
    Map<String, List<Columns>> merged = new TreeMap<>();
    builder.shared.forEach((input, columns) -> merged.put(input, Columns.merged(columns)));
    this.shared = Collections.unmodifiableMap(merged);
    this.waitPolicy = builder.waitPolicy;
    this.streamPriority = builder.streamPriority;
    this.affinity = builder.affinity;
    this.performanceHint = builder.performanceHint;
    for (int batch : optimizeFor) {
      if (batch < 1 || batch > maxBatch) {
        throw new IllegalArgumentException(
            "optimizeFor must be from 1 to maxBatch = " + maxBatch + ": " + batch);
      }
    }
    boolean low = precision == Precision.FP16 || precision == Precision.BF16;
    pins.forEach(
        (layer, pin) -> {
          if (!low || (pin != Precision.FP32 && pin != precision)) {
            throw new IllegalArgumentException(
                "layer '"
                    + layer
                    + "' is pinned to "
                    + pin
                    + " in an engine of "
                    + precision
                    + "; in engines of FP16 and BF16, layers can be pinned to FP32 or to the"
                    + " engine's precision");
          }
        });
  }

  /**
   * Returns the options that every setting's Javadoc calls the default.
   *
   * @return the defaults
   */
  public static EngineOptions defaults() {
    return DEFAULTS;
  }

  /**
   * Returns a builder with every setting at its default.
   *
   * @return a new builder
   */
  public static Builder builder() {
    return new Builder();
  }

  /**
   * Returns where to run.
   *
   * @return {@link Device#auto} by default
   */
  public Device device() {
    return device;
  }

  /**
   * Returns how precisely to compute on a GPU.
   *
   * @return {@link Precision#FP32} by default
   */
  public Precision precision() {
    return precision;
  }

  /**
   * Returns the most rows that a call may have.
   *
   * @return 1024 by default
   */
  public int maxBatch() {
    return maxBatch;
  }

  /**
   * Returns whether a call may run with more rows than it was given, whose results nobody sees.
   *
   * @return true by default
   */
  public boolean padding() {
    return padding;
  }

  /**
   * Returns how many threads the CPU backend computes with.
   *
   * @return as many as the process has processors, by default
   */
  public int cpuThreads() {
    return cpuThreads;
  }

  /**
   * Returns the ids that an input accepts.
   *
   * @param input the input's name
   * @return nothing, by default
   */
  public Optional<IdRange> idRange(String input) {
    IdRange range = idRanges.get(input);
    if (range == null) {
      for (String whole : shared.keySet()) {
        if (SharedModel.userPartOf(whole).equals(input)) {
          range = idRanges.get(whole);
        }
      }
    }
    return Optional.ofNullable(range);
  }

  /**
   * Returns every declared range.
   *
   * @return ranges by input name
   */
  public Map<String, IdRange> idRanges() {
    return idRanges;
  }

  /**
   * Returns the batches that a GPU's kernels are chosen for.
   *
   * @return none by default, which leaves the choice to RankRT
   */
  public List<Integer> optimizeFor() {
    return optimizeFor;
  }

  /**
   * Returns how much time a build may take to find fast kernels.
   *
   * @return 3 by default, of 0 to 5
   */
  public int builderLevel() {
    return builderLevel;
  }

  /**
   * Returns how much GPU memory a kernel may use beside its inputs and outputs.
   *
   * @return 4 GiB by default; a build takes less where the GPU has less than twice that free
   */
  public long workspaceBytes() {
    return workspaceBytes;
  }

  /**
   * Returns the precision of layers that differ from the rest.
   *
   * @return precisions by layer name, none by default
   */
  public Map<String, Precision> pins() {
    return pins;
  }

  /**
   * Returns where built plans are kept.
   *
   * @return a folder, {@code ~/.cache/rankrt/plans} by default; nothing where plans are not kept
   */
  public Optional<Path> planCache() {
    return Optional.ofNullable(planCache);
  }

  /**
   * Returns where the times of kernels are kept that builds measure.
   *
   * @return nothing, by default
   */
  public Optional<Path> timingCache() {
    return Optional.ofNullable(timingCache);
  }

  /**
   * Returns who hears how a build goes on.
   *
   * @return nobody, by default; the log has it in any case
   */
  public Optional<BuildListener> buildListener() {
    return Optional.ofNullable(buildListener);
  }

  /**
   * Returns the rows that a lower precision is compared with {@link Precision#FP32} on.
   *
   * @return a read-only {@code FloatBuffer} or {@code LongBuffer} for each input, by name; none by
   *     default, which leaves it to RankRT to draw some
   */
  public Map<String, Buffer> sample() {
    Map<String, Buffer> copy = new TreeMap<>();
    // Buffers of the caller's own: they have positions.
    sample.forEach((input, values) -> copy.put(input, values.duplicate()));
    return Collections.unmodifiableMap(copy);
  }

  /**
   * Returns what is the user's, the same for all candidates of a call.
   *
   * @return by input, the columns in their order, or none where the whole input is shared; nothing
   *     by default
   */
  public Map<String, List<Columns>> shared() {
    return shared;
  }

  /**
   * Returns how calls wait for a GPU.
   *
   * @return {@link WaitPolicy#ADAPTIVE} by default
   */
  public WaitPolicy waitPolicy() {
    return waitPolicy;
  }

  /**
   * Returns how urgent a GPU's work is beside that of other streams.
   *
   * @return 0 by default; lower is more urgent
   */
  public int streamPriority() {
    return streamPriority;
  }

  /**
   * Returns where the threads are bound that RankRT makes for a GPU, and so which NUMA node the
   * sessions' pinned memory comes from.
   *
   * @return {@link AffinityPolicy#gpuNode} by default
   */
  public AffinityPolicy affinity() {
    return affinity;
  }

  /**
   * Returns what a GPU's runs are to be good at.
   *
   * @return empty for what the use suggests: {@link PerformanceHint#LATENCY} for an engine, {@link
   *     PerformanceHint#THROUGHPUT} for a {@link Ranker} of several workers
   */
  public Optional<PerformanceHint> performanceHint() {
    return Optional.ofNullable(performanceHint);
  }

  /**
   * Returns a builder that begins with these options.
   *
   * @return a builder of its own
   */
  public Builder toBuilder() {
    return new Builder(this);
  }

  @Override
  public String toString() {
    return "EngineOptions[device="
        + device
        + ", precision="
        + precision
        + ", maxBatch="
        + maxBatch
        + ", padding="
        + padding
        + ", cpuThreads="
        + cpuThreads
        + ", idRanges="
        + idRanges
        + ", optimizeFor="
        + optimizeFor
        + ", builderLevel="
        + builderLevel
        + ", workspaceBytes="
        + workspaceBytes
        + ", pins="
        + pins
        + ", planCache="
        + planCache
        + ", timingCache="
        + timingCache
        + ", sample of "
        + sample.keySet()
        + ", shared="
        + shared
        + ", waitPolicy="
        + waitPolicy
        + ", streamPriority="
        + streamPriority
        + ", affinity="
        + affinity
        + ", performanceHint="
        + performanceHint().map(Enum::name).orElse("default")
        + "]";
  }

  /** What a GPU's runs are to be good at, where one thing costs the other. */
  public enum PerformanceHint {
    /** How long a run takes that has the GPU to itself. */
    LATENCY,
    /** How many runs a second the GPU does for several sessions at once. */
    THROUGHPUT
  }

  /**
   * The ids that an input accepts. Immutable.
   *
   * @param min the smallest
   * @param max the largest
   */
  public record IdRange(long min, long max) {
    /**
     * Creates a range.
     *
     * @param min the smallest id
     * @param max the largest id
     * @throws IllegalArgumentException if it is empty
     */
    public IdRange {
      if (min > max) {
        throw new IllegalArgumentException("empty id range: " + min + " to " + max);
      }
    }

    @Override
    public String toString() {
      return min + " to " + max;
    }
  }

  /**
   * Columns of an input that lie side by side. Immutable.
   *
   * @param from the first
   * @param to the one behind the last
   */
  public record Columns(int from, int to) {
    /**
     * Creates a range of columns.
     *
     * @param from the first, from 0
     * @param to the one behind the last
     * @throws IllegalArgumentException if it is empty or begins before 0
     */
    public Columns {
      if (from < 0 || to <= from) {
        throw new IllegalArgumentException("no range of columns: from " + from + " to " + to);
      }
    }

    /** Puts ranges in order, and joins those that touch or overlap. */
    private static List<Columns> merged(List<Columns> ranges) {
      List<Columns> merged = new ArrayList<>();
      for (Columns next : ranges.stream().sorted(Comparator.comparingInt(Columns::from)).toList()) {
        Columns last = merged.isEmpty() ? null : merged.get(merged.size() - 1);
        if (last != null && next.from <= last.to) {
          merged.set(merged.size() - 1, new Columns(last.from, Math.max(last.to, next.to)));
        } else {
          merged.add(next);
        }
      }
      return List.copyOf(merged);
    }

    @Override
    public String toString() {
      return to - from == 1 ? Integer.toString(from) : from + " to " + (to - 1);
    }
  }

  /** Collects settings. One thread at a time. */
  public static final class Builder {
    private Device device = Device.auto();
    private Precision precision = Precision.FP32;
    private int maxBatch = 1024;
    private boolean padding = true;
    private int cpuThreads = Runtime.getRuntime().availableProcessors();
    private final Map<String, IdRange> idRanges = new LinkedHashMap<>();

    private List<Integer> optimizeFor = List.of();
    private int builderLevel = 3;
    private long workspaceBytes = 4L << 30;
    private final Map<String, Precision> pins = new LinkedHashMap<>();
    private Path planCache = PrivateFiles.cacheFolder().resolve("plans");
    private Path timingCache;
    private BuildListener buildListener;
    private final Map<String, Buffer> sample = new LinkedHashMap<>();
    private final Map<String, List<Columns>> shared = new LinkedHashMap<>();
    private WaitPolicy waitPolicy = WaitPolicy.ADAPTIVE;
    private int streamPriority;
    private AffinityPolicy affinity = AffinityPolicy.gpuNode();
    private PerformanceHint performanceHint;

    private Builder() {}

    private Builder(EngineOptions options) {
      this.device = options.device;
      this.precision = options.precision;
      this.maxBatch = options.maxBatch;
      this.padding = options.padding;
      this.cpuThreads = options.cpuThreads;
      this.idRanges.putAll(options.idRanges);
      this.optimizeFor = options.optimizeFor;
      this.builderLevel = options.builderLevel;
      this.workspaceBytes = options.workspaceBytes;
      this.pins.putAll(options.pins);
      this.planCache = options.planCache;
      this.timingCache = options.timingCache;
      this.buildListener = options.buildListener;
      this.sample.putAll(options.sample);
      this.shared.putAll(options.shared);
      this.waitPolicy = options.waitPolicy;
      this.streamPriority = options.streamPriority;
      this.affinity = options.affinity;
      this.performanceHint = options.performanceHint;
    }

    /**
     * Sets where to run.
     *
     * @param device a device, or {@link Device#auto}
     * @return this builder
     */
    public Builder device(Device device) {
      this.device = Objects.requireNonNull(device, "device");
      return this;
    }

    /**
     * Sets how precisely to compute on a GPU. The CPU computes in {@link Precision#FP32} whatever
     * is asked.
     *
     * @param precision the precision
     * @return this builder
     */
    public Builder precision(Precision precision) {
      this.precision = Objects.requireNonNull(precision, "precision");
      return this;
    }

    /**
     * Sets the most rows that a call may have. Every session holds memory for that many.
     *
     * @param rows at least 1
     * @return this builder
     * @throws IllegalArgumentException if it is less
     */
    public Builder maxBatch(int rows) {
      this.maxBatch = atLeastOne("maxBatch", rows);
      return this;
    }

    /**
     * Sets whether a call may run with more rows than it was given. Switch it off for models whose
     * rows depend on each other; a model with a fixed batch then takes exactly that many rows.
     *
     * @param allowed whether rows may be added
     * @return this builder
     */
    public Builder padding(boolean allowed) {
      this.padding = allowed;
      return this;
    }

    /**
     * Sets how many threads the CPU backend computes with. All sessions of an engine share them.
     *
     * @param threads 1 to 1024; with 1, each call computes on its caller's thread
     * @return this builder
     * @throws IllegalArgumentException if it is less or more
     */
    public Builder cpuThreads(int threads) {
      this.cpuThreads = numberOfThreads("cpuThreads", threads);
      return this;
    }

    /**
     * Declares the ids that an input accepts. Every request is then checked before anything runs;
     * without it, what an id outside the model's tables gives is the backend's choice, an error or
     * a meaningless score.
     *
     * @param input the input's name
     * @param min the smallest id
     * @param max the largest id
     * @return this builder
     * @throws IllegalArgumentException if the range is empty
     */
    public Builder idRange(String input, long min, long max) {
      idRanges.put(Objects.requireNonNull(input, "input"), new IdRange(min, max));
      return this;
    }

    /**
     * Sets the batches that a GPU's kernels are chosen for. Each gives the plan one optimisation
     * profile; which of them serves a call is measured when the plan is built.
     *
     * @param batches from 1 to {@code maxBatch}; more of them make builds longer
     * @return this builder
     */
    public Builder optimizeFor(Integer... batches) {
      this.optimizeFor = List.of(batches);
      return this;
    }

    /**
     * Sets how much time a build may take to find fast kernels. TensorRT calls it the builder
     * optimisation level.
     *
     * @param level from 0, seconds, to 5, minutes
     * @return this builder
     * @throws IllegalArgumentException if it is another number
     */
    public Builder builderLevel(int level) {
      if (level < 0 || level > 5) {
        throw new IllegalArgumentException("builderLevel must be from 0 to 5: " + level);
      }
      this.builderLevel = level;
      return this;
    }

    /**
     * Sets how much GPU memory a kernel may use beside its inputs and outputs.
     *
     * @param bytes at least 1
     * @return this builder
     * @throws IllegalArgumentException if it is less
     */
    public Builder workspaceBytes(long bytes) {
      if (bytes < 1) {
        throw new IllegalArgumentException("workspaceBytes must be at least 1: " + bytes);
      }
      this.workspaceBytes = bytes;
      return this;
    }

    /**
     * Sets the precision of one layer, in engines of {@link Precision#FP16} or {@link
     * Precision#BF16}: {@link Precision#FP32} keeps it exact, the engine's own precision lowers a
     * layer that RankRT would have kept exact.
     *
     * @param layer the layer's name, which is that of its node in the ONNX file
     * @param precision the precision
     * @return this builder
     */
    public Builder pin(String layer, Precision precision) {
      pins.put(
          Objects.requireNonNull(layer, "layer"), Objects.requireNonNull(precision, "precision"));
      return this;
    }

    /**
     * Sets where built plans are kept, so that a model is built once for a machine. Plans are code:
     * whoever can write to the folder decides what the service runs.
     *
     * @param folder created when missing, for this user only
     * @return this builder
     */
    public Builder planCache(Path folder) {
      this.planCache = Objects.requireNonNull(folder, "folder");
      return this;
    }

    /**
     * Keeps no plans: every opening of an ONNX file builds it.
     *
     * @return this builder
     */
    public Builder withoutPlanCache() {
      this.planCache = null;
      return this;
    }

    /**
     * Sets where the times of kernels are kept that builds measure, which makes the next build of a
     * similar model faster.
     *
     * @param file created when missing
     * @return this builder
     */
    public Builder timingCache(Path file) {
      this.timingCache = Objects.requireNonNull(file, "file");
      return this;
    }

    /**
     * Sets who hears how a build goes on.
     *
     * @param listener called on several threads
     * @return this builder
     */
    public Builder buildListener(BuildListener listener) {
      this.buildListener = Objects.requireNonNull(listener, "listener");
      return this;
    }

    /**
     * Gives an input's part of the rows that a lower precision is compared with {@link
     * Precision#FP32} on, when an ONNX file is built: real requests tell more than drawn numbers.
     * Either every input is given, with the same number of rows, or none.
     *
     * @param input the input's name
     * @param values rows, one after the other; copied
     * @return this builder
     */
    public Builder sample(String input, float[] values) {
      return sample(input, FloatBuffer.wrap(values.clone()).asReadOnlyBuffer());
    }

    /**
     * Gives an input of ids, as {@link #sample(String, float[])} does.
     *
     * @param input the input's name
     * @param ids rows, one after the other; copied
     * @return this builder
     */
    public Builder sample(String input, int[] ids) {
      return sample(input, Arrays.stream(ids).asLongStream().toArray());
    }

    /**
     * Gives an input of ids, as {@link #sample(String, float[])} does.
     *
     * @param input the input's name
     * @param ids rows, one after the other; copied
     * @return this builder
     */
    public Builder sample(String input, long[] ids) {
      return sample(input, LongBuffer.wrap(ids.clone()).asReadOnlyBuffer());
    }

    /**
     * Says that an input is the user's: the same for all candidates of a call. The engine then
     * takes one row of it, {@code [1, ...]} instead of {@code [batch, ...]}, and computes what
     * depends on the user alone once a call. The engine's inputs are the candidates', in the
     * model's order, and behind them the user's; {@link Session#rank} takes both.
     *
     * @param input the input's name
     * @return this builder
     */
    public Builder shared(String input) {
      shared.put(Objects.requireNonNull(input, "input"), List.of());
      return this;
    }

    /**
     * Says that some columns of an input {@code [batch, width]} are the user's, as {@link
     * #shared(String)} does for all of them. The engine then has two inputs for one: under the old
     * name the candidates' columns, and under that name with {@code .user} behind the user's, one
     * row, each in the columns' order. May be called for several ranges. A {@link #idRange(String,
     * long, long) range of ids} holds for both parts; a {@link #sample(String, float[]) sample} is
     * given in the engine's inputs, one row of the user's.
     *
     * @param input the input's name
     * @param from the first column, from 0
     * @param to the one behind the last
     * @return this builder
     * @throws IllegalArgumentException if the range is empty or begins before 0
     */
    public Builder shared(String input, int from, int to) {
      Columns columns = new Columns(from, to);
      List<Columns> known = shared.get(Objects.requireNonNull(input, "input"));
      if (known == null) {
        shared.put(input, List.of(columns));
      } else if (!known.isEmpty()) { // else all of it is shared already
        List<Columns> more = new ArrayList<>(known);
        more.add(columns);
        shared.put(input, List.copyOf(more));
      }
      return this;
    }

    /**
     * Sets how calls wait for a GPU.
     *
     * @param policy latency against processor time
     * @return this builder
     */
    public Builder waitPolicy(WaitPolicy policy) {
      this.waitPolicy = Objects.requireNonNull(policy, "policy");
      return this;
    }

    /**
     * Sets how urgent a GPU's work is beside that of other streams on the same GPU, such as those
     * of a model that may wait. What it may be is the GPU's: usually -5 to 0, and a session with
     * another one is refused.
     *
     * @param priority lower is more urgent
     * @return this builder
     */
    public Builder streamPriority(int priority) {
      this.streamPriority = priority;
      return this;
    }

    /**
     * Sets where the threads are bound that RankRT makes for a GPU, the workers of a {@link Ranker}
     * among them, and so which NUMA node the sessions' pinned memory comes from. A service's own
     * threads are its own to bind: see {@link dev.rankrt.streams.AffinityThreadFactory}.
     *
     * @param policy on machines with one node, or where threads cannot be bound, it does nothing
     * @return this builder
     */
    public Builder affinity(AffinityPolicy policy) {
      this.affinity = Objects.requireNonNull(policy, "policy");
      return this;
    }

    /**
     * Sets what a GPU's runs are to be good at. The ways in which a batch can run are measured when
     * a plan is built, alone and side by side with others, and both results are kept in it.
     *
     * @param hint what to choose a way for
     * @return this builder
     */
    public Builder performanceHint(PerformanceHint hint) {
      this.performanceHint = Objects.requireNonNull(hint, "hint");
      return this;
    }

    private Builder sample(String input, Buffer values) {
      sample.put(Objects.requireNonNull(input, "input"), values);
      return this;
    }

    /**
     * Returns the options collected so far.
     *
     * @return the options
     * @throws IllegalArgumentException if {@code optimizeFor} names a batch beyond {@code
     *     maxBatch}, or a layer is pinned to what this engine cannot give it
     */
    public EngineOptions build() {
      return new EngineOptions(this);
    }

    /** Refuses what no machine has processors for, and would take minutes to start. */
    static int numberOfThreads(String setting, int value) {
      if (value > MOST_THREADS) {
        throw new IllegalArgumentException(
            setting + " must be at most " + MOST_THREADS + ": " + value);
      }
      return atLeastOne(setting, value);
    }

    static int atLeastOne(String setting, int value) {
      if (value < 1) {
        throw new IllegalArgumentException(setting + " must be at least 1: " + value);
      }
      return value;
    }
  }
}
