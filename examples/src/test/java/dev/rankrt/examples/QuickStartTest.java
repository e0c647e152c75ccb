package dev.rankrt.examples;

import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;

class QuickStartTest {
  private static final Path SOURCE =
      Path.of("examples/src/main/java/dev/rankrt/examples/QuickStart.java");

  @Test
  void quickStart_printsTwoScores() {
    PrintStream console = System.out;
    ByteArrayOutputStream printed = new ByteArrayOutputStream();
    System.setOut(new PrintStream(printed, true, StandardCharsets.UTF_8));
    try {
      QuickStart.main(new String[0]);
    } finally {
      System.setOut(console);
    }
    String text = printed.toString(StandardCharsets.UTF_8).strip();
    assertTrue(text.matches("(cpu|gpu:0) says \\[0\\.\\d+, 0\\.\\d+\\]"), text);
  }

  @Test
  void readme_showsThisVeryCode() throws IOException {
    String source = Files.readString(SOURCE);
    String start = "main(String[] args) {\n";
    String body =
        source
            .substring(source.indexOf(start) + start.length(), source.lastIndexOf("\n  }\n"))
            .stripIndent();
    String readme = Files.readString(Path.of("README.md"));
    assertTrue(
        readme.contains("```java\n" + body + "\n```"),
        () -> "README.md should show this as its first Java:\n" + body);
  }
}
