package dev.rankrt;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.sun.management.ThreadMXBean;
import dev.rankrt.testing.FakeBackend;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.FloatBuffer;
import java.nio.LongBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What the API itself adds to a call, measured on a backend that allocates nothing. */
class AllocationTest {
  private static final int CALLS = 5000;

  @TempDir Path folder;

  private Engine open() throws IOException {
    Path model = Files.write(folder.resolve("fake.onnx"), new byte[] {1});
    return new Backends(List.of(new FakeBackend("fake", Device.Type.CPU)))
        .open(
            model, EngineOptions.builder().device(Device.cpu()).idRange("ids", 0, 1 << 20).build());
  }

  /** Returns the bytes that a call allocates, once it has been called often enough to settle. */
  static double bytesPerCall(Runnable call) {
    ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
    double least = Double.MAX_VALUE;
    for (int attempt = 0; attempt < 5; attempt++) {
      long before = threads.getCurrentThreadAllocatedBytes();
      for (int i = 0; i < CALLS; i++) {
        call.run();
      }
      least = Math.min(least, (threads.getCurrentThreadAllocatedBytes() - before) / (double) CALLS);
    }
    return least;
  }

  @Test
  void run_onViews_allocatesNothing() throws IOException {
    try (Engine engine = open();
        Session session = engine.newSession()) {
      FloatBuffer dense = session.input("dense").floats();
      LongBuffer ids = session.input("ids").longs();
      FloatBuffer scores = session.output("score").floats();
      double bytes =
          bytesPerCall(
              () -> {
                dense.put(0, 1).put(1, 2);
                ids.put(0, 10).put(1, 20);
                session.run(2);
                assertEquals(22, scores.get(1), 0);
              });
      assertTrue(bytes < 1, bytes + " bytes a call");
    }
  }

  @Test
  void put_ofArrays_allocatesNothing() throws IOException {
    try (Engine engine = open();
        Session session = engine.newSession()) {
      InputTensor dense = session.input("dense");
      InputTensor ids = session.input("ids");
      float[] values = {1, 2};
      int[] someIds = {10, 20};
      double bytes =
          bytesPerCall(
              () -> {
                dense.put(values);
                ids.put(someIds);
                session.run(2);
              });
      assertTrue(bytes < 1, bytes + " bytes a call");
    }
  }

  @Test
  void infer_ofArrays_allocatesItsAnswerAlone() throws IOException {
    try (Engine engine = open();
        Session session = engine.newSession()) {
      float[] values = {1, 2};
      long[] ids = {10, 20};
      double bytes = bytesPerCall(() -> session.infer(values, ids));
      assertTrue(bytes >= 2 * Float.BYTES, "nothing was measured");
      assertTrue(bytes <= 32, bytes + " bytes a call"); // two floats and an array's header
    }
  }
}
