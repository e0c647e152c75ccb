package dev.rankrt.internal.tensorrt;

import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.rankrt.Device;
import dev.rankrt.Engine;
import dev.rankrt.EngineOptions;
import dev.rankrt.Precision;
import dev.rankrt.Session;
import dev.rankrt.natives.internal.Cuda;
import dev.rankrt.testing.Figures;
import dev.rankrt.testing.OnnxModel;
import dev.rankrt.testing.OnnxModels;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What opening and closing leaves behind on a GPU and in the process. */
@Tag("gpu")
class LeakGpuTest {
  private static final long GPU_LIMIT_BYTES = 8L << 20;
  private static final double RESIDENT_LIMIT = 0.05;

  @TempDir Path folder;

  @Test
  void engines_openedAndClosedAHundredTimes_leaveNothingBehind() throws Exception {
    Path model = model();
    Runnable open = () -> Engine.open(model, options()).close();
    assertLeavesNothing("engines", 100, open);
  }

  @Test
  void sessions_openedAndClosedAThousandTimes_leaveNothingBehind() throws Exception {
    try (Engine engine = Engine.open(model(), options())) {
      float[] dense = new float[OnnxModels.DENSE];
      int[] ids = new int[OnnxModels.IDS];
      Runnable open =
          () -> {
            try (Session session = engine.newSession()) {
              session.infer(dense, ids);
            }
          };
      assertLeavesNothing("sessions", 1000, open);
    }
  }

  private Path model() throws IOException {
    return Files.write(
        folder.resolve("ranker.onnx"), OnnxModels.ranker(OnnxModel.Type.INT64).bytes());
  }

  private EngineOptions options() {
    return EngineOptions.builder()
        .device(Device.gpu(0))
        .precision(Precision.FP16)
        .maxBatch(64)
        .planCache(folder.resolve("plans"))
        .build();
  }

  private static void assertLeavesNothing(String what, int rounds, Runnable round)
      throws IOException {
    for (int i = 0; i < 10; i++) {
      round.run();
    }
    Cuda cuda = TensorRt.load().cuda();
    cuda.setDevice(0);
    long gpuBefore = cuda.memoryInfo().freeBytes();
    long residentBefore = residentBytes();
    for (int i = 10; i < rounds; i++) {
      round.run();
    }
    long gpuLost = gpuBefore - cuda.memoryInfo().freeBytes();
    double residentGrowth = (double) residentBytes() / (double) residentBefore - 1;
    Figures.add("leak of " + rounds + " " + what + ", GPU bytes", (double) gpuLost);
    Figures.add("leak of " + rounds + " " + what + ", share of resident memory", residentGrowth);
    assertTrue(gpuLost <= GPU_LIMIT_BYTES, gpuLost + " bytes of GPU memory lost");
    assertTrue(residentGrowth <= RESIDENT_LIMIT, "resident memory grew by " + residentGrowth);
  }

  private static long residentBytes() throws IOException {
    return Files.readAllLines(Path.of("/proc/self/status")).stream()
        .filter(line -> line.startsWith("VmRSS:"))
        .mapToLong(line -> Long.parseLong(line.replaceAll("\\D", "")) * 1024)
        .findFirst()
        .orElseThrow();
  }
}
