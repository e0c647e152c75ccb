package dev.rankrt.examples.bench;

import java.time.Duration;
import java.util.Locale;
import java.util.Optional;

/** Figures as people read them. */
final class Units {
  private static final String NONE = "-";

  private Units() {}

  /** Returns a duration in the unit that keeps it short. */
  static String micros(double micros) {
    if (micros >= 1e6) {
      return text("%s s", digits(micros / 1e6));
    }
    return micros >= 1e3 ? text("%s ms", digits(micros / 1e3)) : text("%s us", digits(micros));
  }

  /** Returns a round duration, as axes have them. */
  static String tick(double micros) {
    return micros(micros).replaceFirst("\\.0+ ", " ").replaceFirst("(\\.\\d*[1-9])0+ ", "$1 ");
  }

  static String micros(Optional<Double> micros) {
    return micros.map(Units::micros).orElse(NONE);
  }

  /** Returns a number of things a second. */
  static String rate(double perSecond) {
    return perSecond < 100 ? digits(perSecond) : text("%,.0f", perSecond);
  }

  static String bytes(long bytes) {
    return bytes >= 1L << 30
        ? text("%.1f GiB", bytes / (double) (1L << 30))
        : text("%.0f MiB", bytes / (double) (1L << 20));
  }

  static String count(long count) {
    return text("%,d", count);
  }

  /** Returns three digits that count. */
  static String digits(double value) {
    if (value >= 100) {
      return text("%.0f", value);
    }
    return value >= 10 ? text("%.1f", value) : text("%.2f", value);
  }

  static Duration duration(double seconds) {
    return Duration.ofNanos((long) (seconds * 1e9));
  }

  static String text(String format, Object... values) {
    return String.format(Locale.ROOT, format, values);
  }
}
