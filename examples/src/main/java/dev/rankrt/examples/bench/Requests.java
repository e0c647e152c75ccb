package dev.rankrt.examples.bench;

import dev.rankrt.EngineOptions.IdRange;
import dev.rankrt.Session;
import dev.rankrt.TensorSpec;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;

/**
 * Requests with drawn values for a model's inputs. Immutable; every thread reads the same ones.
 *
 * <p>Floats are drawn from a normal distribution, ids from their input's range. There are several,
 * so that tables are read in many places, as they are in service.
 */
final class Requests {
  /** What is drawn in all, so that large requests are fewer. */
  private static final int DRAWN_ROWS = 8192;

  private static final int FEWEST = 2;
  private static final int MOST = 256;
  private static final long SEED = 11;

  private final List<TensorSpec> inputs;
  private final List<Request> drawn;

  private Requests(List<TensorSpec> inputs, List<Request> drawn) {
    this.inputs = inputs;
    this.drawn = drawn;
  }

  /**
   * The values of one request, in the inputs' order: a {@code float[]} or a {@code long[]} each.
   * Immutable by agreement.
   */
  private record Request(List<Object> values) {}

  /**
   * Draws requests.
   *
   * @param ids the range of each input's ids
   * @param others the range of the ids of inputs that {@code ids} does not name
   */
  static Requests draw(
      List<TensorSpec> inputs, Map<String, IdRange> ids, IdRange others, int rows) {
    SplittableRandom random = new SplittableRandom(SEED);
    int count = Math.max(FEWEST, Math.min(MOST, DRAWN_ROWS / rows));
    List<Request> drawn = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      List<Object> values = new ArrayList<>();
      for (TensorSpec input : inputs) {
        int size = Math.toIntExact(input.shape().elements(rows));
        IdRange range = ids.getOrDefault(input.name(), others);
        values.add(
            input.type().isFloat()
                ? floats(random, size)
                : random.longs(size, range.min(), range.max() + 1).toArray());
      }
      drawn.add(new Request(values));
    }
    return new Requests(inputs, List.copyOf(drawn));
  }

  private static float[] floats(SplittableRandom random, int size) {
    float[] values = new float[size];
    for (int i = 0; i < size; i++) {
      values[i] = (float) random.nextGaussian();
    }
    return values;
  }

  /**
   * Tells whether the model is of the kind that {@code infer} is for.
   *
   * @param outputs the model's outputs
   */
  boolean isDenseAndSparse(List<TensorSpec> outputs) {
    return inputs.size() == 2
        && inputs.get(0).type().isFloat() != inputs.get(1).type().isFloat()
        && inputs.stream().allMatch(input -> input.shape().hasBatch())
        && outputs.size() == 1
        && outputs.get(0).type().isFloat()
        && outputs.get(0).shape().hasBatch();
  }

  /** Returns the floats of a request, for models that have one such input. */
  float[] dense(int number) {
    return (float[]) value(number, inputs.get(0).type().isFloat() ? 0 : 1);
  }

  /** Returns the ids of a request, for models that have one such input. */
  long[] sparse(int number) {
    return (long[]) value(number, inputs.get(0).type().isFloat() ? 1 : 0);
  }

  /** Runs a request by its inputs' names, and reads every output. */
  void run(Session session, int number, int rows) {
    for (int i = 0; i < inputs.size(); i++) {
      Object values = value(number, i);
      if (values instanceof float[] floats) {
        session.input(inputs.get(i).name()).put(floats);
      } else {
        session.input(inputs.get(i).name()).put((long[]) values);
      }
    }
    session.run(rows);
    for (TensorSpec output : session.engine().outputs()) {
      if (output.type().isFloat()) {
        session.output(output.name()).toFloatArray();
      } else {
        session.output(output.name()).toLongArray();
      }
    }
  }

  private Object value(int number, int input) {
    return drawn.get(Math.floorMod(number, drawn.size())).values().get(input);
  }
}
