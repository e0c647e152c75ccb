package dev.rankrt.testing;

import static dev.rankrt.testing.OnnxModel.BATCH;
import static dev.rankrt.testing.OnnxModel.Type.FLOAT;
import static dev.rankrt.testing.OnnxModel.Type.INT32;
import static dev.rankrt.testing.OnnxModel.Type.INT64;

import dev.rankrt.testing.OnnxModel.Attribute;

/** The small models that the tests run: what they compute can be told without an engine. */
public final class OnnxModels {
  /** How many floats a row of {@link #ranker} has. */
  public static final int DENSE = 4;

  /** How many ids a row of {@link #ranker} has. */
  public static final int IDS = 3;

  /** How many ids there are: 0 to 9. */
  public static final int VOCABULARY = 10;

  private OnnxModels() {}

  /**
   * One float and one id input: {@code score = sigmoid(sum over floats of weight * float + sum over
   * ids of table[id])}.
   */
  public static OnnxModel ranker(OnnxModel.Type idType) {
    return ranker(idType, BATCH);
  }

  /** The same model, exported for one batch size or a free one. */
  public static OnnxModel ranker(OnnxModel.Type idType, long batch) {
    float[] table = new float[VOCABULARY];
    for (int id = 0; id < VOCABULARY; id++) {
      table[id] = ofId(id);
    }
    float[] weights = new float[DENSE];
    for (int i = 0; i < DENSE; i++) {
      weights[i] = weight(i);
    }
    return new OnnxModel()
        .input("dense", FLOAT, batch, DENSE)
        .input("ids", idType, batch, IDS)
        .floats("weights", weights, DENSE, 1)
        .floats("table", table, VOCABULARY, 1)
        .longs("as_rows", new long[] {-1, IDS}, 2)
        .longs("axis", new long[] {1}, 1)
        .node("Gather", "table ids", "vectors", Attribute.of("axis", 0))
        .node("Reshape", "vectors as_rows", "flat")
        .node("ReduceSum", "flat axis", "sparse_part", Attribute.of("keepdims", 1))
        .node("MatMul", "dense weights", "dense_part")
        .node("Add", "dense_part sparse_part", "logit")
        .node("Sigmoid", "logit", "score")
        .output("score", FLOAT, batch, 1);
  }

  /** Returns what {@link #ranker} computes for one row. */
  public static double rankerScore(float[] dense, int[] ids) {
    double logit = 0;
    for (int i = 0; i < DENSE; i++) {
      logit += (double) weight(i) * dense[i];
    }
    for (int id : ids) {
      logit += ofId(id);
    }
    return 1 / (1 + Math.exp(-logit));
  }

  private static float weight(int i) {
    return 0.5f - 0.3f * i;
  }

  private static float ofId(int id) {
    return 0.25f * id - 1;
  }

  /** One float input, given back: {@code y = x}. */
  public static OnnxModel identity(OnnxModel.Type type, long... dimensions) {
    return new OnnxModel()
        .input("x", type, dimensions)
        .node("Identity", "x", "y")
        .output("y", type, dimensions);
  }

  /** {@code y = x + x}, in the type of its input. */
  public static OnnxModel doubled(OnnxModel.Type type, long... dimensions) {
    return new OnnxModel()
        .input("x", type, dimensions)
        .node("Add", "x x", "y")
        .output("y", type, dimensions);
  }

  /** A history of three dimensions, summed over its steps; the output's shape is not declared. */
  public static OnnxModel history(int steps, int width) {
    return new OnnxModel()
        .input("history", FLOAT, BATCH, steps, width)
        .longs("steps", new long[] {1}, 1)
        .node("ReduceSum", "history steps", "interest", Attribute.of("keepdims", 0))
        .outputOfUnknownShape("interest", FLOAT);
  }

  /**
   * Outputs of several kinds over {@code x} of four floats a row: its sum ({@code sum}, rank 1),
   * the place of its largest value ({@code best}, 64-bit, and {@code best32}, 32-bit), and {@code
   * twice}.
   */
  public static OnnxModel manyOutputs() {
    return new OnnxModel()
        .input("x", FLOAT, BATCH, 4)
        .longs("columns", new long[] {1}, 1)
        .node("ReduceSum", "x columns", "sum", Attribute.of("keepdims", 0))
        .node("ArgMax", "x", "best", Attribute.of("axis", 1), Attribute.of("keepdims", 0))
        .node("Cast", "best", "best32", Attribute.of("to", INT32))
        .node("Add", "x x", "twice")
        .output("sum", FLOAT, BATCH)
        .output("best", INT64, BATCH)
        .output("best32", INT32, BATCH)
        .output("twice", FLOAT, BATCH, 4);
  }

  /**
   * An input and two outputs without a batch: {@code y = x * scale}, the sum of all of {@code x} as
   * a scalar, and its two column sums. Its rows depend on each other.
   */
  public static OnnxModel withoutBatch() {
    return new OnnxModel()
        .input("x", FLOAT, BATCH, 2)
        .input("scale", FLOAT, 2)
        .longs("rows", new long[] {0}, 1)
        .longs("all", new long[] {0, 1}, 2)
        .node("Mul", "x scale", "y")
        .node("ReduceSum", "x all", "total", Attribute.of("keepdims", 0))
        .node("ReduceSum", "x rows", "columns", Attribute.of("keepdims", 0))
        .output("y", FLOAT, BATCH, 2)
        .output("total", FLOAT)
        .output("columns", FLOAT, 2);
  }

  /** A scalar input: {@code y = x * factor}. */
  public static OnnxModel scalarInput() {
    return new OnnxModel()
        .input("x", FLOAT, BATCH, 2)
        .input("factor", FLOAT)
        .node("Mul", "x factor", "y")
        .output("y", FLOAT, BATCH, 2);
  }

  /** A softmax over the rows of a request, which therefore depend on each other. */
  public static OnnxModel softmaxOverRows() {
    return new OnnxModel()
        .input("x", FLOAT, BATCH, 1)
        .node("Softmax", "x", "share", Attribute.of("axis", 0))
        .output("share", FLOAT, BATCH, 1);
  }

  /** An output with two rows for each row of a request, which its declaration does not tell. */
  public static OnnxModel twoRowsForEach() {
    return new OnnxModel()
        .input("x", FLOAT, BATCH, 2)
        .longs("flat", new long[] {-1}, 1)
        .node("Reshape", "x flat", "y")
        .output("y", FLOAT, BATCH);
  }

  /** An operator that no backend knows. */
  public static OnnxModel unknownOperator() {
    return new OnnxModel()
        .input("x", FLOAT, BATCH, 4)
        .node("NoSuchOperator", "x", "y")
        .output("y", FLOAT, BATCH, 4);
  }

  /** An input with a second free dimension. */
  public static OnnxModel freeSecondDimension() {
    return identity(FLOAT, BATCH, -1);
  }
}
