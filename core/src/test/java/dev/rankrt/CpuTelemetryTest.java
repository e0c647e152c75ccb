package dev.rankrt;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static java.util.concurrent.TimeUnit.SECONDS;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.rankrt.testing.Reference;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What ONNX Runtime keeps for its makers to collect, of a process that opens a model. */
class CpuTelemetryTest {
  private static final String MODEL = "a-model-of-ours.onnx";

  @TempDir Path folder;

  @Test
  void ofModels_nothingIsToldToOnnxRuntimesMakers() throws Exception {
    Path model = folder.resolve(MODEL);
    Files.write(model, Reference.load("dlrm").model());
    Path cache = Files.createDirectory(folder.resolve("cache"));
    ProcessBuilder builder =
        new ProcessBuilder(
            Path.of(System.getProperty("java.home"), "bin", "java").toString(),
            "-cp",
            System.getProperty("java.class.path"),
            CpuTelemetryTest.class.getName(),
            model.toString());
    builder.environment().put("XDG_CACHE_HOME", cache.toString());
    // Where these are set it tells nothing in any case.
    builder.environment().keySet().removeAll(List.of("CI", "ORT_DISABLE_TELEMETRY"));
    Process process =
        builder
            .redirectOutput(ProcessBuilder.Redirect.DISCARD)
            .redirectError(ProcessBuilder.Redirect.DISCARD)
            .start();
    try {
      assertTrue(process.waitFor(60, SECONDS));
      assertEquals(0, process.exitValue());
    } finally {
      process.destroyForcibly();
    }
    try (var files = Files.walk(cache)) {
      for (Path file : files.filter(Files::isRegularFile).toList()) {
        assertFalse(Files.readString(file, ISO_8859_1).contains(MODEL), file::toString);
      }
    }
  }

  /** Opens a model on the CPU. */
  public static void main(String[] args) throws IOException {
    EngineOptions options = EngineOptions.builder().device(Device.cpu()).maxBatch(1).build();
    Engine.open(Path.of(args[0]), options).close();
  }
}
