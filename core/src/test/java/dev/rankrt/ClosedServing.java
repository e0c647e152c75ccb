package dev.rankrt;

import dev.rankrt.testing.FakeBackend;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/** What is left of a ranker after its end: all that replicas whose workers have no threads need. */
final class ClosedServing {
  private ClosedServing() {}

  /** Returns one of a fake GPU, which refuses what is moved to other replicas. */
  static Serving of(int maxBatch, RankerOptions options) {
    try {
      Path model = Files.createTempFile("fake", ".onnx");
      try {
        Files.write(model, new byte[] {1});
        Serving serving =
            Serving.open(
                new Backends(List.of(new FakeBackend("fake", Device.Type.GPU))),
                model,
                EngineOptions.builder().device(Device.gpu(0)).maxBatch(maxBatch).build(),
                options);
        serving.close();
        return serving;
      } finally {
        Files.delete(model);
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
