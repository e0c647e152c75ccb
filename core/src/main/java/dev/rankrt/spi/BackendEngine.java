package dev.rankrt.spi;

import dev.rankrt.AccuracyReport;
import dev.rankrt.EngineStats;
import dev.rankrt.Precision;
import dev.rankrt.TensorSpec;
import java.util.List;
import java.util.Optional;

/** A model that a backend has loaded. Safe for use by several threads. */
public interface BackendEngine extends AutoCloseable {
  /**
   * Returns the inputs in the model's order.
   *
   * @return the same descriptions on every call
   */
  List<TensorSpec> inputs();

  /**
   * Returns the outputs in the model's order.
   *
   * @return the same descriptions on every call
   */
  List<TensorSpec> outputs();

  /**
   * Returns the fewest rows that a run takes.
   *
   * @return 1, or the batch that the model fixes where it must not be padded
   */
  int minBatch();

  /**
   * Returns the most rows that a run takes.
   *
   * @return at most what the options asked for, less where the model fixes its batch
   */
  int maxBatch();

  /**
   * Returns the precision that the model really computes in.
   *
   * @return the precision
   */
  Precision precision();

  /**
   * Returns what the precision costs.
   *
   * @return nothing where nobody measured it
   */
  default Optional<AccuracyReport> accuracy() {
    return Optional.empty();
  }

  /**
   * Returns the batch sizes whose first run takes longer than later ones, because the backend
   * prepares something for each. All of them are run before the engine is given to its user.
   *
   * @return sizes, the smallest first; none where nothing is gained by that
   */
  default List<Integer> buckets() {
    return List.of();
  }

  /**
   * Returns what the sessions have run.
   *
   * @return counts since the engine was opened, after its end as well
   */
  EngineStats stats();

  /**
   * Returns how many runs of the largest size keep the device busy. While so many rows run, another
   * run only slows those down, and a ranker begins none that is not full.
   *
   * @return 1 or more; infinity where runs do not slow each other down, or nobody knows
   */
  default double runsThatFill() {
    return Double.POSITIVE_INFINITY;
  }

  /**
   * Returns where the device is, for placing threads near it.
   *
   * @return a GPU's PCI address, such as {@code 0000:3b:00.0}; nothing for other devices
   */
  default Optional<String> pciAddress() {
    return Optional.empty();
  }

  /**
   * Creates a session, for one thread at a time.
   *
   * @return the session, owned by the caller
   */
  BackendSession newSession();

  /** Frees the model. Called once, after all of its sessions were closed. */
  @Override
  void close();
}
