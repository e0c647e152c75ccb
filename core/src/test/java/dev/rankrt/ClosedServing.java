package dev.rankrt;

import dev.rankrt.testing.FakeBackend;
import java.util.List;

/** What is left of a ranker after its end: all that replicas whose workers have no threads need. */
final class ClosedServing {
  private ClosedServing() {}

  /** Returns one of a fake GPU, which refuses what is moved to other replicas. */
  static Serving of(int maxBatch, RankerOptions options) {
    Serving serving =
        Serving.open(
            new Backends(List.of(new FakeBackend("fake", Device.Type.GPU))),
            FakeBackend.ANY_MODEL,
            EngineOptions.builder().device(Device.gpu(0)).maxBatch(maxBatch).build(),
            options);
    serving.close();
    return serving;
  }
}
