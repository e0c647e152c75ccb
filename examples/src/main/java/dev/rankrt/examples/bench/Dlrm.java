package dev.rankrt.examples.bench;

import java.io.BufferedOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import java.util.stream.IntStream;

/**
 * A DLRM (Naumov et al., 2019) with random weights, the same ones on every machine: what is
 * measured where no model is given. It has the shapes of the large DLRM that {@code
 * examples/models/export_families.py} makes. Immutable.
 *
 * @param dense how many floats a row has
 * @param fields how many ids a row has
 * @param ids how many values each id has
 * @param width how long an embedding is
 * @param bottom the hidden layers that the floats go through
 * @param top the hidden layers that everything goes through
 */
record Dlrm(int dense, int fields, int ids, int width, List<Integer> bottom, List<Integer> top) {
  /** 64 floats, 32 ids of 10,000 values, 82 MB of embeddings. */
  static final Dlrm LARGE =
      new Dlrm(64, 32, 10_000, 64, List.of(512, 256), List.of(1024, 1024, 512, 256));

  private static final long SEED = 20_260_101;
  private static final double EMBEDDING_DEVIATION = 0.5;

  /** Keeps scores away from 0 and 1, where differences of precision would not show. */
  private static final double LAST_LAYER_SCALE = 0.3;

  /** Returns what tells this model from others. */
  String name() {
    return "DLRM, " + dense + " floats and " + fields + " ids";
  }

  /** Writes the model unless the file is there. */
  void writeIfMissing(Path file) throws IOException {
    if (Files.exists(file)) {
      return;
    }
    Files.createDirectories(file.toAbsolutePath().getParent());
    Path part = Files.createTempFile(file.toAbsolutePath().getParent(), "dlrm", ".part");
    try {
      try (OutputStream out = new BufferedOutputStream(Files.newOutputStream(part))) {
        graph().writeTo(out);
      }
      Files.move(part, file, StandardCopyOption.ATOMIC_MOVE);
    } finally {
      Files.deleteIfExists(part);
    }
  }

  private OnnxWriter graph() {
    SplittableRandom random = new SplittableRandom(SEED);
    OnnxWriter onnx = new OnnxWriter();
    onnx.input("dense", OnnxWriter.FLOAT, dense);
    onnx.input("ids", OnnxWriter.INT64, fields);

    List<Integer> bottomWidths = new ArrayList<>(bottom);
    bottomWidths.add(width);
    String floats = mlp(onnx, random, "bottom", "dense", dense, bottomWidths, 1);

    // One table for all fields: each field's ids are moved to their own range of rows.
    long[] offsets = IntStream.range(0, fields).mapToLong(field -> (long) field * ids).toArray();
    String rows =
        onnx.node("Add", List.of("ids", onnx.constant("offsets", offsets, fields)), "rows");
    float[] table = gaussians(random, fields * ids * width, EMBEDDING_DEVIATION);
    String embedded =
        onnx.node(
            "Gather",
            List.of(onnx.constant("table", table, fields * ids, width), rows),
            "embedded");

    String one = onnx.constant("one", new long[] {-1, 1, width}, 3);
    String asVector = onnx.node("Reshape", List.of(floats, one), "floats_as_vector");
    String vectors =
        onnx.node(
            "Concat", List.of(asVector, embedded), "vectors", OnnxWriter.attribute("axis", 1));
    String turned =
        onnx.node(
            "Transpose",
            List.of(vectors),
            "turned",
            OnnxWriter.attribute("perm", new long[] {0, 2, 1}));
    String dots = onnx.node("MatMul", List.of(vectors, turned), "dots");
    int count = fields + 1;
    String flat = onnx.constant("flat", new long[] {-1, (long) count * count}, 2);
    String flatDots = onnx.node("Reshape", List.of(dots, flat), "flat_dots");
    long[] pairs = pairs(count);
    String pairwise =
        onnx.node(
            "Gather",
            List.of(flatDots, onnx.constant("pairs", pairs, pairs.length)),
            "pairwise",
            OnnxWriter.attribute("axis", 1));
    String all =
        onnx.node("Concat", List.of(floats, pairwise), "features", OnnxWriter.attribute("axis", 1));

    String hidden = mlp(onnx, random, "top", all, width + pairs.length, top, 1);
    String logit =
        mlp(onnx, random, "last", hidden, top.get(top.size() - 1), List.of(1), LAST_LAYER_SCALE);
    onnx.node("Sigmoid", List.of(logit), "score");
    onnx.output("score", OnnxWriter.FLOAT, 1);
    return onnx;
  }

  /** Adds layers, with a Relu behind each but one that is a single number: a logit. */
  private static String mlp(
      OnnxWriter onnx,
      SplittableRandom random,
      String name,
      String input,
      int inputWidth,
      List<Integer> widths,
      double scale) {
    String last = input;
    int before = inputWidth;
    for (int layer = 0; layer < widths.size(); layer++) {
      int after = widths.get(layer);
      String prefix = name + layer;
      // He et al., 2015: the signal keeps its size from layer to layer.
      float[] weight = gaussians(random, before * after, scale * Math.sqrt(2.0 / before));
      float[] bias = gaussians(random, after, 0.1 * scale);
      last =
          onnx.node(
              "Gemm",
              List.of(
                  last,
                  onnx.constant(prefix + "_weight", weight, before, after),
                  onnx.constant(prefix + "_bias", bias, after)),
              prefix);
      if (after > 1) {
        last = onnx.node("Relu", List.of(last), prefix + "_relu");
      }
      before = after;
    }
    return last;
  }

  /** Returns the places below the diagonal of a square matrix, row after row. */
  private static long[] pairs(int count) {
    return IntStream.range(1, count)
        .boxed()
        .flatMapToLong(
            row -> IntStream.range(0, row).mapToLong(column -> (long) row * count + column))
        .toArray();
  }

  private static float[] gaussians(SplittableRandom random, int count, double deviation) {
    float[] values = new float[count];
    for (int i = 0; i < count; i++) {
      values[i] = (float) (deviation * random.nextGaussian());
    }
    return values;
  }
}
