package dev.rankrt.testing;

import dev.rankrt.InputTensor;
import dev.rankrt.Session;
import dev.rankrt.TensorSpec;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.io.InputStream;
import java.lang.reflect.Array;
import java.nio.FloatBuffer;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.DoubleStream;
import java.util.stream.IntStream;

/**
 * An exported model with inputs and what PyTorch computed for them in float64. The rows of all its
 * batches stand behind each other, so that tests can pick them in any order. Immutable.
 */
public final class Reference {
  /** Every model that is exported. */
  public static final List<String> FAMILIES =
      List.of("dlrm", "deepfm", "dcnv2", "din", "multitask", "widedeep");

  /** The batches of the references, in the order of the rows. */
  public static final List<Integer> BATCHES = List.of(1, 7, 32, 100);

  private final String family;
  private final byte[] model;
  private final Map<String, Column> inputs = new LinkedHashMap<>();
  private final Map<String, Column> outputs = new LinkedHashMap<>();

  /** The values of one input or output, in a Java array of the right type. */
  private record Column(int width, int rows, Object values) {
    /** Returns an array of the same type with some of the rows. */
    Object take(int[] wanted) {
      Object taken = Array.newInstance(values.getClass().componentType(), wanted.length * width);
      for (int i = 0; i < wanted.length; i++) {
        System.arraycopy(values, wanted[i] * width, taken, i * width, width);
      }
      return taken;
    }
  }

  private Reference(String family, byte[] model, Map<String, Npz.Array> arrays) throws IOException {
    this.family = family;
    this.model = model;
    String first = "batch" + BATCHES.get(0) + ".";
    for (String key : arrays.keySet()) {
      if (key.startsWith(first + "in.")) {
        String name = key.substring((first + "in.").length());
        inputs.put(name, column(arrays, "in." + name));
      } else if (key.startsWith(first + "out.")) {
        String name = key.substring((first + "out.").length());
        outputs.put(name, column(arrays, "out." + name));
      }
    }
    int wanted = BATCHES.stream().mapToInt(Integer::intValue).sum();
    if (inputs.isEmpty()
        || outputs.isEmpty()
        || arrays.size() != BATCHES.size() * (inputs.size() + outputs.size())
        || inputs.values().stream().anyMatch(column -> column.rows != wanted)
        || outputs.values().stream().anyMatch(column -> column.rows != wanted)) {
      throw new IOException("the reference of " + family + " is incomplete: " + arrays.keySet());
    }
  }

  private static Column column(Map<String, Npz.Array> arrays, String name) throws IOException {
    List<Npz.Array> parts =
        BATCHES.stream().map(batch -> arrays.get("batch" + batch + "." + name)).toList();
    int width = parts.get(0).width();
    int rows = parts.stream().mapToInt(Npz.Array::rows).sum();
    Object values = null;
    int place = 0;
    for (Npz.Array part : parts) {
      if (part.width() != width) {
        throw new IOException(name + " is " + part.width() + " wide and " + width);
      }
      Object some = values(part);
      if (values == null) {
        values = Array.newInstance(some.getClass().componentType(), rows * width);
      }
      System.arraycopy(some, 0, values, place, part.rows() * width);
      place += part.rows() * width;
    }
    return new Column(width, rows, values);
  }

  private static Object values(Npz.Array array) {
    return switch (array.type()) {
      case "<f4" -> array.floats();
      case "<f8" -> array.doubles();
      case "<i4" -> array.ints();
      default -> array.longs();
    };
  }

  /** Loads a family's files from the class path; a missing one is a failure. */
  public static Reference load(String family) throws IOException {
    return new Reference(
        family,
        resource(family, "model.onnx").readAllBytes(),
        Npz.read(resource(family, "reference.npz")));
  }

  private static InputStream resource(String family, String file) throws IOException {
    String path = "/models/" + family + "/" + file;
    InputStream in = Reference.class.getResourceAsStream(path);
    if (in == null) {
      throw new FileNotFoundException("not on the class path: " + path);
    }
    return in;
  }

  /** Returns the model's file. */
  public byte[] model() {
    return model.clone();
  }

  /** Returns how many rows there are. */
  public int rows() {
    return inputs.values().iterator().next().rows;
  }

  /** Returns how many different values the first output has. */
  public long distinctScores() {
    return DoubleStream.of((double[]) outputs.values().iterator().next().values).distinct().count();
  }

  /** Returns the places of the rows of one of the batches. */
  public static int[] batch(int rows) {
    int start =
        BATCHES.stream().takeWhile(batch -> batch != rows).mapToInt(Integer::intValue).sum();
    return IntStream.range(start, start + rows).toArray();
  }

  /** Returns the places of some rows, from one on; behind the last row comes the first again. */
  public int[] from(int start, int count) {
    return IntStream.range(start, start + count).map(row -> row % rows()).toArray();
  }

  /** Returns some rows of an input: an array of floats, ints or longs. */
  public Object input(String name, int[] rows) {
    return inputs.get(name).take(rows);
  }

  /** Returns the names of the inputs. */
  public Set<String> inputs() {
    return inputs.keySet();
  }

  /**
   * Runs rows, in as many calls as the engine needs, and returns the largest difference of any
   * output.
   */
  public double largestDifference(Session session, int[] rows) {
    int limit = session.engine().maxBatch();
    double largest = 0;
    for (int start = 0; start < rows.length; start += limit) {
      int[] part = Arrays.copyOfRange(rows, start, Math.min(rows.length, start + limit));
      put(session, part);
      session.run(part.length);
      for (Map.Entry<String, Column> output : outputs.entrySet()) {
        double[] expected = (double[]) output.getValue().take(part);
        largest =
            Math.max(largest, difference(expected, session.output(output.getKey()).toFloatArray()));
      }
    }
    return largest;
  }

  /** Puts rows into a session's memory. */
  public void put(Session session, int[] rows) {
    inputs.forEach((name, column) -> put(session.input(name), column.take(rows)));
  }

  /** Fills all of the memory of a session's floats with one value. */
  public void fillFloats(Session session, float value) {
    for (TensorSpec spec : session.engine().inputs()) {
      if (spec.type().isFloat()) {
        FloatBuffer memory = session.input(spec.name()).floats();
        for (int i = 0; i < memory.capacity(); i++) {
          memory.put(i, value);
        }
      }
    }
  }

  /** Runs rows in one call, and returns every output. */
  public List<float[]> run(Session session, int[] rows) {
    put(session, rows);
    session.run(rows.length);
    return outputs.keySet().stream().map(output -> session.output(output).toFloatArray()).toList();
  }

  /** Puts an array of the right type, whichever that is. */
  public static void put(InputTensor input, Object values) {
    if (values instanceof float[] floats) {
      input.put(floats);
    } else if (values instanceof int[] ints) {
      input.put(ints);
    } else {
      input.put((long[]) values);
    }
  }

  private static double difference(double[] expected, float[] actual) {
    if (expected.length != actual.length) {
      throw new AssertionError(actual.length + " values, expected " + expected.length);
    }
    double largest = 0;
    for (int i = 0; i < expected.length; i++) {
      double difference = Math.abs(expected[i] - actual[i]);
      // NaN is no small difference
      largest =
          difference <= largest
              ? largest
              : Double.isNaN(difference) ? Double.POSITIVE_INFINITY : difference;
    }
    return largest;
  }

  @Override
  public String toString() {
    return family;
  }
}
