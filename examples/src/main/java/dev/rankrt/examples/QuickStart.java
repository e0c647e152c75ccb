package dev.rankrt.examples;

import dev.rankrt.Engine;
import dev.rankrt.EngineOptions;
import dev.rankrt.Precision;
import dev.rankrt.Session;
import java.nio.file.Path;
import java.util.Arrays;

/** The code on the first screen of README.md; a test holds the two together. */
public final class QuickStart {
  private QuickStart() {}

  /**
   * Scores two rows.
   *
   * @param args none
   */
  public static void main(String[] args) {
    Path model = Path.of("examples/models/retail/ranker.onnx");
    EngineOptions options = EngineOptions.builder().precision(Precision.FP16).maxBatch(512).build();
    try (Engine engine = Engine.open(model, options);
        Session session = engine.newSession()) {
      float[] dense = new float[2 * 21]; // two rows of 21 floats, one after the other
      long[] sparse = {17, 2, 35, 10, 0, 17, 3, 35, 10, 0}; // two rows of 5 ids
      float[] scores = session.infer(dense, sparse);
      System.out.println(engine.device() + " says " + Arrays.toString(scores));
    }
  }
}
