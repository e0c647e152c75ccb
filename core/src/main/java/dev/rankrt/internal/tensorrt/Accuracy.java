package dev.rankrt.internal.tensorrt;

import dev.rankrt.AccuracyReport;
import dev.rankrt.Precision;
import dev.rankrt.TensorSpec;
import java.nio.ByteBuffer;
import java.util.Optional;
import java.util.Properties;

/** Compares an engine with the same model in single precision. */
final class Accuracy {
  private static final String PREFIX = "accuracy.";

  private Accuracy() {}

  static AccuracyReport compare(TensorRtEngine engine, TensorRtEngine exact, Sample sample) {
    TensorRtSession session = engine.newSession();
    try {
      TensorRtSession reference = exact.newSession();
      try {
        Differences differences = new Differences();
        for (int start = 0; start < sample.rows(); start += engine.maxBatch()) {
          int rows = Math.min(engine.maxBatch(), sample.rows() - start);
          for (int i = 0; i < engine.inputs().size(); i++) {
            TensorSpec spec = engine.inputs().get(i);
            sample.copyTo(i, spec, start, rows, session.input(i));
            sample.copyTo(i, spec, start, rows, reference.input(i));
          }
          session.run(rows);
          reference.run(rows);
          for (int i = 0; i < engine.outputs().size(); i++) {
            TensorSpec spec = engine.outputs().get(i);
            if (spec.type().isFloat()) {
              int count = Math.toIntExact(spec.shape().elements(rows));
              differences.add(session.output(i), reference.output(i), count);
            }
          }
        }
        return new AccuracyReport(
            engine.precision(),
            sample.rows(),
            sample.given(),
            differences.largest,
            differences.mean());
      } finally {
        reference.close();
      }
    } finally {
      session.close();
    }
  }

  /** Differences of outputs, summed up. One thread at a time. */
  private static final class Differences {
    private double largest;
    private double sum;
    private long count;

    void add(ByteBuffer values, ByteBuffer exact, int floats) {
      for (int i = 0; i < floats; i++) {
        int at = i * Float.BYTES;
        double difference = Math.abs((double) values.getFloat(at) - exact.getFloat(at));
        largest = Math.max(largest, difference); // not a number stays
        sum += difference;
      }
      count += floats;
    }

    double mean() {
      return count == 0 ? 0 : sum / count;
    }
  }

  static void writeTo(AccuracyReport report, Properties header) {
    header.setProperty(PREFIX + "rows", Integer.toString(report.rows()));
    header.setProperty(PREFIX + "given", Boolean.toString(report.given()));
    header.setProperty(PREFIX + "max", Double.toString(report.maxDifference()));
    header.setProperty(PREFIX + "mean", Double.toString(report.meanDifference()));
  }

  static Optional<AccuracyReport> readFrom(Properties header) {
    if (!header.containsKey(PREFIX + "rows")) {
      return Optional.empty();
    }
    return Optional.of(
        new AccuracyReport(
            Precision.valueOf(header.getProperty("precision")),
            Integer.parseInt(header.getProperty(PREFIX + "rows")),
            Boolean.parseBoolean(header.getProperty(PREFIX + "given")),
            Double.parseDouble(header.getProperty(PREFIX + "max")),
            Double.parseDouble(header.getProperty(PREFIX + "mean"))));
  }
}
