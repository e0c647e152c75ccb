package dev.rankrt.examples.bench;

import dev.rankrt.EngineOptions.IdRange;
import dev.rankrt.Ranker;
import dev.rankrt.Session;
import dev.rankrt.TensorSpec;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ThreadLocalRandom;
import java.util.stream.Stream;

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

  private final List<Request> drawn;

  private Requests(List<Request> drawn) {
    this.drawn = drawn;
  }

  /** The values of one request. Immutable by agreement. */
  static final class Request {
    private final int rows;

    /** A {@code float[]} or a {@code long[]} for each input. */
    private final Map<String, Object> values;

    /** The two inputs of a model that {@code infer(dense, sparse)} is for; null for any other. */
    private final float[] dense;

    private final long[] sparse;

    private Request(int rows, Map<String, Object> values, float[] dense, long[] sparse) {
      this.rows = rows;
      this.values = values;
      this.dense = dense;
      this.sparse = sparse;
    }

    float[] dense() {
      return dense;
    }

    long[] sparse() {
      return sparse;
    }

    /** Runs the request and reads every output. */
    void run(Session session) {
      if (dense != null) {
        session.infer(dense, sparse);
        return;
      }
      values.forEach(
          (input, value) -> {
            if (value instanceof float[] floats) {
              session.input(input).put(floats);
            } else {
              session.input(input).put((long[]) value);
            }
          });
      session.run(rows);
      for (TensorSpec output : session.engine().outputs()) {
        if (output.type().isFloat()) {
          session.output(output.name()).toFloatArray();
        } else {
          session.output(output.name()).toLongArray();
        }
      }
    }

    /** Runs the request. */
    void run(Ranker ranker) {
      if (dense != null) {
        ranker.infer(dense, sparse);
      } else {
        ranker.infer(values);
      }
    }

    /** Sends the request. */
    CompletableFuture<?> start(Ranker ranker) {
      return dense != null ? ranker.inferAsync(dense, sparse) : ranker.inferAsync(values);
    }
  }

  /**
   * Draws requests.
   *
   * @param outputs the model's outputs
   * @param ids the range of each input's ids
   * @param others the range of the ids of inputs that {@code ids} does not name
   */
  static Requests draw(
      List<TensorSpec> inputs,
      List<TensorSpec> outputs,
      Map<String, IdRange> ids,
      IdRange others,
      int rows) {
    SplittableRandom random = new SplittableRandom(SEED);
    boolean pair = isDenseAndSparse(inputs, outputs);
    return new Requests(
        Stream.generate(() -> draw(random, inputs, pair, ids, others, rows))
            .limit(Math.max(FEWEST, Math.min(MOST, DRAWN_ROWS / rows)))
            .toList());
  }

  private static Request draw(
      SplittableRandom random,
      List<TensorSpec> inputs,
      boolean pair,
      Map<String, IdRange> ids,
      IdRange others,
      int rows) {
    Map<String, Object> values = new LinkedHashMap<>();
    float[] dense = null;
    long[] sparse = null;
    for (TensorSpec input : inputs) {
      int size = Math.toIntExact(input.shape().elements(rows));
      if (input.type().isFloat()) {
        float[] floats = new float[size];
        for (int i = 0; i < size; i++) {
          floats[i] = (float) random.nextGaussian();
        }
        values.put(input.name(), floats);
        dense = pair ? floats : null;
      } else {
        IdRange range = ids.getOrDefault(input.name(), others);
        long[] drawn = random.longs(size, range.min(), range.max() + 1).toArray();
        values.put(input.name(), drawn);
        sparse = pair ? drawn : null;
      }
    }
    return new Request(rows, values, dense, sparse);
  }

  private static boolean isDenseAndSparse(List<TensorSpec> inputs, List<TensorSpec> outputs) {
    return inputs.size() == 2
        && inputs.get(0).type().isFloat() != inputs.get(1).type().isFloat()
        && inputs.stream().allMatch(input -> input.shape().hasBatch())
        && outputs.size() == 1
        && outputs.get(0).type().isFloat()
        && outputs.get(0).shape().hasBatch();
  }

  /** Returns one of the requests. */
  Request any() {
    return drawn.get(ThreadLocalRandom.current().nextInt(drawn.size()));
  }
}
