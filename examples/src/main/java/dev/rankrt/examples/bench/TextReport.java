package dev.rankrt.examples.bench;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;

/** Results as text, for a terminal. */
final class TextReport {
  private static final int NAMES = 2;

  private TextReport() {}

  static String of(Results results) {
    StringBuilder text = new StringBuilder();
    pairs(text, Tables.facts(results));
    for (Tables.Table table : Tables.of(results)) {
      text.append('\n').append(table.title()).append('\n');
      table(text, table.header(), table.lines());
    }
    text.append('\n');
    pairs(text, Tables.details(results));
    return text.append('\n').append(Tables.NOTE).append('\n').toString();
  }

  private static void pairs(StringBuilder text, Map<String, String> pairs) {
    int widest = pairs.keySet().stream().mapToInt(String::length).max().orElse(0);
    pairs.forEach((name, value) -> text.append(Units.text("%-" + widest + "s  %s%n", name, value)));
  }

  /** Adds lines whose columns are aligned: the first two to the left, figures to the right. */
  static void table(StringBuilder text, List<String> header, List<List<String>> lines) {
    List<List<String>> all = new ArrayList<>(List.of(header));
    all.addAll(lines);
    int[] widths =
        IntStream.range(0, header.size())
            .map(column -> all.stream().mapToInt(line -> line.get(column).length()).max().orElse(0))
            .toArray();
    for (List<String> line : all) {
      StringBuilder row = new StringBuilder();
      for (int column = 0; column < widths.length; column++) {
        String alignment = column < NAMES ? "%-" : "%";
        row.append(Units.text(alignment + Math.max(1, widths[column]) + "s  ", line.get(column)));
      }
      text.append(row.toString().stripTrailing()).append('\n');
    }
  }
}
