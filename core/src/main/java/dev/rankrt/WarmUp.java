package dev.rankrt;

import dev.rankrt.internal.Pace;
import java.nio.FloatBuffer;
import java.nio.IntBuffer;
import java.nio.LongBuffer;
import java.util.Arrays;
import java.util.EnumSet;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Makes an engine's first requests as fast as later ones. The device sets memory and kernels up
 * when a batch size runs first, and the JVM interprets what it has not compiled yet: together that
 * is milliseconds where a call takes fifty microseconds.
 */
final class WarmUp {
  private static final Logger log = LoggerFactory.getLogger(WarmUp.class);

  /** The first run of a size sets things up, and what it leaves cold the next one warms. */
  private static final int RUNS_OF_A_SIZE = 3;

  /** HotSpot compiles a method when it was called some hundred times. */
  private static final int RUNS_TO_COMPILE = 400;

  /** On a slow device the calls' own time hides what compiling them would gain. */
  private static final long COMPILE_LIMIT_NANOS = TimeUnit.MILLISECONDS.toNanos(300);

  /** The devices whose path of a call this process has run often enough. */
  private static final Set<Device.Type> compiled = EnumSet.noneOf(Device.Type.class);

  private WarmUp() {}

  /** Runs every bucket. A model that refuses the drawn values is left cold. */
  static void run(Session session) {
    Engine engine = session.engine();
    long start = System.nanoTime();
    try {
      int smallest = engine.buckets().get(0);
      if (isFirst(engine.device().type())) {
        for (int i = 0;
            i < RUNS_TO_COMPILE && System.nanoTime() - start < COMPILE_LIMIT_NANOS;
            i++) {
          inferInEveryForm(session, smallest);
          run(session, smallest);
        }
      }
      for (int rows : engine.buckets()) {
        for (int i = 0; i < RUNS_OF_A_SIZE; i++) {
          run(session, rows);
          Pace.rest();
        }
      }
    } catch (InferenceException e) {
      log.warn("{} could not be warmed up", engine, e);
    }
    session.forgetResults();
    log.debug("warmed up {} in {} ms", engine, (System.nanoTime() - start) / 1_000_000);
  }

  private static boolean isFirst(Device.Type type) {
    synchronized (compiled) {
      return compiled.add(type);
    }
  }

  /** All forms of a request take their turns, or the JVM would compile for the first one alone. */
  private static void inferInEveryForm(Session session, int rows) {
    if (!session.takesDenseAndSparse()) {
      return;
    }
    long id = session.sparse().rules().anyId();
    float[] dense = new float[values(session.dense(), rows)];
    float[][] denseRows = new float[rows][dense.length / rows];
    long[] longIds = new long[values(session.sparse(), rows)];
    Arrays.fill(longIds, id);
    session.infer(dense, longIds);
    session.infer(FloatBuffer.wrap(dense), LongBuffer.wrap(longIds));
    long[][] longIdRows = new long[rows][longIds.length / rows];
    for (long[] row : longIdRows) {
      Arrays.fill(row, id);
    }
    session.infer(denseRows, longIdRows);
    if (id == (int) id) { // else nobody can ask with ints
      int[] ids = new int[longIds.length];
      Arrays.fill(ids, (int) id);
      session.infer(dense, ids);
      session.infer(FloatBuffer.wrap(dense), IntBuffer.wrap(ids));
      int[][] idRows = new int[rows][ids.length / rows];
      for (int[] row : idRows) {
        Arrays.fill(row, (int) id);
      }
      session.infer(denseRows, idRows);
    }
  }

  private static void run(Session session, int rows) {
    for (TensorSpec spec : session.engine().inputs()) {
      InputTensor input = session.input(spec.name());
      if (spec.type().isFloat()) {
        input.put(new float[values(input, rows)]);
      } else {
        long[] ids = new long[values(input, rows)];
        Arrays.fill(ids, input.rules().anyId());
        input.put(ids);
      }
    }
    session.run(rows);
  }

  private static int values(InputTensor input, int rows) {
    return Math.toIntExact(input.spec().shape().elements(rows));
  }
}
