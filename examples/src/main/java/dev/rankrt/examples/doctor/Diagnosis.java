package dev.rankrt.examples.doctor;

import java.time.Instant;
import java.util.Comparator;
import java.util.List;

/**
 * Everything that was found, and what {@code --json} writes.
 *
 * @param format 1; raised when a component changes its meaning or goes, not when one is added
 * @param at when
 * @param worst the worst level of all findings
 * @param findings in the order of their checks, which is the same on every machine
 */
record Diagnosis(int format, Instant at, Level worst, List<Finding> findings) {
  private static final int FORMAT = 1;
  private static final int LINE = 110;
  private static final String REASON = " ".repeat(8);

  static Diagnosis of(Instant at, List<Finding> findings) {
    Level worst =
        findings.stream().map(Finding::level).max(Comparator.naturalOrder()).orElse(Level.OK);
    return new Diagnosis(FORMAT, at, worst, List.copyOf(findings));
  }

  /**
   * Returns the findings for people.
   *
   * @param allReasons whether to say also why that matters which is in order
   */
  String text(boolean allReasons) {
    int width = findings.stream().mapToInt(finding -> finding.title().length()).max().orElse(0);
    StringBuilder text = new StringBuilder();
    Group group = null;
    for (Finding finding : findings) {
      if (finding.group() != group) {
        group = finding.group();
        text.append(text.isEmpty() ? "" : "\n").append(group.heading()).append('\n');
      }
      text.append(String.format("  %-4s  %-" + width + "s  ", finding.level(), finding.title()));
      text.append(wrapped(finding.found(), width + 10));
      if (allReasons || finding.level().compareTo(Level.WARN) >= 0) {
        text.append(REASON).append("why  ").append(wrapped(finding.why(), REASON.length() + 5));
      }
      // Never wrapped: it is there to be copied.
      finding.fix().ifPresent(fix -> text.append(REASON).append("fix  ").append(fix).append('\n'));
    }
    text.append('\n');
    for (Level level : Level.values()) {
      long count = findings.stream().filter(finding -> finding.level() == level).count();
      text.append(count).append(' ').append(level).append(level == Level.FAIL ? "\n" : ", ");
    }
    return text.toString();
  }

  /** Returns lines of words, all but the first of them indented, each with its line feed. */
  private static String wrapped(String words, int indent) {
    StringBuilder text = new StringBuilder();
    int column = indent;
    for (String word : words.split("\\s+", -1)) {
      if (column > indent && column + 1 + word.length() > LINE) {
        text.append('\n').append(" ".repeat(indent));
        column = indent;
      }
      if (column > indent) {
        text.append(' ');
        column++;
      }
      text.append(word);
      column += word.length();
    }
    return text.append('\n').toString();
  }
}
