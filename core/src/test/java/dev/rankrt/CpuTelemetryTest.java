package dev.rankrt;

import static java.util.concurrent.TimeUnit.SECONDS;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.rankrt.testing.Reference;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What ONNX Runtime tells its makers of a process that opens a model. */
class CpuTelemetryTest {
  @TempDir Path folder;

  @Test
  void process_thatOpensAModel_isToldToNobody() throws Exception {
    assertEquals(0, open());
    try (var files = Files.walk(folder.resolve("cache"))) {
      assertEquals(List.of(), files.filter(Files::isRegularFile).toList());
    }
  }

  @Test
  void process_withALongCommandLine_survivesIt() throws Exception {
    assertEquals(0, open("-Dlong=" + "x".repeat(10_000)));
  }

  /** Opens a model in a process of its own, and returns the status that it exits with. */
  private int open(String... flags) throws Exception {
    Path model = folder.resolve("model.onnx");
    Files.write(model, Reference.load("dlrm").model());
    Path cache = Files.createDirectory(folder.resolve("cache"));
    ProcessBuilder builder =
        new ProcessBuilder(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    builder.command().addAll(List.of(flags));
    builder
        .command()
        .addAll(
            List.of(
                "-cp",
                System.getProperty("java.class.path"),
                CpuTelemetryTest.class.getName(),
                model.toString()));
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
      return process.exitValue();
    } finally {
      process.destroyForcibly();
    }
  }

  /** Opens a model on the CPU. */
  public static void main(String[] args) throws IOException {
    EngineOptions options = EngineOptions.builder().device(Device.cpu()).maxBatch(1).build();
    Engine.open(Path.of(args[0]), options).close();
  }
}
