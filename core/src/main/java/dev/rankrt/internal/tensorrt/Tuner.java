package dev.rankrt.internal.tensorrt;

import dev.rankrt.internal.tensorrt.Tuning.Choice;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Random;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Measures which optimisation profile and which way of transfer serve each bucket best. On one GPU
 * and one model they differ by a factor of two, and not in a way that could be told beforehand.
 */
final class Tuner {
  private static final Logger log = LoggerFactory.getLogger(Tuner.class);

  /** Enough to bring clocks up and fill caches. */
  private static final int WARM_UP_RUNS = 20;

  /** A median of these moves by about a microsecond between repetitions. */
  private static final int RUNS = 101;

  private Tuner() {}

  static Tuning measure(TensorRtEngine engine) {
    Map<Integer, Choice> best = new LinkedHashMap<>();
    for (int profile = 0; profile < engine.profiles(); profile++) {
      for (Transfer transfer : Transfer.values()) {
        TensorRtSession session =
            engine.newSession(Tuning.uniform(engine.bucketSizes(), profile, transfer));
        try {
          fillFloats(engine, session);
          for (int bucket : engine.bucketSizes().sizes()) {
            Choice measured = new Choice(profile, transfer, medianMicros(session, bucket));
            best.merge(
                bucket,
                measured,
                (old, candidate) -> candidate.micros() < old.micros() ? candidate : old);
          }
        } finally {
          session.close();
        }
      }
    }
    log.info("measured for {}: {}", engine.name(), best);
    return new Tuning(best);
  }

  /**
   * Random numbers, since zeros run faster than real values do. Ids stay 0, which every table has.
   */
  private static void fillFloats(TensorRtEngine engine, TensorRtSession session) {
    Random random = new Random(1);
    for (int i = 0; i < engine.inputs().size(); i++) {
      if (engine.inputs().get(i).type().isFloat()) {
        ByteBuffer values = session.input(i);
        for (int at = 0; at < values.capacity(); at += Float.BYTES) {
          values.putFloat(at, (float) random.nextGaussian());
        }
      }
    }
  }

  private static double medianMicros(TensorRtSession session, int rows) {
    for (int i = 0; i < WARM_UP_RUNS; i++) {
      session.run(rows);
    }
    long[] nanos = new long[RUNS];
    for (int i = 0; i < RUNS; i++) {
      long start = System.nanoTime();
      session.run(rows);
      nanos[i] = System.nanoTime() - start;
    }
    Arrays.sort(nanos);
    return nanos[RUNS / 2] / 1000.0;
  }
}
