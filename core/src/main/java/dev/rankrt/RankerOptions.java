package dev.rankrt;

import java.time.Duration;
import java.util.HashSet;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.function.Consumer;

/** How a {@link Ranker} serves its callers. Immutable. */
public final class RankerOptions {
  private static final RankerOptions DEFAULTS = builder().build();

  private final List<Device> devices;
  private final int workers;
  private final int queueCapacity;
  private final Duration deadline;
  private final Duration batchingWindow;
  private final RankerListener listener;
  private final Consumer<Engine> check;
  private final boolean gentleSwaps;

  private RankerOptions(Builder builder) {
    this.devices = builder.devices;
    this.workers = builder.workers;
    this.queueCapacity = builder.queueCapacity;
    this.deadline = builder.deadline;
    this.batchingWindow = builder.batchingWindow;
    this.listener = builder.listener;
    this.check = builder.check;
    this.gentleSwaps = builder.gentleSwaps;
  }

  /**
   * Returns the options that every setting's Javadoc calls the default.
   *
   * @return the defaults
   */
  public static RankerOptions defaults() {
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
   * Returns the devices that serve.
   *
   * @return none by default, which is {@link EngineOptions#device}
   */
  public List<Device> devices() {
    return devices;
  }

  /**
   * Returns how many workers a device has.
   *
   * @return nothing by default, which is five for a GPU, or half of its share of the processors
   *     where that is less, but at least two; and for the CPU as many as keep its processors busy
   *     with {@link EngineOptions#cpuThreads} each
   */
  public OptionalInt workers() {
    return workers > 0 ? OptionalInt.of(workers) : OptionalInt.empty();
  }

  /**
   * Returns how many rows may wait for a device.
   *
   * @return nothing by default, which is 128 times the most rows of a run
   */
  public OptionalInt queueCapacity() {
    return queueCapacity > 0 ? OptionalInt.of(queueCapacity) : OptionalInt.empty();
  }

  /**
   * Returns how soon a request must be answered.
   *
   * @return nothing by default: requests wait for as long as it takes
   */
  public Optional<Duration> deadline() {
    return Optional.ofNullable(deadline);
  }

  /**
   * Returns how long a worker waits for more requests once it has one.
   *
   * @return zero by default
   */
  public Duration batchingWindow() {
    return batchingWindow;
  }

  /**
   * Returns who hears of failed devices and swaps.
   *
   * @return nobody, by default; the log has it in any case
   */
  public Optional<RankerListener> listener() {
    return Optional.ofNullable(listener);
  }

  /**
   * Returns what a model must pass before a swap lets it serve.
   *
   * @return nothing, by default
   */
  public Optional<Consumer<Engine>> check() {
    return Optional.ofNullable(check);
  }

  /**
   * Tells whether a swap on a GPU takes its time.
   *
   * @return true by default
   */
  public boolean gentleSwaps() {
    return gentleSwaps;
  }

  @Override
  public String toString() {
    return "RankerOptions[devices="
        + devices
        + ", workers="
        + (workers > 0 ? workers : "default")
        + ", queueCapacity="
        + (queueCapacity > 0 ? queueCapacity : "default")
        + ", deadline="
        + (deadline == null ? "none" : deadline)
        + ", batchingWindow="
        + batchingWindow
        + ", gentleSwaps="
        + gentleSwaps
        + "]";
  }

  /** Collects settings. One thread at a time. */
  public static final class Builder {
    private List<Device> devices = List.of();
    private int workers;
    private int queueCapacity;
    private Duration deadline;
    private Duration batchingWindow = Duration.ZERO;
    private RankerListener listener;
    private Consumer<Engine> check;
    private boolean gentleSwaps = true;

    private Builder() {}

    /**
     * Sets the devices that serve, instead of {@link EngineOptions#device}. Each gets the model;
     * requests go to the one with the fewest rows to run, or to another where that one has no place
     * or no time for them.
     *
     * @param devices at least one, each once
     * @return this builder
     * @throws IllegalArgumentException if there is none, one is named twice, or one is {@link
     *     Device#auto} among others
     */
    public Builder devices(Device... devices) {
      List<Device> all = List.of(devices);
      if (all.isEmpty() || new HashSet<>(all).size() < all.size()) {
        throw new IllegalArgumentException("devices must be at least one, each once: " + all);
      }
      if (all.size() > 1 && all.contains(Device.auto())) {
        throw new IllegalArgumentException("auto stands for one device, not for some of: " + all);
      }
      this.devices = all;
      return this;
    }

    /**
     * Sets how many workers a device has: threads with a session each, of which one copies requests
     * while another's run. More of them hide more of the copying and make smaller batches.
     *
     * @param workers 1 to 1024
     * @return this builder
     * @throws IllegalArgumentException if it is less or more
     */
    public Builder workers(int workers) {
      this.workers = EngineOptions.Builder.numberOfThreads("workers", workers);
      return this;
    }

    /**
     * Sets how many rows may wait for a device. A request that would make it more is refused; one
     * that alone is more is taken where nothing else waits.
     *
     * @param rows at least 1
     * @return this builder
     * @throws IllegalArgumentException if it is less
     */
    public Builder queueCapacity(int rows) {
      this.queueCapacity = EngineOptions.Builder.atLeastOne("queueCapacity", rows);
      return this;
    }

    /**
     * Sets how soon a request must be answered, counted from the call; {@link Ranker#within} sets
     * it for some.
     *
     * @param deadline more than zero
     * @return this builder
     * @throws IllegalArgumentException if it is zero or less
     */
    public Builder deadline(Duration deadline) {
      requirePositive(deadline);
      this.deadline = deadline;
      return this;
    }

    /**
     * Sets how long a worker waits for more requests once it has one. Without it a worker runs what
     * is there, and batches grow by themselves while all workers are busy; a window makes sense for
     * devices that one small run at a time keeps from others.
     *
     * @param window usually microseconds; zero for none
     * @return this builder
     * @throws IllegalArgumentException if it is negative or more than a second
     */
    public Builder batchingWindow(Duration window) {
      if (window.isNegative() || window.compareTo(Duration.ofSeconds(1)) > 0) {
        throw new IllegalArgumentException(
            "batchingWindow must be from zero to a second: " + window);
      }
      this.batchingWindow = window;
      return this;
    }

    /**
     * Sets who hears of failed devices and swaps.
     *
     * @param listener called on several threads
     * @return this builder
     */
    public Builder listener(RankerListener listener) {
      this.listener = Objects.requireNonNull(listener, "listener");
      return this;
    }

    /**
     * Sets what a model must pass before a swap lets it serve: known rows with known scores, say.
     * It is given the new model's engine on each device, on the thread that swaps, and refuses the
     * model by throwing. The engine stays the ranker's.
     *
     * @param check what to run
     * @return this builder
     */
    public Builder check(Consumer<Engine> check) {
      this.check = Objects.requireNonNull(check, "check");
      return this;
    }

    /**
     * Sets whether a swap on a GPU takes its time. Opening the new model and freeing the old one
     * hold the driver up for a millisecond at a time, and with it every request. A gentle swap
     * rests after each such moment, while there are requests: under load it takes about half a
     * minute for each worker, in which both models have their memory. One that is not takes two or
     * three seconds in all, in which more than one request in a hundred is a millisecond late.
     *
     * @param gently false for swaps that are over soon
     * @return this builder
     */
    public Builder gentleSwaps(boolean gently) {
      this.gentleSwaps = gently;
      return this;
    }

    /**
     * Returns the options collected so far.
     *
     * @return the options
     */
    public RankerOptions build() {
      return new RankerOptions(this);
    }
  }

  static void requirePositive(Duration deadline) {
    if (deadline.isZero() || deadline.isNegative()) {
      throw new IllegalArgumentException("deadline must be more than zero: " + deadline);
    }
  }
}
