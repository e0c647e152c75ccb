package dev.rankrt.internal.tensorrt;

import dev.rankrt.AccuracyReport;
import dev.rankrt.DataType;
import dev.rankrt.EngineOptions;
import dev.rankrt.EngineOptions.IdRange;
import dev.rankrt.Precision;
import dev.rankrt.TensorSpec;
import java.nio.ByteBuffer;
import java.util.Optional;
import java.util.Properties;
import java.util.Random;

/** Compares an engine with the same model in single precision. */
final class Accuracy {
  private static final String PREFIX = "accuracy.";

  /**
   * Rows that are drawn where the user gives none; also as many as a model takes at once, if that
   * is fewer.
   */
  private static final int DRAWN_ROWS = 256;

  /** Ids that nearly every table has, for inputs without a declared range. */
  private static final IdRange SMALL_IDS = new IdRange(0, 9);

  private Accuracy() {}

  static AccuracyReport compare(
      TensorRtEngine engine, TensorRtEngine exact, EngineOptions options) {
    TensorRtSession session = engine.newSession();
    try {
      TensorRtSession reference = exact.newSession();
      try {
        int rows = Math.max(engine.minBatch(), Math.min(DRAWN_ROWS, engine.maxBatch()));
        draw(engine, session, reference, options);
        session.run(rows);
        reference.run(rows);
        return difference(engine, session, reference, rows);
      } finally {
        reference.close();
      }
    } finally {
      session.close();
    }
  }

  private static void draw(
      TensorRtEngine engine,
      TensorRtSession session,
      TensorRtSession reference,
      EngineOptions options) {
    Random random = new Random(7);
    for (int i = 0; i < engine.inputs().size(); i++) {
      TensorSpec spec = engine.inputs().get(i);
      IdRange range = options.idRange(spec.name()).orElse(SMALL_IDS);
      ByteBuffer values = session.input(i);
      for (int at = 0; at < values.capacity(); at += spec.type().hostBytes()) {
        if (spec.type().isFloat()) {
          values.putFloat(at, (float) random.nextGaussian());
        } else {
          long id = range.min() + (long) (random.nextDouble() * (range.max() - range.min() + 1));
          if (spec.type() == DataType.INT32) {
            values.putInt(at, (int) id);
          } else {
            values.putLong(at, id);
          }
        }
      }
      reference.input(i).put(0, values, 0, values.capacity());
    }
  }

  private static AccuracyReport difference(
      TensorRtEngine engine, TensorRtSession session, TensorRtSession reference, int rows) {
    double largest = 0;
    double sum = 0;
    long count = 0;
    for (int i = 0; i < engine.outputs().size(); i++) {
      TensorSpec spec = engine.outputs().get(i);
      if (spec.type().isFloat()) {
        for (int at = 0; at < spec.shape().elements(rows); at++) {
          double difference =
              Math.abs(
                  (double) session.output(i).getFloat(at * Float.BYTES)
                      - reference.output(i).getFloat(at * Float.BYTES));
          largest = Math.max(largest, difference); // not a number stays
          sum += difference;
          count++;
        }
      }
    }
    return new AccuracyReport(
        engine.precision(), rows, false, largest, count == 0 ? 0 : sum / count);
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
