package dev.rankrt.examples.bench;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.rankrt.examples.cli.Json;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.Test;

/** The protocol that a script is spoken to in, with shells in PyTorch's place. */
class TorchSubjectTest {
  private static final Figures ANSWER =
      ExampleResults.full().rows().get(0).concurrent().orElseThrow();

  @Test
  void scriptThatAnswers_isReadyAndMeasures() throws IOException {
    String answer = Json.write(ANSWER).replaceAll("\\s+", " ");
    String script =
        "echo '{\"ready\": \"PyTorch 2\"}'; while read line; do echo '" + answer + "'; done";
    try (TorchSubject subject = TorchSubject.start(List.of("sh", "-c", script))) {
      assertEquals("PyTorch 2", subject.version());
      assertEquals(ANSWER, subject.closed(10, 1, Duration.ofSeconds(1)));
      assertEquals(ANSWER, subject.open(500, 1, Duration.ofSeconds(1), Duration.ofMillis(50)));
    }
  }

  @Test
  void scriptThatCannotRunHere_saysWhy() {
    assertEquals(
        "PyTorch finds no CUDA GPU", failure("echo '{\"error\": \"PyTorch finds no CUDA GPU\"}'"));
    assertEquals("the script ended without an answer", failure("exit 1"));
    assertTrue(failure("echo hello").contains("cannot be read"));
  }

  @Test
  void missingProgram_isSaid() {
    IOException problem =
        assertThrows(IOException.class, () -> TorchSubject.start(List.of("no-such-program")));
    assertTrue(problem.getMessage().contains("no-such-program"), problem::getMessage);
  }

  @Test
  void command_tellsTheModelsShapes() {
    assertEquals(
        "python3 bench_torch.py --dense=64 --fields=32 --ids=10000 --width=64 --bottom=512,256"
            + " --top=1024,1024,512,256",
        String.join(" ", TorchSubject.command(Path.of("bench_torch.py"), Dlrm.LARGE)));
  }

  private static String failure(String script) {
    return assertThrows(
            IOException.class, () -> TorchSubject.start(List.of("sh", "-c", script)).close())
        .getMessage();
  }
}
