package dev.rankrt.testing;

import dev.rankrt.Precision;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Collectors;

/**
 * The largest difference from the references, by device, precision and model. Where the system
 * property {@value #FILE} names a file, it is kept there as JSON. Safe for use by several threads.
 */
public final class Differences {
  private static final String FILE = "rankrt.test.report";

  private static final Map<String, Entry> LARGEST = new TreeMap<>();

  private Differences() {}

  private record Entry(String device, Precision precision, String model, int rows, double largest) {
    Entry plus(Entry other) {
      return new Entry(
          device, precision, model, rows + other.rows, Math.max(largest, other.largest));
    }

    String line() {
      return String.format(
          Locale.ROOT,
          "%s on %s in %s: %.2e over %d rows",
          model,
          device,
          precision,
          largest,
          rows);
    }

    String json() {
      return String.format(
          Locale.ROOT,
          "{\"device\": \"%s\", \"precision\": \"%s\", \"model\": \"%s\", \"rows\": %d, \"largestDifference\": %.3e}",
          device,
          precision,
          model,
          rows,
          largest);
    }
  }

  /** Adds rows that were compared. */
  public static synchronized void add(
      String device, Precision precision, String model, int rows, double largest) {
    LARGEST.merge(
        device + " " + precision + " " + model,
        new Entry(device, precision, model, rows, largest),
        Entry::plus);
    write();
  }

  /** Returns a line for each model that was compared. */
  public static synchronized List<String> lines(String device, Precision precision) {
    return LARGEST.values().stream()
        .filter(entry -> entry.device.equals(device) && entry.precision == precision)
        .map(Entry::line)
        .toList();
  }

  private static void write() {
    ReportFile.write(
        FILE,
        LARGEST.values().stream()
            .map(Entry::json)
            .collect(Collectors.joining(",\n  ", "[\n  ", "\n]\n")));
  }
}
