package dev.rankrt.examples;

import dev.rankrt.Session;
import java.time.LocalDate;
import java.util.List;
import java.util.Locale;
import org.HdrHistogram.Histogram;

/** How long calls took. */
final class Latency {
  private static final int SIGNIFICANT_DIGITS = 3;

  private final Histogram nanos = new Histogram(SIGNIFICANT_DIGITS);

  private Latency() {}

  /**
   * Times one call for each customer, with every product in it, after a pass to warm up that is not
   * counted. Putting the rows together is not timed: services have them in other forms.
   */
  static Latency of(Session session, RetailData data, List<Customer> customers, LocalDate day) {
    new Latency().measure(session, data, customers, day);
    Latency latency = new Latency();
    latency.measure(session, data, customers, day);
    return latency;
  }

  private void measure(Session session, RetailData data, List<Customer> customers, LocalDate day) {
    for (Customer customer : customers) {
      Rows rows = data.everyProduct(customer, day);
      long start = System.nanoTime();
      session.infer(rows.dense(), rows.ids());
      nanos.recordValue(System.nanoTime() - start);
    }
  }

  long calls() {
    return nanos.getTotalCount();
  }

  /** Returns a percentile as people read it. */
  String percentile(double percent) {
    double micros = nanos.getValueAtPercentile(percent) / 1e3;
    return micros < 1000
        ? String.format(Locale.ROOT, "%.0f us", micros)
        : String.format(Locale.ROOT, "%.2f ms", micros / 1e3);
  }
}
