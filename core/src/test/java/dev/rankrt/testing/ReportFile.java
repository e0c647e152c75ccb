package dev.rankrt.testing;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;

/** Keeps what a test run reports in the file that a system property names, if it names one. */
final class ReportFile {
  private ReportFile() {}

  /** Replaces the file. */
  static void write(String property, String json) {
    String file = System.getProperty(property);
    if (file == null) {
      return;
    }
    try {
      Files.writeString(Path.of(file), json);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
