package dev.rankrt.internal.tensorrt;

import dev.rankrt.Device;
import dev.rankrt.Engine;
import dev.rankrt.EngineOptions;
import dev.rankrt.Precision;
import dev.rankrt.Ranker;
import dev.rankrt.Session;
import dev.rankrt.TensorSpec;
import dev.rankrt.testing.Figures;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.concurrent.atomic.LongAdder;

/**
 * Measures on a GPU what it saves to give one user once for many candidates.
 *
 * <pre>
 *   RankFigures MODEL     a model with inputs "dense" of 64 floats and "ids" of 32 ids
 * </pre>
 */
final class RankFigures {
  private static final int CANDIDATES = 500;
  private static final int FLOATS = 64;
  private static final int USER_FLOATS = 48;
  private static final int IDS = 32;
  private static final int USER_IDS = 24;
  private static final int VOCABULARY = 10_000;
  private static final int ROUNDS = 9;
  private static final int RUNS = 400;
  private static final int CALLERS = 16;
  private static final double SECONDS = 2;

  private RankFigures() {}

  public static void main(String[] arguments) throws Exception {
    Path model = Path.of(arguments[0]);
    EngineOptions dense =
        EngineOptions.builder()
            .device(Device.gpu(0))
            .precision(Precision.FP16)
            .maxBatch(CANDIDATES)
            .planCache(Files.createTempDirectory("plans"))
            .build();
    EngineOptions shared =
        dense.toBuilder().shared("dense", 0, USER_FLOATS).shared("ids", 0, USER_IDS).build();
    Request request = new Request();
    inSessions(model, dense, shared, request);
    inRankers(model, dense, shared, request);
  }

  private static void inSessions(
      Path model, EngineOptions options, EngineOptions sharedOptions, Request request) {
    try (Engine dense = Engine.open(model, options);
        Engine shared = Engine.open(model, sharedOptions);
        Session repeated = dense.newSession();
        Session ranking = shared.newSession()) {
      Figures.add("rank, bytes in, dense form", bytes(dense.inputs()));
      Figures.add("rank, bytes in, shared", bytes(shared.inputs()));
      Figures.add("rank, bytes in, ratio", bytes(shared.inputs()) / bytes(dense.inputs()));
      compare(request, repeated, ranking);
      for (Engine engine : List.of(dense, shared)) {
        String name = engine == dense ? "dense form" : "shared";
        engine
            .accuracy()
            .ifPresent(
                report ->
                    Figures.add(
                        "rank, " + name + ", largest difference from FP32",
                        report.maxDifference()));
      }
    }
  }

  /** Both by turns, as many calls as a device serves. */
  private static void inRankers(
      Path model, EngineOptions options, EngineOptions sharedOptions, Request request)
      throws InterruptedException {
    try (Ranker repeated = Ranker.open(model, options);
        Ranker ranking = Ranker.open(model, sharedOptions)) {
      Runnable infer = () -> repeated.infer(request.dense, request.ids);
      Runnable rank =
          () ->
              ranking.rank(
                  request.userDense, request.userIds, request.candidateDense, request.candidateIds);
      String what = "rank, " + CANDIDATES + " candidates, " + CALLERS + " callers, ";
      for (String round : new String[] {"warm-up", "first", "second", "third"}) {
        Figures.add(what + "dense form, " + round + ", requests per second", callsOf(infer));
        Figures.add(what + "shared, " + round + ", requests per second", callsOf(rank));
      }
    }
  }

  private static double callsOf(Runnable call) throws InterruptedException {
    LongAdder answered = new LongAdder();
    long end = System.nanoTime() + (long) (SECONDS * 1e9);
    Callers.onThreads(
        CALLERS,
        caller -> {
          while (System.nanoTime() < end) {
            call.run();
            answered.increment();
          }
        });
    return answered.sum() / SECONDS;
  }

  private static double bytes(List<TensorSpec> inputs) {
    return inputs.stream()
        .mapToDouble(spec -> (double) spec.shape().elements(CANDIDATES) * spec.type().bytes())
        .sum();
  }

  /** The same user and candidates in both forms. */
  private static final class Request {
    final float[] userDense = new float[USER_FLOATS];
    final long[] userIds = new long[USER_IDS];
    final float[] candidateDense = new float[CANDIDATES * (FLOATS - USER_FLOATS)];
    final long[] candidateIds = new long[CANDIDATES * (IDS - USER_IDS)];
    final float[] dense = new float[CANDIDATES * FLOATS];
    final long[] ids = new long[CANDIDATES * IDS];

    Request() {
      Random random = new Random(3);
      fill(userDense, random);
      fill(candidateDense, random);
      fill(userIds, random);
      fill(candidateIds, random);
      for (int row = 0; row < CANDIDATES; row++) {
        repeat(userDense, candidateDense, dense, row, USER_FLOATS, FLOATS);
        repeat(userIds, candidateIds, ids, row, USER_IDS, IDS);
      }
    }

    private static void fill(float[] values, Random random) {
      for (int i = 0; i < values.length; i++) {
        values[i] = (float) random.nextGaussian();
      }
    }

    private static void fill(long[] values, Random random) {
      for (int i = 0; i < values.length; i++) {
        values[i] = random.nextInt(VOCABULARY);
      }
    }

    @SuppressWarnings("SuspiciousSystemArraycopy") // all three are arrays of the same type
    private static void repeat(
        Object user, Object candidates, Object rows, int row, int ofUser, int width) {
      int own = width - ofUser;
      System.arraycopy(user, 0, rows, row * width, ofUser);
      System.arraycopy(candidates, row * own, rows, row * width + ofUser, own);
    }
  }

  /** Both by turns, so that clocks and neighbours are the same for both. */
  private static void compare(Request request, Session repeated, Session ranking) {
    float[] expected = null;
    float[] scores = null;
    double[] ofDense = new double[ROUNDS];
    double[] ofRank = new double[ROUNDS];
    long[] nanos = new long[RUNS];
    for (int round = -1; round < ROUNDS; round++) { // the first warms up
      for (int run = 0; run < RUNS; run++) {
        long start = System.nanoTime();
        expected = repeated.infer(request.dense, request.ids);
        nanos[run] = System.nanoTime() - start;
      }
      ofDense[Math.max(0, round)] = median(nanos);
      for (int run = 0; run < RUNS; run++) {
        long start = System.nanoTime();
        scores =
            ranking.rank(
                request.userDense, request.userIds, request.candidateDense, request.candidateIds);
        nanos[run] = System.nanoTime() - start;
      }
      ofRank[Math.max(0, round)] = median(nanos);
    }
    Arrays.sort(ofDense);
    Arrays.sort(ofRank);
    String what = "rank, " + CANDIDATES + " candidates, p50 microseconds, ";
    Figures.add(what + "dense form", ofDense[ROUNDS / 2]);
    Figures.add(what + "shared", ofRank[ROUNDS / 2]);
    double largest = 0;
    for (int i = 0; i < CANDIDATES; i++) {
      largest = Math.max(largest, Math.abs((double) expected[i] - scores[i]));
    }
    Figures.add("rank, largest difference of both forms", largest);
  }

  private static double median(long[] nanos) {
    Arrays.sort(nanos);
    return nanos[nanos.length / 2] / 1e3;
  }
}
