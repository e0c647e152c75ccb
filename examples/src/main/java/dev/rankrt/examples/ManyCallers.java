package dev.rankrt.examples;

import dev.rankrt.EngineOptions;
import dev.rankrt.Precision;
import dev.rankrt.Ranker;
import dev.rankrt.RankerOptions;
import dev.rankrt.RequestRefusedException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;

/** The code of README.md's "Many callers"; a test holds the two together. */
public final class ManyCallers {
  private ManyCallers() {}

  /**
   * Scores two rows as a service does.
   *
   * @param args none
   */
  public static void main(String[] args) {
    Path model = Path.of("examples/models/retail/ranker.onnx");
    EngineOptions options = EngineOptions.builder().precision(Precision.FP16).maxBatch(512).build();
    RankerOptions serving = RankerOptions.builder().deadline(Duration.ofSeconds(1)).build();
    try (Ranker ranker = Ranker.open(model, options, serving)) {
      float[] dense = new float[2 * 21];
      long[] sparse = {17, 2, 35, 10, 0, 17, 3, 35, 10, 0};
      try {
        float[] scores = ranker.infer(dense, sparse); // from any thread, virtual ones too
        System.out.println("waited for " + Arrays.toString(scores));
      } catch (RequestRefusedException e) {
        System.out.println("do without: " + e.reason()); // QUEUE_FULL, DEADLINE, ...
      }
      ranker.swap(model); // another file, usually; requests go on meanwhile
      ranker
          .inferAsync(dense, sparse)
          .thenAccept(scores -> System.out.println("was told " + Arrays.toString(scores)))
          .join();
    }
  }
}
