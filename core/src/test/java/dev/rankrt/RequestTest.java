package dev.rankrt;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.rankrt.testing.FakeBackend;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Requests of sizes that no test could have values for. */
class RequestTest {
  private final FakeBackend backend = new FakeBackend("fake", Device.Type.GPU);

  @TempDir Path folder;

  private static Request<float[]> request(int rows) {
    return new BlankRequest(rows, Request.NO_DEADLINE);
  }

  @Test
  void rows_asManyAsThereCanBe_areAllCut() {
    Serving serving = ClosedServing.of(1 << 20, RankerOptions.builder().workers(1).build());
    Replica replica = serving.fleet().replicas().get(0);
    Request.Part[] parts = request(Integer.MAX_VALUE).cut(replica, 1 << 20);
    assertEquals(2048, parts.length);
    assertEquals(2047 << 20, parts[2047].from);
    assertEquals((1 << 20) - 1, parts[2047].rows);
  }

  @Test
  void timeLeft_isToldInMicroseconds() {
    long day = TimeUnit.DAYS.toMicros(1);
    long left = new BlankRequest(1, System.nanoTime() + day * 1000).microsLeft();
    assertTrue(left <= day && left > day / 2, left + " us of a day");
  }

  @Test
  void request_thatMemoryIsTooSmallFor_takesNoPlaceInTheQueue() throws IOException {
    Path model = Files.write(folder.resolve("one.onnx"), new byte[] {1});
    Serving serving =
        Serving.open(
            new Backends(List.of(backend)),
            model,
            EngineOptions.builder().device(Device.gpu(0)).maxBatch(1).build(),
            RankerOptions.builder().workers(1).build());
    Request<float[]> tooLarge = request(Integer.MAX_VALUE); // as many parts: more than an array
    assertThrows(OutOfMemoryError.class, () -> serving.submit(tooLarge));
    assertEquals(0, serving.stats().queued());
    Request<float[]> next = request(1);
    serving.submit(next);
    assertArrayEquals(new float[] {1}, next.join());
    serving.close();
    assertEquals(0, backend.openEngines.get());
  }
}
