package dev.rankrt.testing;

import java.util.LinkedHashMap;
import java.util.Map;
import java.util.stream.Collectors;

/**
 * What a run on a GPU measured. Where the system property {@value #FILE} names a file, it is kept
 * there as JSON. Safe for use by several threads.
 */
public final class Figures {
  private static final String FILE = "rankrt.test.figures";

  private static final Map<String, Double> MEASURED = new LinkedHashMap<>();

  private Figures() {}

  /** Adds a figure, whose name says its unit. */
  public static synchronized void add(String name, double value) {
    MEASURED.put(name, value);
    ReportFile.write(
        FILE,
        MEASURED.entrySet().stream()
            .map(entry -> "\"" + entry.getKey() + "\": " + entry.getValue())
            .collect(Collectors.joining(",\n  ", "{\n  ", "\n}\n")));
  }
}
