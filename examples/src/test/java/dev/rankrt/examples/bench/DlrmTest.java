package dev.rankrt.examples.bench;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.rankrt.Device;
import dev.rankrt.Engine;
import dev.rankrt.EngineOptions;
import dev.rankrt.EngineOptions.IdRange;
import dev.rankrt.Session;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class DlrmTest {
  /** As wide as the large one, so that scores spread alike; fewer ids. */
  private static final Dlrm SMALL =
      new Dlrm(64, 32, 50, 64, List.of(512, 256), List.of(1024, 1024, 512, 256));

  @TempDir private Path folder;

  @Test
  void model_hasTheDeclaredInputs_andScoresThatTellRowsApart() throws IOException {
    Path file = folder.resolve("models/dlrm.onnx");
    SMALL.writeIfMissing(file);
    EngineOptions options = EngineOptions.builder().device(Device.cpu()).build();
    try (Engine engine = Engine.open(file, options);
        Session session = engine.newSession()) {
      assertEquals(
          "['dense' FLOAT32[batch, 64], 'ids' INT64[batch, 32]]", engine.inputs().toString());
      assertEquals("['score' FLOAT32[batch, 1]]", engine.outputs().toString());
      Requests.Request request =
          Requests.draw(
                  engine.inputs(),
                  engine.outputs(),
                  Map.of("ids", new IdRange(0, 49)),
                  new IdRange(0, 0),
                  512)
              .any();
      float[] scores = session.infer(request.dense(), request.sparse());
      double mean = IntStream.range(0, 512).mapToDouble(i -> scores[i]).average().orElseThrow();
      double deviation =
          Math.sqrt(
              IntStream.range(0, 512)
                  .mapToDouble(i -> (scores[i] - mean) * (scores[i] - mean))
                  .average()
                  .orElseThrow());
      assertTrue(deviation > 0.05 && deviation < 0.4, "deviation " + deviation);
      assertTrue(mean > 0.1 && mean < 0.9, "mean " + mean);
    }
  }

  @Test
  void model_isTheSameEveryTime_andKeptWhereItIs() throws IOException {
    Dlrm tiny = new Dlrm(4, 2, 5, 8, List.of(16), List.of(16, 8));
    Path one = folder.resolve("one.onnx");
    Path two = folder.resolve("two.onnx");
    tiny.writeIfMissing(one);
    tiny.writeIfMissing(two);
    assertArrayEquals(Files.readAllBytes(one), Files.readAllBytes(two));

    Files.writeString(one, "another");
    tiny.writeIfMissing(one);
    assertEquals("another", Files.readString(one));
  }
}
