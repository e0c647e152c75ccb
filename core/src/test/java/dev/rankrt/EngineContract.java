package dev.rankrt;

import static dev.rankrt.testing.OnnxModel.BATCH;
import static dev.rankrt.testing.OnnxModel.Type.FLOAT;
import static dev.rankrt.testing.OnnxModel.Type.FLOAT16;
import static dev.rankrt.testing.OnnxModel.Type.INT32;
import static dev.rankrt.testing.OnnxModel.Type.INT64;
import static dev.rankrt.testing.OnnxModels.DENSE;
import static dev.rankrt.testing.OnnxModels.IDS;
import static dev.rankrt.testing.OnnxModels.VOCABULARY;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assertions.fail;

import dev.rankrt.testing.Differences;
import dev.rankrt.testing.LeakCheck;
import dev.rankrt.testing.OnnxModel;
import dev.rankrt.testing.OnnxModels;
import dev.rankrt.testing.Reference;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import java.nio.IntBuffer;
import java.nio.LongBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.concurrent.Callable;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Consumer;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.TestReporter;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.function.Executable;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.FieldSource;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * What every backend must do, through the API alone. The system properties {@code
 * rankrt.test.races} and {@code rankrt.test.opens} set how many rounds the races and the openings
 * take.
 */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
abstract class EngineContract {
  private static final int MAX_BATCH = 16;
  private static final int RACES = Integer.getInteger("rankrt.test.races", 300);
  private static final int OPENS = Integer.getInteger("rankrt.test.opens", 1000);
  private static final long PATIENCE_SECONDS = 120;

  @SuppressWarnings("unused") // by name
  private static final List<String> families = Reference.FAMILIES;

  @RegisterExtension final LeakCheck leaks = new LeakCheck();

  final Engines engines = new Engines(leaks);

  /** Returns the device that the backend is for. */
  abstract Device device();

  /** Returns the precision to compute in. */
  Precision precision() {
    return Precision.FP32;
  }

  /** Returns by how much a score may differ from the exact one. */
  double tolerance() {
    return switch (precision()) {
      case FP32 -> 1e-5;
      case TF32 -> 1e-3;
      case FP16 -> 5e-3;
      case BF16 -> 2e-2;
    };
  }

  /** Returns the options that all tests begin with. */
  EngineOptions.Builder options() {
    return EngineOptions.builder().device(device()).precision(precision()).maxBatch(MAX_BATCH);
  }

  @AfterAll
  void closeEngines(TestReporter reporter) {
    engines.close();
    for (String line : Differences.lines(device().toString(), precision())) {
      reporter.publishEntry("largest difference", line);
    }
  }

  // ------------------------------------------------------------------------------- what is asked

  private Engine ranker(OnnxModel.Type idType) {
    return engines.shared(
        "ranker-" + idType + ".onnx", OnnxModels.ranker(idType).bytes(), options());
  }

  private void assertScores(Rows rows, float[] scores) {
    assertEquals(rows.count, scores.length);
    for (int row = 0; row < rows.count; row++) {
      assertEquals(rows.exact(row), scores[row], tolerance(), "row " + row + " of " + rows.count);
    }
  }

  private static FloatBuffer direct(float[] values) {
    ByteBuffer memory = ByteBuffer.allocateDirect(values.length * Float.BYTES);
    return memory.order(ByteOrder.nativeOrder()).asFloatBuffer().put(values).flip();
  }

  private static IntBuffer direct(int[] values) {
    ByteBuffer memory = ByteBuffer.allocateDirect(values.length * Integer.BYTES);
    return memory.order(ByteOrder.nativeOrder()).asIntBuffer().put(values).flip();
  }

  private static LongBuffer direct(long[] values) {
    ByteBuffer memory = ByteBuffer.allocateDirect(values.length * Long.BYTES);
    return memory.order(ByteOrder.nativeOrder()).asLongBuffer().put(values).flip();
  }

  // ------------------------------------------------------------------------------ what is served

  @ParameterizedTest
  @EnumSource(names = {"INT32", "INT64"})
  void infer_everyFormOfTheSameRows_givesTheSameScores(OnnxModel.Type idType) {
    try (Session session = ranker(idType).newSession()) {
      Rows rows = new Rows(5);
      float[] scores = session.infer(rows.dense, rows.ids);
      assertScores(rows, scores);
      assertArrayEquals(scores, session.infer(rows.dense, rows.longIds()));
      assertArrayEquals(scores, session.infer(rows.denseRows(), rows.idRows()));
      assertArrayEquals(scores, session.infer(rows.denseRows(), rows.longIdRows()));
      assertArrayEquals(scores, session.infer(direct(rows.dense), direct(rows.ids)));
      assertArrayEquals(scores, session.infer(direct(rows.dense), direct(rows.longIds())));
      assertArrayEquals(
          scores, session.infer(FloatBuffer.wrap(rows.dense), IntBuffer.wrap(rows.ids)));
      assertArrayEquals(
          scores, session.infer(FloatBuffer.wrap(rows.dense), LongBuffer.wrap(rows.longIds())));
    }
  }

  @ParameterizedTest
  @EnumSource(names = {"INT32", "INT64"})
  void put_everyFormOfTheSameRows_givesTheSameScores(OnnxModel.Type idType) {
    try (Session session = ranker(idType).newSession()) {
      Rows rows = new Rows(6);
      float[] scores = session.infer(rows.dense, rows.ids);
      List<Consumer<InputTensor>> dense =
          List.of(
              input -> input.put(rows.dense),
              input -> input.put(rows.denseRows()),
              input -> input.put(FloatBuffer.wrap(rows.dense)),
              input -> input.put(direct(rows.dense)));
      List<Consumer<InputTensor>> ids =
          List.of(
              input -> input.put(rows.ids),
              input -> input.put(rows.idRows()),
              input -> input.put(IntBuffer.wrap(rows.ids)),
              input -> input.put(direct(rows.ids)),
              input -> input.put(rows.longIds()),
              input -> input.put(rows.longIdRows()),
              input -> input.put(LongBuffer.wrap(rows.longIds())),
              input -> input.put(direct(rows.longIds())));
      for (Consumer<InputTensor> putDense : dense) {
        for (Consumer<InputTensor> putIds : ids) {
          putIds.accept(session.input("ids"));
          putDense.accept(session.input("dense"));
          session.run(rows.count);
          assertArrayEquals(scores, session.output("score").toFloatArray());
        }
      }
    }
  }

  @Test
  void buffers_withPositionAndLimit_areReadBetweenThemAndStayAsTheyAre() {
    try (Session session = ranker(INT64).newSession()) {
      Rows rows = new Rows(8);
      FloatBuffer dense = direct(rows.dense).position(2 * DENSE).limit(5 * DENSE);
      LongBuffer ids = direct(rows.longIds()).position(2 * IDS).limit(5 * IDS);
      assertScores(rows.part(2, 5), session.infer(dense, ids));
      assertEquals(List.of(2 * DENSE, 5 * DENSE), List.of(dense.position(), dense.limit()));
      assertEquals(List.of(2 * IDS, 5 * IDS), List.of(ids.position(), ids.limit()));
      IntBuffer ints = IntBuffer.wrap(rows.ids).slice(2 * IDS, 3 * IDS).asReadOnlyBuffer();
      assertScores(rows.part(2, 5), session.infer(dense.asReadOnlyBuffer(), ints));
    }
  }

  @Test
  void infer_everyBatchSize_scoresEveryRow() {
    try (Session session = ranker(INT64).newSession()) {
      for (int count = 1; count <= MAX_BATCH; count++) {
        Rows rows = new Rows(count);
        assertScores(rows, session.infer(rows.dense, rows.ids));
      }
    }
  }

  @Test
  void views_writtenAndRead_scoreWithoutCopies() {
    try (Session session = ranker(INT64).newSession()) {
      FloatBuffer dense = session.input("dense").floats();
      LongBuffer ids = session.input("ids").longs();
      FloatBuffer scores = session.output("score").floats();
      for (int count : new int[] {5, MAX_BATCH, 1}) {
        Rows rows = new Rows(count);
        dense.clear().put(rows.dense);
        ids.clear().put(rows.longIds());
        session.run(count);
        float[] read = new float[scores.remaining()];
        scores.get(read);
        assertScores(rows, read);
      }
      assertSame(dense, session.input("dense").floats());
      assertSame(scores, session.output("score").floats());
      assertTrue(dense.isDirect() && scores.isDirect());
      assertEquals(MAX_BATCH * DENSE, dense.capacity());
    }
  }

  @Test
  void view_ofIdsOf32Bits_isOfInts() {
    try (Session session = ranker(INT32).newSession()) {
      Rows rows = new Rows(3);
      session.input("ids").ints().put(rows.ids);
      session.input("dense").put(rows.dense);
      session.run(3);
      assertScores(rows, session.output("score").toFloatArray());
    }
  }

  @ParameterizedTest
  @MethodSource("freeAndFixedBatch")
  void view_writtenOnce_keepsItsRowsWhileFewerAreRun(long batch) {
    try (Engine engine = engines.open(OnnxModels.ranker(INT64, batch), options());
        Session session = engine.newSession()) {
      Rows rows = new Rows(8);
      session.input("dense").floats().put(rows.dense);
      session.input("ids").longs().put(rows.longIds());
      for (int count : new int[] {8, 3, 8, 1, 8}) {
        session.run(count);
        assertScores(rows.part(0, count), session.output("score").toFloatArray());
      }
    }
  }

  static Stream<Long> freeAndFixedBatch() {
    return Stream.of(BATCH, 8L);
  }

  @Test
  void row_inAnyBatchAtAnyPlace_hasTheSameScore() {
    try (Session session = ranker(INT64).newSession()) {
      Rows all = new Rows(MAX_BATCH);
      float[] scores = session.infer(all.dense, all.ids);
      for (int from = 0; from < MAX_BATCH; from++) {
        for (int to = from + 1; to <= MAX_BATCH; to++) {
          Rows rows = all.part(from, to);
          float[] again = session.infer(rows.dense, rows.ids);
          assertArrayEquals(
              Arrays.copyOfRange(scores, from, to), again, (float) tolerance(), from + " to " + to);
        }
      }
    }
  }

  @ParameterizedTest
  @MethodSource("freeAndFixedBatch")
  void rowsLeftByAnEarlierCall_whateverTheyHold_changeNoScore(long batch) {
    try (Engine engine = engines.open(OnnxModels.ranker(INT64, batch), options());
        Session session = engine.newSession()) {
      Rows rows = new Rows(3);
      float[] scores = session.infer(rows.dense, rows.ids);
      for (float value : new float[] {Float.NaN, Float.POSITIVE_INFINITY, Float.MAX_VALUE}) {
        Rows poison = new Rows(8);
        Arrays.fill(poison.dense, value);
        session.infer(poison.dense, poison.ids);
        assertArrayEquals(scores, session.infer(rows.dense, rows.ids));
      }
      for (long id : new long[] {VOCABULARY, Long.MAX_VALUE, Long.MIN_VALUE}) {
        long[] ids = new Rows(8).longIds();
        Arrays.fill(ids, 3 * IDS, ids.length, id);
        answerOrFail(() -> session.infer(new Rows(8).dense, ids));
        assertArrayEquals(scores, session.infer(rows.dense, rows.ids), "after id " + id);
      }
    }
  }

  @Test
  void nan_inOneRow_staysInThatRow() {
    try (Session session = ranker(INT64).newSession()) {
      Rows rows = new Rows(7);
      float[] scores = session.infer(rows.dense, rows.ids);
      rows.dense[2 * DENSE] = Float.NaN;
      float[] poisoned = session.infer(rows.dense, rows.ids);
      assertTrue(Float.isNaN(poisoned[2]), "NaN is not hidden");
      poisoned[2] = scores[2];
      assertArrayEquals(scores, poisoned);
    }
  }

  @Test
  void inputOfThreeDimensions_isReadRowMajor() {
    try (Engine engine = engines.open(OnnxModels.history(3, 2), options());
        Session session = engine.newSession()) {
      assertEquals("['history' FLOAT32[batch, 3, 2]]", engine.inputs().toString());
      assertEquals("['interest' FLOAT32[batch, 2]]", engine.outputs().toString());
      float[][] rows = {{1, 10, 2, 20, 3, 30}, {4, 40, 5, 50, 6, 60}};
      session.input("history").put(rows);
      session.run(2);
      assertArrayEquals(new float[] {6, 60, 15, 150}, session.output("interest").toFloatArray());
    }
  }

  @Test
  void outputs_ofSeveralTypesAndRanks_areReadByName() {
    try (Engine engine = engines.open(OnnxModels.manyOutputs(), options());
        Session session = engine.newSession()) {
      assertEquals(
          "['sum' FLOAT32[batch], 'best' INT64[batch], 'best32' INT32[batch], 'twice' FLOAT32[batch, 4]]",
          engine.outputs().toString());
      session.input("x").put(new float[] {1, 8, 2, 4, 16, 2, 1, 1, 0, 1, 2, 32});
      session.run(3);
      assertArrayEquals(new float[] {15, 20, 35}, session.output("sum").toFloatArray());
      assertArrayEquals(new long[] {1, 0, 3}, session.output("best").toLongArray());
      assertArrayEquals(new long[] {1, 0, 3}, session.output("best32").toLongArray());
      assertEquals(LongBuffer.wrap(new long[] {1, 0, 3}), session.output("best").longs());
      assertEquals(IntBuffer.wrap(new int[] {1, 0, 3}), session.output("best32").ints());
      assertArrayEquals(
          new float[] {2, 16, 4, 8, 32, 4, 2, 2, 0, 2, 4, 64},
          session.output("twice").toFloatArray());
    }
  }

  @Test
  void tensorsWithoutBatch_haveTheSameSizeInEveryRun() {
    try (Engine engine = engines.open(OnnxModels.withoutBatch(), options().padding(false));
        Session session = engine.newSession()) {
      assertEquals(
          "['y' FLOAT32[batch, 2], 'total' FLOAT32[], 'columns' FLOAT32[2]]",
          engine.outputs().toString());
      for (int rows = 1; rows <= 5; rows++) {
        float[] x = new float[rows * 2];
        Arrays.fill(x, 2);
        session.input("x").put(x);
        session.input("scale").put(new float[] {1, 4});
        session.run(rows);
        assertEquals(rows * 2, session.output("y").toFloatArray().length);
        assertEquals(8, session.output("y").floats().get(1));
        assertArrayEquals(new float[] {4 * rows}, session.output("total").toFloatArray());
        assertArrayEquals(
            new float[] {2 * rows, 2 * rows}, session.output("columns").toFloatArray());
      }
    }
  }

  @Test
  void scalarInput_takesOneValue() {
    try (Engine engine = engines.open(OnnxModels.scalarInput(), options());
        Session session = engine.newSession()) {
      assertEquals("'factor' FLOAT32[]", engine.inputs().get(1).toString());
      session.input("x").put(new float[] {1, 2, 3, 4});
      session.input("factor").put(new float[] {8});
      session.run(2);
      assertArrayEquals(new float[] {8, 16, 24, 32}, session.output("y").toFloatArray());
      assertRefused(
          () -> session.input("factor").put(new float[] {8, 8}),
          "input 'factor' FLOAT32[] has no batch: 1 values wanted, 2 given");
    }
  }

  @Test
  void fixedBatch_withPadding_takesFewerRows() {
    try (Engine engine = engines.open(OnnxModels.ranker(INT32, 8), options());
        Session session = engine.newSession()) {
      assertEquals(List.of(1, 8), List.of(engine.minBatch(), engine.maxBatch()));
      assertEquals("'dense' FLOAT32[batch, 4]", engine.inputs().get(0).toString());
      for (int count : new int[] {8, 1, 7, 2, 6, 3, 5, 4}) {
        Rows rows = new Rows(count);
        assertScores(rows, session.infer(rows.dense, rows.ids));
      }
      Rows tooMany = new Rows(9);
      assertRefused(
          () -> session.infer(tooMany.dense, tooMany.ids),
          "input 'dense' FLOAT32[batch, 4]: 9 rows given; model.onnx on "
              + device()
              + " takes 1 to 8 rows a call, 8 being the batch that it was exported with; split larger requests");
    }
  }

  @Test
  void fixedBatch_withoutPadding_takesExactlyThatManyRows() {
    try (Engine engine = engines.open(OnnxModels.ranker(INT32, 8), options().padding(false));
        Session session = engine.newSession()) {
      assertEquals(List.of(8, 8), List.of(engine.minBatch(), engine.maxBatch()));
      Rows rows = new Rows(8);
      assertScores(rows, session.infer(rows.dense, rows.ids));
      assertRefused(
          () -> session.infer(new Rows(7).dense, new Rows(7).ids),
          "input 'dense' FLOAT32[batch, 4]: 7 rows given; model.onnx on "
              + device()
              + " takes exactly 8 rows a call, the batch that it was exported with");
      assertScores(rows, session.infer(rows.dense, rows.ids));
    }
  }

  @Test
  void fixedBatch_aboveMaxBatch_takesNoMoreThanMaxBatch() {
    try (Engine engine = engines.open(OnnxModels.ranker(INT32, 8), options().maxBatch(3));
        Session session = engine.newSession()) {
      assertEquals(List.of(1, 3), List.of(engine.minBatch(), engine.maxBatch()));
      Rows rows = new Rows(3);
      assertScores(rows, session.infer(rows.dense, rows.ids));
      assertRefused(
          () -> session.infer(new Rows(4).dense, new Rows(4).ids),
          "4 rows given",
          "raise maxBatch");
    }
  }

  @Test
  void rowsThatDependOnEachOther_withoutPadding_seeOnlyTheirRequest() {
    try (Engine engine = engines.open(OnnxModels.softmaxOverRows(), options().padding(false));
        Session session = engine.newSession()) {
      for (int rows = MAX_BATCH; rows >= 1; rows--) {
        session.input("x").put(new float[rows]);
        session.run(rows);
        float[] even = new float[rows];
        Arrays.fill(even, 1f / rows);
        assertArrayEquals(
            even, session.output("share").toFloatArray(), (float) tolerance(), rows + " rows");
      }
    }
  }

  @ParameterizedTest
  @EnumSource(names = {"FLOAT16", "BFLOAT16"})
  void halfFloats_areGivenAndReadAsFloats(OnnxModel.Type type) {
    assertHalfFloats(OnnxModels.identity(type, BATCH, 3), 1);
  }

  @Test
  void halfFloats_computedWith_areGivenAndReadAsFloats() {
    assertHalfFloats(OnnxModels.doubled(FLOAT16, BATCH, 3), 2);
  }

  private void assertHalfFloats(OnnxModel model, float factor) {
    try (Engine engine = engines.open(model, options());
        Session session = engine.newSession()) {
      assertTrue(engine.inputs().get(0).type().isFloat());
      // all of them are in both types
      float[] values = {0.5f, -1.25f, 96, -0.0f, 0.0078125f, 3};
      session.input("x").put(values);
      session.run(2);
      float[] read = session.output("y").toFloatArray();
      for (int i = 0; i < values.length; i++) {
        assertEquals(values[i] * factor, read[i]);
      }
      session.input("x").put(new float[] {1 / 3f, 1e10f, Float.NaN});
      session.run(1);
      read = session.output("y").toFloatArray();
      assertEquals(factor / 3, read[0], 4e-3);
      assertTrue(read[1] > 65504, "large values do not wrap around: " + read[1]);
      assertTrue(Float.isNaN(read[2]));
    }
  }

  @Test
  void engine_tellsWhatItIs() {
    Engine engine = ranker(INT64);
    assertEquals("ranker-INT64.onnx on " + device(), engine.toString());
    assertEquals(device(), engine.device());
    assertEquals(precision(), engine.precision());
    assertEquals(List.of(1, MAX_BATCH), List.of(engine.minBatch(), engine.maxBatch()));
    assertEquals("['dense' FLOAT32[batch, 4], 'ids' INT64[batch, 3]]", engine.inputs().toString());
    assertEquals("['score' FLOAT32[batch, 1]]", engine.outputs().toString());
    try (Session session = engine.newSession()) {
      assertSame(engine, session.engine());
      assertSame(session.input("ids"), session.input("ids"));
      assertEquals(engine.inputs().get(1), session.input("ids").spec());
      assertTrue(session.toString().endsWith("of " + engine), session.toString());
      assertEquals(0, session.output("score").toFloatArray().length, "nothing ran yet");
    }
  }

  // ----------------------------------------------------------------------------- what is refused

  /** A request that does not fit, and what its refusal must say. */
  private record Refusal(String what, Consumer<Session> request, List<String> message) {
    Refusal(String what, Consumer<Session> request, String... message) {
      this(what, request, List.of(message));
    }
  }

  static Stream<Arguments> refusals() {
    String dense = "input 'dense' FLOAT32[batch, 4]";
    String ids = "input 'ids' INT64[batch, 3]";
    String limits = "takes 1 to 16 rows a call; split larger requests or raise maxBatch";
    Rows two = new Rows(2);
    Rows three = new Rows(3);
    Rows many = new Rows(MAX_BATCH + 1);
    return Stream.of(
            new Refusal(
                "floats that make no rows",
                session -> session.infer(new float[7], two.ids),
                dense + ": 7 values given, which is no whole number of rows of 4"),
            new Refusal(
                "ids that make no rows",
                session -> session.infer(two.dense, new int[7]),
                ids + ": 7 values given, which is no whole number of rows of 3"),
            new Refusal(
                "long ids that make no rows",
                session -> session.infer(two.dense, new long[5]),
                ids + ": 5 values given"),
            new Refusal(
                "a buffer that makes no rows",
                session -> session.infer(FloatBuffer.allocate(9), IntBuffer.wrap(two.ids)),
                dense + ": 9 values given"),
            new Refusal(
                "ragged rows of floats",
                session -> session.infer(new float[][] {new float[4], new float[3]}, two.idRows()),
                dense + ": row 1 has 3 values, every row needs 4"),
            new Refusal(
                "ragged rows of ids",
                session -> session.infer(two.denseRows(), new int[][] {new int[3], new int[4]}),
                ids + ": row 1 has 4 values, every row needs 3"),
            new Refusal(
                "an empty row",
                session -> session.infer(two.denseRows(), new long[][] {new long[0], new long[3]}),
                ids + ": row 0 has 0 values, every row needs 3"),
            new Refusal(
                "a row that is null",
                session -> session.infer(new float[][] {new float[4], null}, two.idRows()),
                dense + ": row 1 is null"),
            new Refusal(
                "no values",
                session -> session.infer(new float[0], new int[0]),
                dense + ": no rows given; ranker-INT64.onnx on ",
                limits),
            new Refusal(
                "no rows",
                session -> session.infer(new float[0][], new int[0][]),
                dense + ": no rows given; ranker-INT64.onnx on ",
                limits),
            new Refusal(
                "no ids",
                session -> session.infer(two.dense, new long[0]),
                ids + ": no rows given",
                limits),
            new Refusal(
                "too many rows in one array",
                session -> session.infer(many.dense, many.ids),
                dense + ": 17 rows given; ranker-INT64.onnx on ",
                limits),
            new Refusal(
                "too many rows",
                session -> session.infer(many.denseRows(), many.idRows()),
                dense + ": 17 rows given; ranker-INT64.onnx on ",
                limits),
            new Refusal(
                "too many rows of ids",
                session -> session.infer(two.dense, many.ids),
                ids + ": 17 rows given",
                limits),
            new Refusal(
                "more rows of ids than of floats",
                session -> session.infer(two.dense, three.ids),
                dense + " was given 2 rows, " + ids + " 3"),
            new Refusal(
                "fewer rows of ids than of floats",
                session -> session.infer(three.denseRows(), two.idRows()),
                dense + " was given 3 rows, " + ids + " 2"),
            new Refusal(
                "floats for ids",
                session -> session.input("ids").put(new float[3]),
                ids + " takes int or long ids, floats given"),
            new Refusal(
                "ids for floats",
                session -> session.input("dense").put(new int[4]),
                dense + " takes floats, int or long ids given"),
            new Refusal(
                "long ids for floats",
                session -> session.input("dense").put(new long[][] {new long[4]}),
                dense + " takes floats, int or long ids given"),
            new Refusal(
                "too many rows put",
                session -> session.input("ids").put(many.longIdRows()),
                ids + ": 17 rows given",
                limits),
            new Refusal(
                "an unknown input",
                session -> session.input("age"),
                "has no input 'age'; it has ['dense' FLOAT32[batch, 4], 'ids' INT64[batch, 3]]"),
            new Refusal(
                "an output for an input",
                session -> session.input("score"),
                "has no input 'score'"),
            new Refusal(
                "an unknown output",
                session -> session.output("ctr"),
                "has no output 'ctr'; it has ['score' FLOAT32[batch, 1]]"),
            new Refusal(
                "a view of floats as ids",
                session -> session.input("dense").longs(),
                dense + " has no view as longs"),
            new Refusal(
                "a view of 64-bit ids as 32-bit ids",
                session -> session.input("ids").ints(),
                ids + " has no view as ints"),
            new Refusal(
                "a view of ids as floats",
                session -> session.input("ids").floats(),
                ids + " has no view as floats"),
            new Refusal(
                "scores as longs",
                session -> session.output("score").toLongArray(),
                "output 'score' FLOAT32[batch, 1] cannot be read as longs"),
            new Refusal(
                "a view of scores as ints",
                session -> session.output("score").ints(),
                "output 'score' FLOAT32[batch, 1] cannot be read as ints"),
            new Refusal(
                "a run without inputs",
                session -> session.run(2),
                dense + " was not given; put its values before the run"),
            new Refusal(
                "a run without one of its inputs",
                session -> {
                  session.input("dense").put(two.dense);
                  session.run(2);
                },
                ids + " was not given; put its values before the run"),
            new Refusal(
                "a run of other rows than were given",
                session -> {
                  session.input("dense").put(two.dense);
                  session.input("ids").put(three.ids);
                  session.run(2);
                },
                ids + ": 3 rows given for a run of 2"),
            new Refusal(
                "a run of no rows", session -> session.run(0), "no rows given; ranker", limits),
            new Refusal(
                "a run of fewer than no rows",
                session -> session.run(-1),
                "-1 rows given; ranker",
                limits),
            new Refusal(
                "a run of too many rows",
                session -> session.run(MAX_BATCH + 1),
                "17 rows given; ranker",
                limits))
        .map(refusal -> Arguments.argumentSet(refusal.what(), refusal));
  }

  @ParameterizedTest
  @MethodSource("refusals")
  void request_thatDoesNotFit_isRefusedAndTheSessionWorksOn(Refusal refusal) {
    try (Session session = ranker(INT64).newSession()) {
      Rows rows = new Rows(9);
      float[] scores = session.infer(rows.dense, rows.ids);
      assertRefused(
          () -> refusal.request().accept(session), refusal.message().toArray(String[]::new));
      assertArrayEquals(scores, session.infer(rows.dense, rows.ids));
    }
  }

  private static void assertRefused(Executable request, String... parts) {
    IllegalArgumentException refusal = assertThrows(IllegalArgumentException.class, request);
    assertSays(refusal, parts);
  }

  private static void assertSays(Throwable thrown, String... parts) {
    for (String part : parts) {
      assertTrue(
          thrown.getMessage().contains(part),
          () -> "'" + thrown.getMessage() + "' does not say '" + part + "'");
    }
  }

  @Test
  void put_refused_keepsWhatWasGivenBefore() {
    try (Session session = ranker(INT64).newSession()) {
      Rows rows = new Rows(4);
      session.input("dense").put(rows.dense);
      session.input("ids").put(rows.ids);
      assertRefused(() -> session.input("ids").put(new int[4]), "4 values given");
      assertRefused(() -> session.infer(new float[4], new int[4]), "4 values given");
      assertRefused(() -> session.run(3), "4 rows given for a run of 3");
      session.run(4);
      assertScores(rows, session.output("score").toFloatArray());
    }
  }

  @Test
  void run_again_needsItsInputsAgain() {
    try (Session session = ranker(INT64).newSession()) {
      Rows rows = new Rows(4);
      session.input("dense").put(rows.dense);
      session.input("ids").put(rows.ids);
      session.run(4);
      assertRefused(() -> session.run(4), "input 'dense' FLOAT32[batch, 4] was not given");
    }
  }

  @Test
  void longId_forAModelOf32Bits_isRefusedWhereItDoesNotFit() {
    try (Session session = ranker(INT32).newSession()) {
      Rows rows = new Rows(2);
      long[] ids = rows.longIds();
      float[] scores = session.infer(rows.dense, ids);
      ids[4] = 1L << 32 | ids[4];
      String said =
          "input 'ids' INT32[batch, 3]: id "
              + ids[4]
              + " in row 1, column 1 does not fit the 32 bits of the model's ids";
      assertRefused(() -> session.infer(rows.dense, ids), said);
      assertRefused(() -> session.infer(direct(rows.dense), direct(ids)), said);
      assertRefused(
          () ->
              session.infer(
                  rows.denseRows(), new long[][] {{0, 0, 0}, Arrays.copyOfRange(ids, 3, 6)}),
          said);
      assertArrayEquals(scores, session.infer(rows.dense, rows.ids));
    }
  }

  @ParameterizedTest
  @EnumSource(names = {"INT32", "INT64"})
  void id_outsideTheDeclaredRange_isRefusedInEveryForm(OnnxModel.Type type) {
    try (Engine engine =
            engines.open(OnnxModels.ranker(type), options().idRange("ids", 1, VOCABULARY - 1));
        Session session = engine.newSession()) {
      Rows rows = new Rows(3);
      for (int i = 0; i < rows.ids.length; i++) {
        rows.ids[i] = Math.max(1, rows.ids[i]);
      }
      float[] scores = session.infer(rows.dense, rows.ids);
      for (int bad : new int[] {0, VOCABULARY, -1, Integer.MAX_VALUE, Integer.MIN_VALUE}) {
        Rows wrong = rows.part(0, 3);
        wrong.ids[7] = bad;
        String said =
            "input 'ids' "
                + type
                + "[batch, 3]: id "
                + bad
                + " in row 2, column 1 is outside the declared range of 1 to 9";
        List<Executable> requests =
            List.of(
                () -> session.infer(wrong.dense, wrong.ids),
                () -> session.infer(wrong.dense, wrong.longIds()),
                () -> session.infer(wrong.denseRows(), wrong.idRows()),
                () -> session.infer(wrong.denseRows(), wrong.longIdRows()),
                () -> session.infer(direct(wrong.dense), direct(wrong.ids)),
                () -> session.infer(direct(wrong.dense), direct(wrong.longIds())),
                () -> session.input("ids").put(wrong.ids));
        for (Executable request : requests) {
          assertRefused(request, said);
        }
        assertArrayEquals(scores, session.infer(rows.dense, rows.ids));
      }
    }
  }

  @Test
  void id_writtenIntoAView_isCheckedAgainstTheDeclaredRange() {
    try (Engine engine =
            engines.open(OnnxModels.ranker(INT64), options().idRange("ids", 0, VOCABULARY - 1));
        Session session = engine.newSession()) {
      Rows rows = new Rows(3);
      String said = "in row 1, column 0 is outside the declared range of 0 to 9";
      LongBuffer ids = session.input("ids").longs();
      ids.put(0, rows.longIds()).put(3, VOCABULARY);
      session.input("dense").put(rows.dense);
      assertRefused(() -> session.run(3), "input 'ids' INT64[batch, 3]: id 10 " + said);
      ids.put(3, rows.ids[3]);
      session.run(3);
      assertScores(rows, session.output("score").toFloatArray());

      session.input("dense").put(rows.dense);
      session.input("ids").put(rows.ids);
      ids.put(3, -1);
      assertRefused(() -> session.run(3), "input 'ids' INT64[batch, 3]: id -1 " + said);

      ids.put(3, rows.ids[3]).put(9, -1); // behind the rows of the run
      session.run(3);
      assertScores(rows, session.output("score").toFloatArray());
    }
  }

  @Test
  void idRange_forAnInputThatHasNoIds_isRefusedWhenTheEngineOpens() {
    OnnxModel model = OnnxModels.ranker(INT64);
    assertRefused(
        () -> engines.open(model, options().idRange("item", 0, 9)),
        "model.onnx on " + device() + " has no input 'item'; it has ['dense' FLOAT32[batch, 4]");
    assertRefused(
        () -> engines.open(model, options().idRange("dense", 0, 9)),
        "an id range was declared for input 'dense' FLOAT32[batch, 4]",
        "which takes no ids");
  }

  @Test
  void id_outsideTheTableWithoutADeclaredRange_neverHarmsTheNextCall() {
    try (Session session = ranker(INT64).newSession()) {
      Rows rows = new Rows(6);
      float[] scores = session.infer(rows.dense, rows.ids);
      for (long id :
          new long[] {
            VOCABULARY,
            -1,
            -VOCABULARY - 1,
            1 << 20,
            Integer.MAX_VALUE,
            Long.MAX_VALUE,
            Long.MIN_VALUE
          }) {
        long[] wrong = rows.longIds();
        wrong[7] = id;
        answerOrFail(() -> session.infer(rows.dense, wrong));
        assertArrayEquals(scores, session.infer(rows.dense, rows.ids), "after id " + id);
      }
    }
  }

  /** Any answer will do, or an {@link InferenceException} that says something. */
  private static void answerOrFail(Runnable request) {
    try {
      request.run();
    } catch (InferenceException e) {
      assertTrue(e.getMessage().length() > 20, e.getMessage());
    }
  }

  @Test
  void infer_onAModelOfAnotherKind_namesItsInputsAndOutputs() {
    try (Engine engine = engines.open(OnnxModels.manyOutputs(), options());
        Session session = engine.newSession()) {
      UnsupportedOperationException refusal =
          assertThrows(
              UnsupportedOperationException.class, () -> session.infer(new float[4], new int[4]));
      assertSays(
          refusal,
          "model.onnx on " + device() + " has inputs ['x' FLOAT32[batch, 4]]",
          "outputs ['sum' FLOAT32[batch], 'best' INT64[batch]",
          "use input(name).put(values), run(rows) and output(name)");
    }
  }

  @Test
  void session_thatWouldNeedMoreThanTwoGibibytes_isRefusedWithTheNumbers() {
    assertRefused(
        () -> {
          try (Engine engine =
              engines.open(OnnxModels.identity(FLOAT, BATCH, 65536), options().maxBatch(10_000))) {
            engine.newSession().close();
          }
        },
        "'x' FLOAT32[batch, 65536] needs 2621440000 bytes for 10000 rows",
        "lower maxBatch");
  }

  // ------------------------------------------------------------------------------- what is broken

  private ModelException assertNoModel(Path file, String... parts) {
    ModelException refusal =
        assertThrows(ModelException.class, () -> engines.open(file, options()).close());
    assertSays(refusal, file.getFileName().toString());
    assertSays(refusal, parts);
    return refusal;
  }

  @Test
  void model_thatIsMissing_isRefusedWithItsPath() {
    Path file = engines.path("missing.onnx");
    assertNoModel(file, "model file not found: " + file.toAbsolutePath());
  }

  @Test
  void model_thatIsEmpty_isRefusedWithItsPath() {
    Path file = engines.write("empty.onnx", new byte[0]);
    assertNoModel(file, "model file is empty: " + file.toAbsolutePath());
  }

  @Test
  void model_thatIsAFolder_isRefusedWithItsPath() throws IOException {
    Path folder = Files.createDirectories(engines.path("folder.onnx"));
    assertNoModel(
        folder, "not a file: " + folder.toAbsolutePath() + " is a folder; name the model");
  }

  @Test
  void model_cutOffAnywhere_isRefused() {
    byte[] model = OnnxModels.ranker(INT64).bytes();
    for (int length = 1; length < model.length; length += 1 + length / 20) {
      assertNoModel(engines.write("cut-at-" + length + ".onnx", Arrays.copyOf(model, length)));
    }
    assertNoModel(engines.write("cut-at-the-end.onnx", Arrays.copyOf(model, model.length - 1)));
  }

  @Test
  void model_ofRandomBytes_isRefused() {
    Random random = new Random(1);
    for (int i = 0; i < 50; i++) {
      byte[] noise = new byte[1 + random.nextInt(5000)];
      random.nextBytes(noise);
      assertNoModel(engines.write("noise.onnx", noise));
    }
  }

  @Test
  void model_withDamagedBytes_isRefusedOrAnswers() {
    byte[] model = OnnxModels.ranker(INT64).bytes();
    Random random = new Random(2);
    Rows rows = new Rows(2);
    for (int i = 0; i < 50; i++) {
      byte[] damaged = model.clone();
      damaged[random.nextInt(damaged.length)] = (byte) random.nextInt();
      try (Engine engine = engines.open(engines.write("damaged.onnx", damaged), options());
          Session session = engine.newSession()) {
        answerOrFail(() -> session.infer(rows.dense, rows.ids));
      } catch (ModelException | IllegalArgumentException | UnsupportedOperationException e) {
        assertTrue(e.getMessage().contains("damaged.onnx"), e.getMessage());
      }
    }
  }

  @Test
  void model_thatIsText_isRefused() {
    byte[] text = "<html><body>404 Not Found</body></html>".getBytes(StandardCharsets.UTF_8);
    ModelException refusal = assertNoModel(engines.write("text.onnx", text));
    assertTrue(refusal.getCause() != null || refusal.getMessage().length() > 60, "no reason given");
  }

  @Test
  void model_withAnUnknownOperator_isRefusedWithTheOperator() {
    assertNoModel(
        engines.write("unknown.onnx", OnnxModels.unknownOperator().bytes()), "NoSuchOperator");
  }

  @Test
  void model_withAFreeDimensionBehindTheBatch_isRefusedWithTheInput() {
    assertNoModel(
        engines.write("free.onnx", OnnxModels.freeSecondDimension().bytes()),
        "input 'x' FLOAT32",
        "no definite size in dimension 1",
        "only the first dimension, the batch, may be free");
  }

  @Test
  void model_whoseOutputHasOtherRowsThanTheRequest_isRefusedWithTheOutput() {
    assertNoModel(
        engines.write("rows.onnx", OnnxModels.twoRowsForEach().bytes()),
        "output 'y' FLOAT32",
        "no definite size in dimension 0");
  }

  @ParameterizedTest
  @EnumSource(names = {"DOUBLE", "STRING"})
  void model_withAnInputOfAnotherType_isRefused(OnnxModel.Type type) {
    assertNoModel(
        engines.write("type.onnx", OnnxModels.identity(type, BATCH, 4).bytes()), type.toString());
  }

  @Test
  void model_whoseRowsAreTooLarge_isRefused() {
    assertNoModel(
        engines.write("huge.onnx", OnnxModels.identity(FLOAT, BATCH, 1L << 40).bytes()), "'x'");
    assertNoModel(
        engines.write("huge.onnx", OnnxModels.identity(FLOAT, BATCH, 1 << 20, 1 << 20).bytes()),
        "'x'");
  }

  // -------------------------------------------------------------------------------- how it closes

  @Test
  void session_closed_refusesEveryCallAndNamesItself() {
    Engine engine = ranker(INT64);
    Session session = engine.newSession();
    Rows rows = new Rows(2);
    session.infer(rows.dense, rows.ids);
    String said = session + " is closed";
    session.close();
    session.close();
    List<Executable> calls =
        List.of(
            () -> session.infer(rows.dense, rows.ids),
            () -> session.input("dense").put(rows.dense),
            () -> session.run(2),
            () -> session.output("score").toFloatArray());
    for (Executable call : calls) {
      assertEquals(said, assertThrows(IllegalStateException.class, call).getMessage());
    }
    try (Session next = engine.newSession()) {
      assertScores(rows, next.infer(rows.dense, rows.ids));
    }
  }

  @Test
  void engine_closed_refusesNewSessionsAndCallsInOpenOnes() {
    Engine engine = engines.open(OnnxModels.ranker(INT64), options());
    Session session = engine.newSession();
    Rows rows = new Rows(2);
    session.infer(rows.dense, rows.ids);
    engine.close();
    engine.close();
    String said = "model.onnx on " + device() + " is closed";
    List<Executable> calls =
        List.of(
            engine::newSession,
            () -> session.infer(rows.dense, rows.ids),
            () -> session.input("ids").put(rows.ids),
            () -> session.run(2));
    for (Executable call : calls) {
      assertEquals(said, assertThrows(IllegalStateException.class, call).getMessage());
    }
    session.close();
    session.close();
    assertEquals(said, assertThrows(IllegalStateException.class, engine::newSession).getMessage());
  }

  @Test
  void enginesAndSessions_openedAndClosedOften_workEveryTime() {
    Rows rows = new Rows(3);
    Path model = engines.write("often.onnx", OnnxModels.ranker(INT64).bytes());
    for (int i = 0; i < OPENS / 10; i++) {
      try (Engine engine = engines.open(model, options())) {
        for (int j = 0; j < 10; j++) {
          try (Session session = engine.newSession()) {
            assertScores(rows, session.infer(rows.dense, rows.ids));
          }
        }
      }
    }
  }

  // -------------------------------------------------------------------------------- many at once

  /** Runs tasks at the same time and waits for all of them; the first failure is thrown. */
  private static void together(List<Callable<Void>> tasks) throws Exception {
    ExecutorService threads = Executors.newFixedThreadPool(tasks.size());
    try {
      CountDownLatch start = new CountDownLatch(1);
      List<Future<Void>> running = new ArrayList<>();
      for (Callable<Void> task : tasks) {
        running.add(
            threads.submit(
                () -> {
                  start.await();
                  return task.call();
                }));
      }
      start.countDown();
      for (Future<Void> one : running) {
        one.get(PATIENCE_SECONDS, TimeUnit.SECONDS);
      }
    } finally {
      threads.shutdownNow();
    }
  }

  @Test
  void manySessions_onManyThreads_scoreRight() throws Exception {
    Engine engine = ranker(INT64);
    List<Callable<Void>> tasks = new ArrayList<>();
    for (int worker = 0; worker < 8; worker++) {
      Random random = new Random(worker);
      tasks.add(
          () -> {
            try (Session one = engine.newSession();
                Session other = engine.newSession()) {
              for (int call = 0; call < 200; call++) {
                Rows rows = new Rows(random, 1 + random.nextInt(MAX_BATCH));
                Session session = random.nextBoolean() ? one : other;
                assertScores(rows, session.infer(rows.dense, rows.ids));
              }
            }
            return null;
          });
    }
    together(tasks);
  }

  @Test
  void oneSession_onTwoThreads_answersRightOrNamesBoth() throws Exception {
    try (Session session = ranker(INT64).newSession()) {
      List<Callable<Void>> tasks = new ArrayList<>();
      for (int worker = 0; worker < 2; worker++) {
        Random random = new Random(worker);
        tasks.add(
            () -> {
              for (int call = 0; call < 1000; call++) {
                Rows rows = new Rows(random, 1 + random.nextInt(MAX_BATCH));
                try {
                  assertScores(rows, session.infer(rows.dense, rows.ids));
                } catch (IllegalStateException e) {
                  assertSays(
                      e,
                      session + " is for one thread at a time",
                      "thread '" + Thread.currentThread().getName() + "' called it while thread '");
                }
              }
              return null;
            });
      }
      together(tasks);
      Rows rows = new Rows(3);
      assertScores(rows, session.infer(rows.dense, rows.ids));
    }
  }

  @Test
  void sessionClose_whileItRuns_letsTheCallAnswerOrSaysClosed() throws Exception {
    Engine engine = ranker(INT64);
    Rows rows = new Rows(MAX_BATCH);
    AtomicReference<Session> current = new AtomicReference<>(engine.newSession());
    together(
        List.of(
            () -> {
              for (int round = 0; round < RACES; round++) {
                Session session = current.get();
                useUntilClosed(session, rows);
                session.close(); // as the other thread does, at the same time
                assertTrue(current.compareAndSet(session, engine.newSession()));
              }
              current.getAndSet(null).close();
              return null;
            },
            () -> {
              Random random = new Random(3);
              for (Session session = current.get(); session != null; session = current.get()) {
                spin(random.nextInt(20_000));
                session.close();
              }
              return null;
            }));
  }

  @Test
  void engineClose_whileItsSessionsRun_letsTheCallsAnswerOrSaysClosed() throws Exception {
    Path model = engines.write("race.onnx", OnnxModels.ranker(INT64).bytes());
    Rows rows = new Rows(MAX_BATCH);
    Random random = new Random(4);
    for (int round = 0; round < Math.max(1, RACES / 10); round++) {
      Engine engine = engines.open(model, options());
      int delay = random.nextInt(100_000);
      Callable<Void> worker =
          () -> {
            try (Session session = engine.newSession()) {
              useUntilClosed(session, rows);
            } catch (IllegalStateException e) {
              assertSays(e, "is closed");
            }
            return null;
          };
      together(
          List.of(
              worker,
              worker,
              worker,
              () -> {
                spin(delay);
                engine.close();
                return null;
              }));
    }
  }

  private void useUntilClosed(Session session, Rows rows) {
    try {
      while (true) {
        assertScores(rows, session.infer(rows.dense, rows.ids));
      }
    } catch (IllegalStateException e) {
      assertSays(e, "is closed");
    }
  }

  private static void spin(int times) {
    for (int i = 0; i < times; i++) {
      Thread.onSpinWait();
    }
  }

  // ----------------------------------------------------------------------- warm-up and counting

  @Test
  void open_hasRunTheSmallestAndTheLargestBatch() {
    try (Engine engine = engines.open(OnnxModels.ranker(INT64), options())) {
      EngineStats stats = engine.stats();
      assertTrue(stats.runs() >= 2, stats::toString);
      assertTrue(stats.rows() >= 1 + MAX_BATCH, stats::toString);
      assertEquals(0, stats.paddedRows(), stats::toString);
    }
  }

  @Test
  void open_withIdsThatNoIntHolds_warmsUpWithThem() {
    long far = 1L << 40;
    OnnxModel model =
        new OnnxModel()
            .input("dense", FLOAT, BATCH, 1)
            .input("ids", INT64, BATCH, 1)
            .node("Cast", "ids", "numbers", OnnxModel.Attribute.of("to", FLOAT))
            .node("Mul", "dense numbers", "score")
            .output("score", FLOAT, BATCH, 1);
    try (Engine engine = engines.open(model, options().idRange("ids", far, far + 1));
        Session session = engine.newSession()) {
      assertTrue(engine.stats().runs() > 0);
      assertEquals(1, session.infer(new float[1], new long[] {far}).length);
    }
  }

  @Test
  void stats_countRunsAndRowsOfSessionsOpenAndClosed() {
    try (Engine engine = engines.open(OnnxModels.ranker(INT64), options())) {
      EngineStats before = engine.stats();
      long padded = 0;
      try (Session open = engine.newSession()) {
        for (int count = 1; count <= MAX_BATCH; count++) {
          Rows rows = new Rows(count);
          open.infer(rows.dense, rows.ids);
          try (Session closed = engine.newSession()) {
            closed.infer(rows.dense, rows.ids);
          }
          padded += 2L * paddingOf(count);
        }
        EngineStats stats = engine.stats();
        assertEquals(2 * MAX_BATCH, stats.runs() - before.runs());
        assertEquals(MAX_BATCH * (MAX_BATCH + 1L), stats.rows() - before.rows());
        assertEquals(padded, stats.paddedRows() - before.paddedRows());
        assertEquals(replays() ? 0 : stats.runs(), stats.fallbacks());
      }
    }
  }

  @Test
  void stats_withoutPadding_countRunsThatNoGraphWasCapturedFor() {
    try (Engine engine = engines.open(OnnxModels.ranker(INT64), options().padding(false));
        Session session = engine.newSession()) {
      EngineStats before = engine.stats();
      for (int count : new int[] {1, 2, 3, 4, 5}) {
        Rows rows = new Rows(count);
        session.infer(rows.dense, rows.ids);
      }
      EngineStats stats = engine.stats();
      assertEquals(5, stats.runs() - before.runs());
      assertEquals(0, stats.paddedRows());
      assertEquals(replays() ? 2 : 5, stats.fallbacks() - before.fallbacks());
    }
  }

  @Test
  void stats_ofARequestThatIsRefused_stayAsTheyAre() {
    try (Engine engine = engines.open(OnnxModels.ranker(INT64), options());
        Session session = engine.newSession()) {
      EngineStats before = engine.stats();
      assertThrows(
          IllegalArgumentException.class, () -> session.infer(new float[DENSE + 1], new int[IDS]));
      assertEquals(before, engine.stats());
    }
  }

  /** Tells whether the backend replays graphs, of batches that are powers of two. */
  private boolean replays() {
    return device().type() == Device.Type.GPU;
  }

  private int paddingOf(int rows) {
    return replays() && rows > 1 ? Integer.highestOneBit(rows - 1) * 2 - rows : 0;
  }

  // ------------------------------------------------------------------ what PyTorch says of models

  private Engine family(String family, Reference reference) {
    return engines.shared(family + ".onnx", reference.model(), options().maxBatch(130));
  }

  private void assertAgrees(String family, Reference reference, Session session, int[] rows) {
    double difference = reference.largestDifference(session, rows);
    Differences.add(device().toString(), precision(), family, rows.length, difference);
    if (!(difference <= tolerance())) {
      fail(family + ": " + difference + " over " + rows.length + " rows, at most " + tolerance());
    }
  }

  @ParameterizedTest
  @FieldSource("families")
  void family_everyReferenceBatch_agreesWithPyTorch(String family) throws IOException {
    Reference reference = Reference.load(family);
    try (Session session = family(family, reference).newSession()) {
      for (int batch : Reference.BATCHES) {
        assertAgrees(family, reference, session, Reference.batch(batch));
      }
    }
  }

  @ParameterizedTest
  @FieldSource("families")
  void family_everySizeFrom1To130_agreesWithPyTorch(String family) throws IOException {
    Reference reference = Reference.load(family);
    try (Session session = family(family, reference).newSession()) {
      double largest = 0;
      int rows = 0;
      for (int size = 1; size <= 130; size++) {
        largest =
            Math.max(largest, reference.largestDifference(session, reference.from(rows, size)));
        rows += size;
        assertTrue(largest <= tolerance(), size + " rows of " + family + " differ by " + largest);
      }
      Differences.add(device().toString(), precision(), family, rows, largest);
    }
  }

  /**
   * What lies behind a request's rows in memory fills its bucket on a GPU. Here it is other rows,
   * and then values that are no numbers.
   */
  @ParameterizedTest
  @FieldSource("families")
  void family_whateverFillsItsBucket_scoresEveryRowTheSame(String family) throws IOException {
    Reference reference = Reference.load(family);
    try (Session session = family(family, reference).newSession()) {
      int most = session.engine().maxBatch();
      for (int size = 1; size <= most; size++) {
        int[] rows = reference.from(3 * size, size);
        reference.put(session, reference.from(0, most));
        List<float[]> expected = reference.run(session, rows);
        reference.put(session, reference.from(77, most));
        reference.fillFloats(session, Float.NaN);
        List<float[]> scores = reference.run(session, rows);
        for (int output = 0; output < expected.size(); output++) {
          assertArrayEquals(expected.get(output), scores.get(output), family + ", rows: " + size);
        }
      }
    }
  }

  @ParameterizedTest
  @FieldSource("families")
  void family_rowsOfOneBatchSpreadOverCalls_agreeWithPyTorch(String family) throws IOException {
    Reference reference = Reference.load(family);
    int[] batch = Reference.batch(100);
    try (Session session = family(family, reference).newSession()) {
      for (int size : new int[] {1, 3, 16, 33, 64}) {
        for (int from = 0; from < batch.length; from += size) {
          int[] rows = Arrays.copyOfRange(batch, from, Math.min(batch.length, from + size));
          assertAgrees(family, reference, session, rows);
        }
      }
    }
  }
}
