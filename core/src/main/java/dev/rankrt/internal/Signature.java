package dev.rankrt.internal;

import dev.rankrt.DataType;
import dev.rankrt.EngineOptions;
import dev.rankrt.ModelException;
import dev.rankrt.Shape;
import dev.rankrt.TensorSpec;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * A model's inputs and outputs as the API describes them, made from what a backend reads in the
 * model. Immutable.
 *
 * <p>A model's batch is free where an input's first dimension is; then every tensor with a free
 * first dimension has one row for each row of a request. Otherwise the batch is fixed to the first
 * dimension of the first input, and every tensor that begins with the same number is taken to have
 * rows.
 *
 * @param inputs the inputs in the model's order
 * @param outputs the outputs in the model's order
 * @param fixedBatch the batch that the model was exported with, 0 where it is free
 */
public record Signature(List<TensorSpec> inputs, List<TensorSpec> outputs, int fixedBatch) {

  /**
   * A tensor as the model declares it.
   *
   * @param name its name
   * @param type its type
   * @param dimensions its dimensions, negative where they are free
   */
  public record Declared(String name, DataType type, List<Long> dimensions) {
    /** Tells whether the first dimension is free, and with it the batch. */
    public boolean beginsFree() {
      return !dimensions.isEmpty() && dimensions.get(0) < 0;
    }

    @Override
    public String toString() {
      return "'" + name + "' " + type + dimensions;
    }
  }

  /** Describes a model, or says what in it cannot be served. */
  public static Signature of(Path model, List<Declared> inputs, List<Declared> outputs) {
    if (inputs.isEmpty() || outputs.isEmpty()) {
      throw new ModelException(model + " has no " + (inputs.isEmpty() ? "inputs" : "outputs"));
    }
    int fixedBatch = inputs.stream().anyMatch(Declared::beginsFree) ? 0 : fixedBatch(model, inputs);
    return new Signature(
        inputs.stream().map(input -> spec(model, "input", input, fixedBatch)).toList(),
        outputs.stream().map(output -> spec(model, "output", output, fixedBatch)).toList(),
        fixedBatch);
  }

  /** Returns the fewest rows that a run takes. */
  public int minBatch(EngineOptions options) {
    return fixedBatch > 0 && !options.padding() ? fixedBatch : 1;
  }

  /** Returns the most rows that a run takes. */
  public int maxBatch(EngineOptions options) {
    return fixedBatch > 0
        ? Math.max(minBatch(options), Math.min(fixedBatch, options.maxBatch()))
        : options.maxBatch();
  }

  /**
   * Tells an output's shape from what it is for two numbers of rows, since one number could be a
   * dimension that happens to be as large. A dimension that changes otherwise gets a size that is
   * none, for {@link #of} to refuse.
   */
  public static Declared measured(
      Declared output, List<Long> some, long someRows, List<Long> more, long moreRows) {
    List<Long> dimensions = new ArrayList<>(some);
    for (int axis = 0; axis < dimensions.size(); axis++) {
      long one = some.get(axis);
      long other = more.get(axis);
      if (axis == 0 && someRows != moreRows && one == someRows && other == moreRows) {
        dimensions.set(axis, (long) Shape.BATCH);
      } else if (one != other) {
        dimensions.set(axis, 0L);
      }
    }
    return new Declared(output.name(), output.type(), dimensions);
  }

  /** Checks inputs alone, before a backend asks for memory for them. */
  public static void requireServable(Path model, List<Declared> inputs) {
    of(model, inputs, inputs);
  }

  /** Refuses a tensor of a type that the API does not have. */
  public static ModelException typeRefused(Object model, String tensor, String type) {
    return new ModelException(
        model
            + ": '"
            + tensor
            + "' is of type "
            + type
            + "; inputs and outputs may be FLOAT, FLOAT16, BFLOAT16, INT32 or INT64");
  }

  private static int fixedBatch(Path model, List<Declared> inputs) {
    long batch =
        inputs.stream()
            .filter(input -> !input.dimensions().isEmpty())
            .mapToLong(input -> input.dimensions().get(0))
            .findFirst()
            .orElse(1);
    if (batch < 1 || batch > Integer.MAX_VALUE) {
      throw new ModelException(model + " has a batch of " + batch + ": " + inputs);
    }
    return (int) batch;
  }

  private static TensorSpec spec(Path model, String kind, Declared declared, int fixedBatch) {
    int[] dimensions = new int[declared.dimensions().size()];
    for (int axis = 0; axis < dimensions.length; axis++) {
      long dimension = declared.dimensions().get(axis);
      boolean rows = dimension < 0 || (fixedBatch > 0 && dimension == fixedBatch);
      if (axis == 0 && rows) {
        dimensions[axis] = Shape.BATCH;
      } else if (dimension >= 1 && dimension <= Integer.MAX_VALUE) {
        dimensions[axis] = (int) dimension;
      } else {
        throw new ModelException(
            model
                + ": "
                + kind
                + " "
                + declared
                + " has no definite size in dimension "
                + axis
                + "; only the first dimension, the batch, may be free: export the model with the others fixed");
      }
    }
    try {
      return new TensorSpec(declared.name(), declared.type(), Shape.of(dimensions));
    } catch (IllegalArgumentException e) {
      throw new ModelException(model + ": " + kind + " " + declared + ": " + e.getMessage(), e);
    }
  }
}
