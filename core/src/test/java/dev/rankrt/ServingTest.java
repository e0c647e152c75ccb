package dev.rankrt;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.rankrt.EngineOptions.PerformanceHint;
import dev.rankrt.testing.FakeBackend;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;

class ServingTest {
  @Test
  void engines_ofSeveralWorkers_areBuiltForThroughputUnlessTheUserKnowsBetter() {
    RankerOptions.Builder workers = RankerOptions.builder();
    EngineOptions.Builder engine = EngineOptions.builder();
    assertEquals(Optional.of(PerformanceHint.THROUGHPUT), hint(engine, workers.build()));
    assertEquals(Optional.of(PerformanceHint.THROUGHPUT), hint(engine, workers.workers(2).build()));
    assertEquals(Optional.empty(), hint(engine, workers.workers(1).build()));
    engine.performanceHint(PerformanceHint.LATENCY);
    assertEquals(Optional.of(PerformanceHint.LATENCY), hint(engine, workers.workers(2).build()));
  }

  private static Optional<PerformanceHint> hint(
      EngineOptions.Builder engine, RankerOptions options) {
    return ClosedServing.of(engine, options).engineOptions().performanceHint();
  }

  @Test
  void model_thatTheLastDeviceCannotOpen_isClosedOnTheOthers() {
    FakeBackend backend = new FakeBackend("fake", Device.Type.GPU);
    backend.duringRunOn.put(
        Device.gpu(1),
        rows -> {
          throw new InferenceException("scripted");
        });
    RankerOptions options =
        RankerOptions.builder().devices(Device.gpu(0), Device.gpu(1)).workers(2).build();
    assertThrows(
        InferenceException.class,
        () ->
            Serving.open(
                new Backends(List.of(backend)),
                FakeBackend.ANY_MODEL,
                EngineOptions.defaults(),
                options));
    assertEquals(2, backend.opens.get());
    assertEquals(0, backend.openSessions.get());
    assertEquals(0, backend.openEngines.get());
  }
}
