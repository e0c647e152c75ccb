package dev.rankrt.examples;

import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The README's code: it runs, and it is what the README shows. */
class QuickStartTest {
  private static final String SCORES = "\\[0\\.\\d+, 0\\.\\d+\\]";

  private static String printedBy(Runnable program) {
    PrintStream console = System.out;
    ByteArrayOutputStream printed = new ByteArrayOutputStream();
    System.setOut(new PrintStream(printed, true, StandardCharsets.UTF_8));
    try {
      program.run();
    } finally {
      System.setOut(console);
    }
    return printed.toString(StandardCharsets.UTF_8).strip();
  }

  @Test
  void quickStart_printsTwoScores() {
    String text = printedBy(() -> QuickStart.main(new String[0]));
    assertTrue(text.matches("(cpu|gpu:0) says " + SCORES), text);
  }

  @Test
  void manyCallers_printTwoScoresTwice() {
    String text = printedBy(() -> ManyCallers.main(new String[0]));
    assertTrue(text.matches("waited for (" + SCORES + ")\\Rwas told \\1"), text);
  }

  @ParameterizedTest
  @ValueSource(classes = {QuickStart.class, ManyCallers.class})
  void readme_showsThisVeryCode(Class<?> program) throws IOException {
    String source =
        Files.readString(
            Path.of(
                "examples/src/main/java/dev/rankrt/examples", program.getSimpleName() + ".java"));
    String start = "main(String[] args) {\n";
    String body =
        source
            .substring(source.indexOf(start) + start.length(), source.lastIndexOf("\n  }\n"))
            .stripIndent();
    String readme = Files.readString(Path.of("README.md"));
    assertTrue(
        readme.contains("```java\n" + body + "\n```"),
        () -> "README.md should show this:\n" + body);
  }
}
