package dev.rankrt;

import dev.rankrt.testing.FakeBackend;
import java.util.List;

/** What is left of a ranker after its end: all that replicas whose workers have no threads need. */
final class ClosedServing {
  private ClosedServing() {}

  /** Returns one of a fake GPU, which refuses what is moved to other replicas. */
  static Serving of(int maxBatch, RankerOptions options) {
    return of(EngineOptions.builder().maxBatch(maxBatch), options);
  }

  /** Returns one of a fake GPU, whose engine has some options. */
  static Serving of(EngineOptions.Builder engine, RankerOptions options) {
    Serving serving =
        Serving.open(
            new Backends(List.of(new FakeBackend("fake", Device.Type.GPU))),
            FakeBackend.ANY_MODEL,
            engine.device(Device.gpu(0)).build(),
            options);
    serving.close();
    return serving;
  }
}
