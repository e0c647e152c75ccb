package dev.rankrt.internal.tensorrt;

import dev.rankrt.DataType;
import dev.rankrt.EngineOptions;
import dev.rankrt.EngineOptions.IdRange;
import dev.rankrt.TensorSpec;
import java.nio.Buffer;
import java.nio.ByteBuffer;
import java.nio.FloatBuffer;
import java.nio.LongBuffer;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;

/**
 * The rows that a precision is compared with {@code FP32} on: the user's, or drawn ones. Immutable.
 *
 * @param rows how many there are
 * @param given whether they are the user's
 * @param values a {@code FloatBuffer} or a {@code LongBuffer} for each input, in the inputs' order
 */
record Sample(int rows, boolean given, List<Buffer> values) {
  private static final int DRAWN_ROWS = 256;

  /** Ids that nearly every table has, for inputs without a declared range. */
  private static final IdRange SMALL_IDS = new IdRange(0, 9);

  /**
   * Takes the user's rows, or draws some.
   *
   * @param minBatch the fewest rows that a run takes
   * @param maxBatch the most
   * @throws IllegalArgumentException if the user's rows do not fit the inputs
   */
  static Sample of(List<TensorSpec> inputs, int minBatch, int maxBatch, EngineOptions options) {
    Map<String, Buffer> given = options.sample();
    if (given.isEmpty()) {
      int rows = Math.max(minBatch, Math.min(DRAWN_ROWS, maxBatch));
      Random random = new Random(7);
      return new Sample(
          rows, false, inputs.stream().map(spec -> draw(spec, rows, options, random)).toList());
    }
    if (inputs.size() != given.size()
        || !inputs.stream().map(TensorSpec::name).allMatch(given::containsKey)) {
      throw new IllegalArgumentException(
          "the sample is of " + given.keySet() + ", the model's inputs are " + inputs);
    }
    int rows = rowsOf(inputs, given);
    if (rows % minBatch != 0) {
      throw new IllegalArgumentException(
          "the sample has " + rows + " rows, but the model runs " + minBatch + " at a time");
    }
    List<Buffer> values = new ArrayList<>();
    for (TensorSpec spec : inputs) {
      requireFits(spec, rows, given.get(spec.name()), options);
      values.add(given.get(spec.name()));
    }
    return new Sample(rows, true, List.copyOf(values));
  }

  private static int rowsOf(List<TensorSpec> inputs, Map<String, Buffer> given) {
    for (TensorSpec spec : inputs) {
      int count = given.get(spec.name()).limit();
      if (spec.shape().hasBatch() && count > 0) {
        return Math.max(1, count / spec.shape().elementsPerRow());
      }
    }
    return 1;
  }

  private static void requireFits(TensorSpec spec, int rows, Buffer values, EngineOptions options) {
    if (spec.type().isFloat() != values instanceof FloatBuffer) {
      throw new IllegalArgumentException(
          "the sample of input "
              + spec
              + " is of "
              + (values instanceof FloatBuffer ? "floats" : "ids"));
    }
    long wanted = spec.shape().elements(rows);
    if (values.limit() != wanted) {
      throw new IllegalArgumentException(
          "the sample of input "
              + spec
              + " has "
              + values.limit()
              + " values, "
              + wanted
              + " are "
              + rows
              + " rows; every input needs the same rows");
    }
    if (values instanceof LongBuffer ids) {
      IdRange range = accepted(spec, options.idRange(spec.name()).orElse(null));
      for (int i = 0; i < ids.limit(); i++) {
        if (ids.get(i) < range.min() || ids.get(i) > range.max()) {
          throw new IllegalArgumentException(
              "the sample of input "
                  + spec
                  + " has id "
                  + ids.get(i)
                  + " at "
                  + i
                  + ", not "
                  + range);
        }
      }
    }
  }

  /** Returns the ids that are both declared and possible. */
  private static IdRange accepted(TensorSpec spec, IdRange declared) {
    boolean small = spec.type() == DataType.INT32;
    long min = small ? Integer.MIN_VALUE : Long.MIN_VALUE;
    long max = small ? Integer.MAX_VALUE : Long.MAX_VALUE;
    return declared == null
        ? new IdRange(min, max)
        : new IdRange(
            Math.min(max, Math.max(min, declared.min())),
            Math.max(min, Math.min(max, declared.max())));
  }

  private static Buffer draw(TensorSpec spec, int rows, EngineOptions options, Random random) {
    int count = Math.toIntExact(spec.shape().elements(rows));
    if (spec.type().isFloat()) {
      FloatBuffer values = FloatBuffer.allocate(count);
      for (int i = 0; i < count; i++) {
        values.put(i, (float) random.nextGaussian());
      }
      return values;
    }
    IdRange range = accepted(spec, options.idRange(spec.name()).orElse(SMALL_IDS));
    LongBuffer ids = LongBuffer.allocate(count);
    for (int i = 0; i < count; i++) {
      // The largest number of all cannot be drawn, and is not missed.
      long end = range.max() == Long.MAX_VALUE ? range.max() : range.max() + 1;
      ids.put(i, range.min() == end ? end : random.nextLong(range.min(), end));
    }
    return ids;
  }

  /**
   * Copies some rows of an input to where a session reads them.
   *
   * @param input the input's place
   * @param start the first row
   * @param count how many rows
   */
  void copyTo(int input, TensorSpec spec, int start, int count, ByteBuffer memory) {
    int length = Math.toIntExact(spec.shape().elements(count));
    int first = spec.shape().hasBatch() ? start * spec.shape().elementsPerRow() : 0;
    if (values.get(input) instanceof FloatBuffer floats) {
      memory.asFloatBuffer().put(0, floats, first, length);
    } else {
      LongBuffer ids = (LongBuffer) values.get(input);
      if (spec.type() == DataType.INT64) {
        memory.asLongBuffer().put(0, ids, first, length);
      } else {
        for (int i = 0; i < length; i++) {
          memory.putInt(i * Integer.BYTES, (int) ids.get(first + i));
        }
      }
    }
  }

  /**
   * Returns what tells the user's rows from others, for the key of a plan that keeps the result.
   */
  static String keyOf(EngineOptions options) {
    Map<String, String> keys = new TreeMap<>();
    options.sample().forEach((input, values) -> keys.put(input, keyOf(values)));
    return keys.toString();
  }

  private static String keyOf(Buffer values) {
    MessageDigest digest = Plan.sha256();
    ByteBuffer one = ByteBuffer.allocate(Long.BYTES);
    for (int i = 0; i < values.limit(); i++) {
      if (values instanceof FloatBuffer floats) {
        one.putLong(0, Float.floatToRawIntBits(floats.get(i)));
      } else {
        one.putLong(0, ((LongBuffer) values).get(i));
      }
      digest.update(one.array());
    }
    return (values instanceof FloatBuffer ? "floats " : "ids ")
        + HexFormat.of().formatHex(digest.digest());
  }
}
