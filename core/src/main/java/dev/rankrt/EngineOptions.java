package dev.rankrt;

import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;

/** How to open an engine. Immutable. */
public final class EngineOptions {
  private static final EngineOptions DEFAULTS = builder().build();

  private final Device device;
  private final Precision precision;
  private final int maxBatch;
  private final boolean padding;
  private final int cpuThreads;
  private final Map<String, IdRange> idRanges;

  private EngineOptions(Builder builder) {
    this.device = builder.device;
    this.precision = builder.precision;
    this.maxBatch = builder.maxBatch;
    this.padding = builder.padding;
    this.cpuThreads = builder.cpuThreads;
    this.idRanges = Map.copyOf(builder.idRanges);
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
    return Optional.ofNullable(idRanges.get(input));
  }

  /**
   * Returns every declared range.
   *
   * @return ranges by input name
   */
  public Map<String, IdRange> idRanges() {
    return idRanges;
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
        + "]";
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

  /** Collects settings. One thread at a time. */
  public static final class Builder {
    private Device device = Device.auto();
    private Precision precision = Precision.FP32;
    private int maxBatch = 1024;
    private boolean padding = true;
    private int cpuThreads = Runtime.getRuntime().availableProcessors();
    private final Map<String, IdRange> idRanges = new LinkedHashMap<>();

    private Builder() {}

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
     * @param threads at least 1; with 1, each call computes on its caller's thread
     * @return this builder
     * @throws IllegalArgumentException if it is less
     */
    public Builder cpuThreads(int threads) {
      this.cpuThreads = atLeastOne("cpuThreads", threads);
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
     * Returns the options collected so far.
     *
     * @return the options
     */
    public EngineOptions build() {
      return new EngineOptions(this);
    }

    private static int atLeastOne(String setting, int value) {
      if (value < 1) {
        throw new IllegalArgumentException(setting + " must be at least 1: " + value);
      }
      return value;
    }
  }
}
