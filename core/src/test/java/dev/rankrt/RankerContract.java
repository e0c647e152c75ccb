package dev.rankrt;

import static dev.rankrt.testing.OnnxModel.BATCH;
import static dev.rankrt.testing.OnnxModel.Type.FLOAT;
import static dev.rankrt.testing.OnnxModel.Type.INT32;
import static dev.rankrt.testing.OnnxModel.Type.INT64;
import static dev.rankrt.testing.OnnxModels.DENSE;
import static dev.rankrt.testing.OnnxModels.IDS;
import static dev.rankrt.testing.OnnxModels.VOCABULARY;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.rankrt.testing.LeakCheck;
import dev.rankrt.testing.OnnxModel;
import dev.rankrt.testing.OnnxModels;
import java.nio.FloatBuffer;
import java.nio.IntBuffer;
import java.nio.LongBuffer;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.function.Executable;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** What a ranker must do on every backend, with models that really run. */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
abstract class RankerContract {
  private static final int MAX_BATCH = 16;
  private static final long PATIENCE_SECONDS = 120;

  @RegisterExtension final LeakCheck leaks = new LeakCheck();

  final Engines engines = new Engines(leaks);

  /** Returns the device that the backend is for. */
  abstract Device device();

  EngineOptions.Builder options() {
    return EngineOptions.builder().device(device()).maxBatch(MAX_BATCH);
  }

  @AfterAll
  void deleteModels() {
    engines.close();
  }

  private Ranker open(String name, OnnxModel model, RankerOptions.Builder serving) {
    return open(name, model, options(), serving);
  }

  final Ranker open(
      String name, OnnxModel model, EngineOptions.Builder options, RankerOptions.Builder serving) {
    Path path = engines.write(name + ".onnx", model.bytes());
    return Ranker.open(engines.backends(), path, options.build(), serving.build());
  }

  private Ranker ranker(OnnxModel.Type idType) {
    return open(
        "ranker-" + idType,
        OnnxModels.ranker(idType),
        RankerOptions.builder().workers(2).gentleSwaps(false));
  }

  static void assertScores(Rows rows, float[] scores) {
    assertEquals(rows.count, scores.length);
    for (int row = 0; row < rows.count; row++) {
      assertEquals(rows.exact(row), scores[row], 1e-5, "row " + row + " of " + rows.count);
    }
  }

  private static float[] answer(CompletableFuture<float[]> scores) throws Exception {
    return scores.get(PATIENCE_SECONDS, TimeUnit.SECONDS);
  }

  @ParameterizedTest
  @EnumSource(names = {"INT32", "INT64"})
  void infer_everyFormOfTheSameRows_givesWhatASessionGives(OnnxModel.Type idType) throws Exception {
    Rows rows = new Rows(new Random(5), 5);
    FloatBuffer dense = FloatBuffer.wrap(rows.dense);
    IntBuffer ids = IntBuffer.wrap(rows.ids);
    LongBuffer longIds = LongBuffer.wrap(rows.longIds());
    try (Engine engine = engines.open(OnnxModels.ranker(idType), options());
        Session session = engine.newSession();
        Ranker ranker = ranker(idType)) {
      float[] scores = session.infer(rows.dense, rows.ids);
      assertScores(rows, scores);
      assertArrayEquals(scores, ranker.infer(rows.dense, rows.ids));
      assertArrayEquals(scores, ranker.infer(rows.dense, rows.longIds()));
      assertArrayEquals(scores, ranker.infer(rows.denseRows(), rows.idRows()));
      assertArrayEquals(scores, ranker.infer(rows.denseRows(), rows.longIdRows()));
      assertArrayEquals(scores, ranker.infer(dense, ids));
      assertArrayEquals(scores, ranker.infer(dense, longIds));
      assertArrayEquals(scores, answer(ranker.inferAsync(rows.dense, rows.ids)));
      assertArrayEquals(scores, answer(ranker.inferAsync(rows.dense, rows.longIds())));
      assertArrayEquals(scores, answer(ranker.inferAsync(rows.denseRows(), rows.idRows())));
      assertArrayEquals(scores, answer(ranker.inferAsync(rows.denseRows(), rows.longIdRows())));
      assertArrayEquals(scores, answer(ranker.inferAsync(dense, ids)));
      assertArrayEquals(scores, answer(ranker.inferAsync(dense, longIds)));
      assertArrayEquals(
          scores, ranker.infer(Map.of("dense", rows.dense, "ids", longIds)).floats("score"));
      assertEquals(engine.inputs(), ranker.inputs());
      assertEquals(engine.outputs(), ranker.outputs());
    }
  }

  /** A window that only a full run ends brings a known batch about. */
  @Test
  void requests_runTogether_areToTheBitWhatTheirRowsGiveInOneCall() throws Exception {
    Random random = new Random(7);
    try (Engine engine = engines.open(OnnxModels.ranker(INT64), options());
        Session session = engine.newSession();
        Ranker ranker =
            open(
                "window",
                OnnxModels.ranker(INT64),
                RankerOptions.builder().workers(1).batchingWindow(Duration.ofSeconds(1)))) {
      Rows all = new Rows(random, MAX_BATCH);
      List<CompletableFuture<float[]>> parts = new ArrayList<>();
      int from = 0;
      for (int count : new int[] {1, 5, 2, 7, 1}) {
        Rows part = all.part(from, from + count);
        parts.add(ranker.inferAsync(part.dense, part.ids));
        from += count;
      }
      FloatBuffer joined = FloatBuffer.allocate(MAX_BATCH);
      for (CompletableFuture<float[]> part : parts) {
        joined.put(answer(part));
      }
      assertEquals(1, ranker.stats().batches());
      assertArrayEquals(session.infer(all.dense, all.ids), joined.array());
    }
  }

  @Test
  void request_largerThanMaxBatch_isSplitAndJoined() throws Exception {
    try (Ranker ranker = ranker(INT64)) {
      for (int count : new int[] {MAX_BATCH + 1, 3 * MAX_BATCH, 100}) {
        Rows rows = new Rows(new Random(count), count);
        assertScores(rows, ranker.infer(rows.dense, rows.ids));
        assertScores(rows, ranker.infer(rows.denseRows(), rows.longIdRows()));
        FloatBuffer dense = FloatBuffer.wrap(rows.dense);
        assertScores(rows, answer(ranker.inferAsync(dense, IntBuffer.wrap(rows.ids))));
      }
    }
  }

  @Test
  void values_thatDoNotFit_areRefusedInTheCallAndHarmNobody() throws Exception {
    EngineOptions.Builder options = options().idRange("ids", 0, VOCABULARY - 1);
    try (Ranker ranker =
        open("ranges", OnnxModels.ranker(INT64), options, RankerOptions.builder())) {
      Rows rows = new Rows(new Random(1), 2);
      CompletableFuture<float[]> before = ranker.inferAsync(rows.dense, rows.ids);
      for (Executable call :
          List.<Executable>of(
              () -> ranker.infer(rows.dense, new int[] {1, 2, 3}),
              () -> ranker.infer(new float[] {1}, rows.ids),
              () -> ranker.infer(new float[0], new int[0]),
              () -> ranker.infer((float[]) null, rows.ids),
              () -> ranker.inferAsync(rows.dense, new int[] {0, 1, 2, 3, 4, VOCABULARY}),
              () -> ranker.inferAsync(new float[][] {{1, 2, 3, 4}, null}, rows.idRows()),
              () -> ranker.infer(Map.of("dense", rows.dense)),
              () -> ranker.infer(Map.of("dense", rows.dense, "ids", "1, 2, 3")),
              () -> ranker.infer(Map.of("dense", rows.ids, "ids", rows.ids)),
              () -> ranker.infer(Map.of("dense", rows.dense, "ids", rows.ids, "x", rows.ids)))) {
        assertThrows(IllegalArgumentException.class, call);
      }
      assertScores(rows, answer(before));
      assertScores(rows, ranker.infer(rows.dense, rows.ids));
      assertEquals(2, ranker.stats().requests());
    }
  }

  @Test
  void buffer_movedBehindTheCall_isReadAsItWas() throws Exception {
    try (Ranker ranker = ranker(INT64)) {
      Rows rows = new Rows(new Random(2), 6);
      FloatBuffer dense = FloatBuffer.wrap(rows.dense).position(2 * DENSE);
      LongBuffer ids = LongBuffer.wrap(rows.longIds()).position(2 * IDS);
      CompletableFuture<float[]> scores = ranker.inferAsync(dense, ids);
      assertEquals(2 * DENSE, dense.position());
      dense.clear();
      ids.clear();
      assertScores(rows.part(2, 6), answer(scores));
    }
  }

  @Test
  void model_ofAnotherKind_isRunByName() throws Exception {
    try (Ranker ranker = open("many", OnnxModels.manyOutputs(), RankerOptions.builder())) {
      float[][] x = new float[2 * MAX_BATCH + 3][];
      Arrays.setAll(x, row -> new float[] {row, row % 3 == 0 ? 1000 : 1, 2, 3});
      Ranker.Outputs outputs =
          ranker.inferAsync(Map.of("x", x)).get(PATIENCE_SECONDS, TimeUnit.SECONDS);
      for (int row = 0; row < x.length; row++) {
        assertEquals(row + x[row][1] + 5, outputs.floats("sum")[row], 1e-3);
        assertEquals(x[row][1] == 1000 ? 1 : row > 3 ? 0 : 3, outputs.longs("best")[row]);
        assertEquals(outputs.longs("best")[row], outputs.longs("best32")[row]);
        assertEquals(2f * row, outputs.floats("twice")[4 * row]);
      }
      assertThrows(IllegalArgumentException.class, () -> outputs.floats("best"));
      assertThrows(IllegalArgumentException.class, () -> outputs.floats("worst"));
      assertThrows(
          UnsupportedOperationException.class, () -> ranker.infer(new float[4], new int[1]));
    }
  }

  @Test
  void model_withInputsWithoutABatch_runsEachRequestByItself() throws Exception {
    try (Ranker ranker = open("shared", OnnxModels.withoutBatch(), RankerOptions.builder())) {
      List<CompletableFuture<Ranker.Outputs>> answers = new ArrayList<>();
      for (int i = 0; i < 20; i++) {
        Map<String, Object> inputs = new HashMap<>();
        inputs.put("x", new float[] {1, 2, 3, 4});
        inputs.put("scale", FloatBuffer.wrap(new float[] {i, 1}));
        answers.add(ranker.inferAsync(inputs));
      }
      for (int i = 0; i < 20; i++) {
        Ranker.Outputs outputs = answers.get(i).get(PATIENCE_SECONDS, TimeUnit.SECONDS);
        assertArrayEquals(new float[] {i, 2, 3f * i, 4}, outputs.floats("y"));
        assertArrayEquals(new float[] {10}, outputs.floats("total"));
        assertArrayEquals(new float[] {4, 6}, outputs.floats("columns"));
      }
      assertEquals(20, ranker.stats().batches());
      assertThrows(
          IllegalArgumentException.class,
          () ->
              ranker.infer(
                  Map.of("x", new float[2 * (MAX_BATCH + 1)], "scale", new float[] {1, 1})));
    }
  }

  @Test
  void model_withAFixedBatch_isServedInRunsOfIt() throws Exception {
    try (Ranker padded = open("fixed", OnnxModels.ranker(INT32, 8), RankerOptions.builder());
        Ranker exact =
            open(
                "exact",
                OnnxModels.ranker(INT32, 8),
                options().padding(false),
                RankerOptions.builder())) {
      for (int count : new int[] {1, 8, 21}) {
        Rows rows = new Rows(new Random(count), count);
        assertScores(rows, padded.infer(rows.dense, rows.ids));
      }
      Rows rows = new Rows(new Random(8), 8);
      assertScores(rows, exact.infer(rows.dense, rows.ids));
      Rows few = new Rows(new Random(3), 3);
      assertThrows(IllegalArgumentException.class, () -> exact.infer(few.dense, few.ids));
    }
  }

  @Test
  void manyThreads_askingAndSwapping_getTheScoresOfTheirRows() throws Exception {
    Path other = engines.write("other.onnx", OnnxModels.ranker(INT64).bytes());
    ExecutorService threads = Executors.newCachedThreadPool();
    try (Ranker ranker = ranker(INT64)) {
      AtomicBoolean stop = new AtomicBoolean();
      AtomicInteger answered = new AtomicInteger();
      List<Future<Void>> callers = new ArrayList<>();
      for (int thread = 0; thread < 6; thread++) {
        Random random = new Random(thread);
        callers.add(
            threads.submit(
                () -> {
                  while (!stop.get()) {
                    Rows rows = new Rows(random, 1 + random.nextInt(2 * MAX_BATCH));
                    assertScores(rows, ranker.infer(rows.dense, rows.ids));
                    answered.incrementAndGet();
                  }
                  return null;
                }));
      }
      for (int swaps = 0; swaps < 5; swaps++) {
        int before = answered.get();
        ranker.swap(other);
        while (answered.get() < before + 100) {
          Thread.onSpinWait();
        }
      }
      stop.set(true);
      for (Future<Void> caller : callers) {
        caller.get(PATIENCE_SECONDS, TimeUnit.SECONDS);
      }
      assertEquals(answered.get(), ranker.stats().requests());
      assertTrue(ranker.stats().batches() <= ranker.stats().rows());
    } finally {
      threads.shutdown();
    }
  }

  @Test
  void swap_toAnotherModelOrNone_leavesTheOldOneServing() throws Exception {
    try (Ranker ranker =
        open("ranker", OnnxModels.ranker(INT64), RankerOptions.builder().workers(1))) {
      Rows rows = new Rows(new Random(3), 3);
      Path otherIds = engines.write("int32.onnx", OnnxModels.ranker(INT32).bytes());
      ModelException refusal = assertThrows(ModelException.class, () -> ranker.swap(otherIds));
      assertTrue(
          refusal.getMessage().contains("'ids' INT32")
              && refusal.getMessage().contains("'ids' INT64"),
          refusal.getMessage());
      byte[] bytes = OnnxModels.ranker(INT64).bytes();
      Path cut = engines.write("cut.onnx", Arrays.copyOf(bytes, bytes.length / 2));
      assertThrows(ModelException.class, () -> ranker.swap(cut));
      assertThrows(ModelException.class, () -> ranker.swap(engines.path("missing.onnx")));
      OnnxModel broken =
          new OnnxModel()
              .input("dense", FLOAT, BATCH, DENSE)
              .input("ids", INT64, BATCH, IDS)
              .floats("zero", new float[] {0}, 1)
              .longs("first", new long[] {0}, 1)
              .node("Cast", "ids", "used", OnnxModel.Attribute.of("to", FLOAT))
              .longs("columns", new long[] {1}, 1)
              .node("ReduceSum", "used columns", "sum", OnnxModel.Attribute.of("keepdims", 1))
              .node("Gather", "dense first", "column", OnnxModel.Attribute.of("axis", 1))
              .node("Mul", "sum zero", "zeros")
              .node("Div", "column zeros", "score")
              .output("score", FLOAT, BATCH, 1);
      Path infinite = engines.write("infinite.onnx", broken.bytes());
      refusal = assertThrows(ModelException.class, () -> ranker.swap(infinite));
      assertTrue(refusal.getMessage().contains("NaN"), refusal.getMessage());
      assertScores(rows, ranker.infer(rows.dense, rows.ids));
    }
  }
}
