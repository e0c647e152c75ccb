package dev.rankrt;

import static dev.rankrt.testing.OnnxModel.BATCH;
import static dev.rankrt.testing.OnnxModel.Type.FLOAT;
import static dev.rankrt.testing.OnnxModel.Type.INT64;
import static dev.rankrt.testing.OnnxModels.DENSE;
import static dev.rankrt.testing.OnnxModels.IDS;
import static dev.rankrt.testing.OnnxModels.VOCABULARY;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.rankrt.EngineOptions.Columns;
import dev.rankrt.testing.LeakCheck;
import dev.rankrt.testing.OnnxModel;
import dev.rankrt.testing.OnnxModels;
import dev.rankrt.testing.Reference;
import java.io.IOException;
import java.lang.reflect.Array;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.function.UnaryOperator;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.function.Executable;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.FieldSource;

/** What every backend must do where candidates share a user's inputs, through the API alone. */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
abstract class SharedInputsContract {
  private static final int MAX_BATCH = 100;
  private static final int[] SOME_SIZES = {1, 2, 31, 32, 100};

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

  /** Returns how many ways of sharing each family is tried with; each is built. */
  int splits() {
    return Integer.MAX_VALUE;
  }

  /** Returns by how much two engines of the same model may differ. */
  double tolerance() {
    return switch (precision()) {
      case FP32 -> 1e-5;
      case TF32 -> 2e-3;
      case FP16 -> 1e-2;
      case BF16 -> 4e-2;
    };
  }

  EngineOptions.Builder options() {
    return EngineOptions.builder()
        .device(device())
        .precision(precision())
        .cpuThreads(1)
        .maxBatch(MAX_BATCH);
  }

  @AfterAll
  void closeEngines() {
    engines.close();
  }

  // --------------------------------------------------------------------------------- the families

  /** A way of sharing a model's inputs. */
  private record Sharing(String name, UnaryOperator<EngineOptions.Builder> asked) {}

  private static List<Sharing> sharings(Reference reference) {
    if (reference.inputs().contains("history")) {
      return List.of(
          new Sharing(
              "the user's inputs", o -> o.shared("profile").shared("history").shared("context")),
          new Sharing("parts of them", o -> o.shared("profile", 4, 9).shared("history", 10, 20)),
          new Sharing("the item", o -> o.shared("item").shared("profile", 0, 15)),
          new Sharing("one column", o -> o.shared("history", 3, 4)),
          new Sharing("all but one column", o -> all(o).shared("history", 0, 19)));
    }
    int dense = Array.getLength(reference.input("dense", new int[1]));
    int ids = Array.getLength(reference.input("ids", new int[1]));
    return List.of(
        new Sharing(
            "the first columns",
            o -> o.shared("dense", 0, dense * 3 / 4).shared("ids", 0, ids * 3 / 4)),
        new Sharing("all floats and some ids", o -> o.shared("dense").shared("ids", 2, 9)),
        new Sharing(
            "the last columns", o -> o.shared("dense", dense / 4, dense).shared("ids", 5, ids)),
        new Sharing(
            "ranges in the middle",
            o -> o.shared("dense", 3, 7).shared("ids", 9, 11).shared("ids", 2, 5)),
        new Sharing("all floats", o -> o.shared("dense")),
        new Sharing("all ids", o -> o.shared("ids")),
        new Sharing("one float", o -> o.shared("dense", dense - 1, dense)),
        new Sharing("one id", o -> o.shared("ids", 4, 5)),
        new Sharing("all but one float", o -> o.shared("ids").shared("dense", 1, dense)));
  }

  private static EngineOptions.Builder all(EngineOptions.Builder options) {
    return options.shared("profile").shared("item").shared("context");
  }

  @ParameterizedTest
  @FieldSource("families")
  void family_sharedInEveryWay_scoresAsItDoesWithRepeatedRows(String family) throws IOException {
    Reference reference = Reference.load(family);
    try (Engine dense = engines.open(engines.write(family, reference.model()), options());
        Session repeated = dense.newSession()) {
      List<Sharing> sharings = sharings(reference);
      for (int i = 0; i < Math.min(splits(), sharings.size()); i++) {
        Sharing sharing = sharings.get(i);
        EngineOptions.Builder options = sharing.asked().apply(options());
        try (Engine engine = engines.open(engines.path(family), options);
            Session session = engine.newSession()) {
          int[] sizes = i == 0 ? IntStream.rangeClosed(1, 100).toArray() : SOME_SIZES;
          for (int size : sizes) {
            for (int start = 0; start < size; start += engine.maxBatch()) {
              int rows = Math.min(engine.maxBatch(), size - start);
              Request request = new Request(reference, size, start, rows, options.build());
              float[][] expected = request.repeated(repeated);
              float[][] scores = request.shared(session);
              for (int output = 0; output < scores.length; output++) {
                assertArrayEquals(
                    expected[output],
                    scores[output],
                    (float) tolerance(),
                    family + " sharing " + sharing.name() + ", candidates " + size);
              }
              request.rank(session, scores[0]);
            }
          }
        }
      }
    }
  }

  /** One user's row and some candidates', of which each gives the columns that are its own. */
  private static final class Request {
    private final int rows;
    private final Map<String, List<Columns>> sharing;
    private final Map<String, Object> repeated = new LinkedHashMap<>();
    private final Map<String, Object> shared = new LinkedHashMap<>();

    Request(Reference reference, int user, int start, int rows, EngineOptions options) {
      this.rows = rows;
      this.sharing = options.shared();
      int[] candidates = reference.from(user + start, rows);
      for (String input : reference.inputs()) {
        Object own = reference.input(input, candidates);
        List<Columns> columns = sharing.get(input);
        if (columns == null) {
          repeated.put(input, own);
          shared.put(input, own);
          continue;
        }
        Object one = reference.input(input, new int[] {user});
        int width = Array.getLength(one);
        boolean[] users = new boolean[width];
        Arrays.fill(users, columns.isEmpty());
        columns.forEach(range -> Arrays.fill(users, range.from(), range.to(), true));
        Object all = emptyLike(own, rows * width);
        for (int i = 0; i < rows * width; i++) {
          Array.set(all, i, users[i % width] ? Array.get(one, i % width) : Array.get(own, i));
        }
        repeated.put(input, all);
        if (columns.isEmpty()) {
          shared.put(input, one);
        } else {
          shared.put(input + ".user", picked(one, users, true));
          shared.put(input, picked(own, users, false));
        }
      }
    }

    private static Object emptyLike(Object array, int length) {
      return Array.newInstance(array.getClass().componentType(), length);
    }

    private static Object picked(Object values, boolean[] users, boolean wanted) {
      int[] places =
          IntStream.range(0, Array.getLength(values))
              .filter(i -> users[i % users.length] == wanted)
              .toArray();
      Object picked = emptyLike(values, places.length);
      for (int i = 0; i < places.length; i++) {
        Array.set(picked, i, Array.get(values, places[i]));
      }
      return picked;
    }

    float[][] repeated(Session session) {
      return run(session, repeated);
    }

    float[][] shared(Session session) {
      return run(session, shared);
    }

    private float[][] run(Session session, Map<String, Object> inputs) {
      inputs.forEach((name, values) -> Reference.put(session.input(name), values));
      session.run(rows);
      return session.engine().outputs().stream()
          .map(output -> session.output(output.name()).toFloatArray())
          .toArray(float[][]::new);
    }

    /** Asks for the same scores in one call, where the model is of that kind. */
    void rank(Session session, float[] expected) {
      if (!repeated.keySet().equals(Set.of("dense", "ids"))
          || session.engine().outputs().size() != 1) {
        return;
      }
      float[] scores =
          repeated.get("ids") instanceof int[]
              ? session.rank(
                  part("dense", true, new float[0]),
                  part("ids", true, new int[0]),
                  part("dense", false, new float[0]),
                  part("ids", false, new int[0]))
              : session.rank(
                  part("dense", true, new float[0]),
                  part("ids", true, new long[0]),
                  part("dense", false, new float[0]),
                  part("ids", false, new long[0]));
      assertArrayEquals(expected, scores);
    }

    @SuppressWarnings("unchecked") // of the same type as what there is otherwise
    private <T> T part(String input, boolean users, T none) {
      Object user = shared.get(input + ".user");
      Object whole = shared.get(input);
      boolean wholeIsUsers = user == null && sharing.containsKey(input);
      if (users) {
        return (T) (user != null ? user : wholeIsUsers ? whole : none);
      }
      return (T) (wholeIsUsers ? none : whole);
    }
  }

  // ---------------------------------------------------------------------------------- one model

  private EngineOptions.Builder someShared() {
    return options().shared("dense", 0, 3).shared("ids", 1, 3);
  }

  private Engine ranker(OnnxModel.Type idType, EngineOptions.Builder options) {
    return engines.open(OnnxModels.ranker(idType), options);
  }

  private static void assertScores(int candidates, Random random, Session session, boolean ints) {
    float[] userDense = {random.nextFloat(), random.nextFloat(), random.nextFloat()};
    int[] userIds = random.ints(2, 0, VOCABULARY).toArray();
    float[] dense = new float[candidates];
    int[] ids = random.ints(candidates, 0, VOCABULARY).toArray();
    for (int i = 0; i < candidates; i++) {
      dense[i] = random.nextFloat();
    }
    float[] scores =
        ints
            ? session.rank(userDense, userIds, dense, ids)
            : session.rank(userDense, longs(userIds), dense, longs(ids));
    assertEquals(candidates, scores.length);
    for (int i = 0; i < candidates; i++) {
      double exact =
          OnnxModels.rankerScore(
              new float[] {userDense[0], userDense[1], userDense[2], dense[i]},
              new int[] {ids[i], userIds[0], userIds[1]});
      assertEquals(exact, scores[i], 2e-2, "candidate " + i);
    }
  }

  private static long[] longs(int[] ids) {
    return Arrays.stream(ids).asLongStream().toArray();
  }

  @ParameterizedTest
  @EnumSource(names = {"INT32", "INT64"})
  void rank_withIdsOfEitherType_scoresEveryCandidate(OnnxModel.Type idType) {
    try (Engine engine = ranker(idType, someShared());
        Session session = engine.newSession()) {
      Random random = new Random(3);
      for (int candidates : new int[] {1, 2, 7, 64, 100}) {
        assertScores(candidates, random, session, true);
        assertScores(candidates, random, session, false);
      }
    }
  }

  @Test
  void rank_ofManyUsersAtOnce_givesEachTheScoresOfTheOwnCandidates() throws Exception {
    Random random = new Random(8);
    try (Engine engine = ranker(INT64, someShared());
        Session session = engine.newSession();
        Ranker ranker =
            Ranker.open(
                engines.backends(),
                engines.path("model.onnx"),
                someShared().build(),
                RankerOptions.builder().workers(2).build())) {
      List<float[]> expected = new ArrayList<>();
      List<CompletableFuture<float[]>> answers = new ArrayList<>();
      for (int user = 0; user < 50; user++) {
        int candidates = 1 + random.nextInt(100);
        float[] userDense = {random.nextFloat(), random.nextFloat(), random.nextFloat()};
        float[] dense = new float[candidates];
        long[] userIds = {random.nextInt(VOCABULARY), random.nextInt(VOCABULARY)};
        int[] userInts = {(int) userIds[0], (int) userIds[1]};
        long[] ids = random.longs(candidates, 0, VOCABULARY).toArray();
        int[] ints = Arrays.stream(ids).mapToInt(id -> (int) id).toArray();
        expected.add(session.rank(userDense, userIds, dense, ids));
        answers.add(
            user % 2 == 0
                ? ranker.rankAsync(userDense, userIds, dense, ids)
                : ranker.rankAsync(userDense, userInts, dense, ints));
        assertArrayEquals(expected.get(user), ranker.rank(userDense, userIds, dense, ids));
        assertArrayEquals(expected.get(user), ranker.rank(userDense, userInts, dense, ints));
      }
      for (int user = 0; user < expected.size(); user++) {
        assertArrayEquals(expected.get(user), answers.get(user).get(1, TimeUnit.MINUTES));
      }
      assertThrows(
          UnsupportedOperationException.class, () -> ranker.infer(new float[4], new long[3]));
    }
  }

  @Test
  void rank_ofMoreCandidatesThanARunTakes_isSplitAndJoinedUnlessRowsDependOnEachOther() {
    Random random = new Random(9);
    float[] user = {random.nextFloat(), random.nextFloat(), random.nextFloat()};
    long[] userIds = {random.nextInt(VOCABULARY), random.nextInt(VOCABULARY)};
    float[] dense = new float[250];
    for (int i = 0; i < dense.length; i++) {
      dense[i] = random.nextFloat();
    }
    long[] ids = random.longs(dense.length, 0, VOCABULARY).toArray();
    RankerOptions serving = RankerOptions.builder().workers(2).build();
    try (Engine engine = ranker(INT64, someShared());
        Session session = engine.newSession();
        Ranker ranker =
            Ranker.open(
                engines.backends(), engines.path("model.onnx"), someShared().build(), serving)) {
      float[] scores = ranker.rank(user, userIds, dense, ids);
      assertEquals(dense.length, scores.length);
      for (int from = 0; from < dense.length; from += 100) {
        int to = Math.min(dense.length, from + 100);
        assertArrayEquals(
            session.rank(
                user,
                userIds,
                Arrays.copyOfRange(dense, from, to),
                Arrays.copyOfRange(ids, from, to)),
            Arrays.copyOfRange(scores, from, to));
      }
    }
    EngineOptions unpadded = someShared().padding(false).build();
    try (Ranker ranker =
        Ranker.open(engines.backends(), engines.path("model.onnx"), unpadded, serving)) {
      assertEquals(100, ranker.rank(user, userIds, new float[100], new long[100]).length);
      assertRefused(
          () -> ranker.rank(user, userIds, new float[101], new long[101]), "101 rows given", "100");
    }
  }

  @Test
  void inputs_sharedInPart_areTheCandidatesAndBehindThemTheUsers() {
    try (Engine engine = ranker(INT64, someShared())) {
      assertEquals(
          List.of(
              new TensorSpec("dense", DataType.FLOAT32, Shape.of(Shape.BATCH, 1)),
              new TensorSpec("ids", DataType.INT64, Shape.of(Shape.BATCH, 1)),
              new TensorSpec("dense.user", DataType.FLOAT32, Shape.of(1, 3)),
              new TensorSpec("ids.user", DataType.INT64, Shape.of(1, 2))),
          engine.inputs());
    }
    try (Engine engine = ranker(INT64, options().shared("dense"))) {
      assertEquals(
          List.of(
              new TensorSpec("ids", DataType.INT64, Shape.of(Shape.BATCH, IDS)),
              new TensorSpec("dense", DataType.FLOAT32, Shape.of(1, DENSE))),
          engine.inputs());
    }
  }

  @Test
  void bytesCopiedIn_forFiveHundredCandidates_areAboutAQuarter() {
    OnnxModel model =
        new OnnxModel()
            .input("dense", FLOAT, BATCH, 64)
            .input("ids", INT64, BATCH, 32)
            .longs("columns", new long[] {1}, 1)
            .node("Cast", "ids", "numbers", OnnxModel.Attribute.of("to", FLOAT))
            .node("Concat", "dense numbers", "all", OnnxModel.Attribute.of("axis", 1))
            .node("ReduceSum", "all columns", "score")
            .output("score", FLOAT, BATCH, 1);
    EngineOptions.Builder shared = options().shared("dense", 0, 48).shared("ids", 0, 24);
    try (Engine dense = engines.open(model, options());
        Engine engine = engines.open(model, shared)) {
      assertEquals(256_000, bytes(dense, 500));
      assertEquals(48 * 4 + 24 * 8 + 500 * (16 * 4 + 8 * 8), bytes(engine, 500));
      assertTrue(bytes(engine, 500) <= 0.27 * bytes(dense, 500));
    }
  }

  private static long bytes(Engine engine, int rows) {
    return engine.inputs().stream()
        .mapToLong(input -> input.shape().elements(rows) * input.type().bytes())
        .sum();
  }

  @Test
  void idRange_ofAnInput_holdsForBothItsParts() {
    try (Engine engine = ranker(INT64, someShared().idRange("ids", 0, VOCABULARY - 1));
        Session session = engine.newSession()) {
      float[] user = new float[3];
      float[] dense = new float[2];
      assertRefused(
          () -> session.rank(user, new long[] {1, 77}, dense, new long[2]),
          "'ids.user'",
          "id 77 in row 0, column 1",
          "0 to 9");
      assertRefused(
          () -> session.rank(user, new long[2], dense, new long[] {1, -1}), "'ids'", "id -1");
      assertScores(5, new Random(1), session, false);
    }
  }

  @Test
  void rank_withWhatDoesNotFit_isRefusedAndTheSessionWorksOn() {
    try (Engine engine = ranker(INT64, someShared());
        Session session = engine.newSession()) {
      long[] ids = new long[2];
      float[] user = new float[3];
      float[] dense = new float[2];
      assertRefused(
          () -> session.rank(new float[4], ids, dense, ids), "'dense.user'", "4 values given");
      assertRefused(
          () -> session.rank(new float[6], ids, dense, ids), "'dense.user'", "no batch", "6 given");
      assertRefused(() -> session.rank(user, new long[1], dense, ids), "'ids.user'");
      assertRefused(() -> session.rank(user, ids, new float[3], ids), "3 rows", "'ids'", "2");
      assertRefused(() -> session.rank(user, ids, new float[0], new long[0]), "no rows given");
      assertRefused(
          () -> session.rank(user, ids, new float[101], new long[101]), "101 rows given", "100");
      assertRefused(() -> session.rank(null, ids, dense, ids), "'dense.user'", "null");
      assertScores(5, new Random(2), session, false);
    }
    try (Engine engine = ranker(INT64, options().shared("dense"));
        Session session = engine.newSession()) {
      assertRefused(
          () -> session.rank(new float[4], new long[1], new float[0], new long[6]),
          "userIds must be empty");
      assertRefused(
          () -> session.rank(new float[4], new long[0], new float[8], new long[6]),
          "candidateDense must be empty");
      assertEquals(2, session.rank(new float[4], new long[0], null, new long[6]).length);
    }
  }

  @Test
  void infer_onAnEngineWithSharedInputs_saysToRank() {
    try (Engine engine = ranker(INT64, someShared());
        Session session = engine.newSession()) {
      assertUnsupported(() -> session.infer(new float[4], new long[3]), "'dense.user'", "use rank");
    }
  }

  @Test
  void rank_onAnEngineWithoutSharedInputs_saysToShareThem() {
    try (Engine engine = ranker(INT64, options());
        Session session = engine.newSession()) {
      assertUnsupported(
          () -> session.rank(new float[3], new long[2], new float[1], new long[1]),
          "shared(input, from, to)");
    }
  }

  @Test
  void rank_onAModelOfAnotherKind_saysToGoByName() {
    try (Engine engine = engines.open(OnnxModels.manyOutputs(), options().shared("x", 0, 2));
        Session session = engine.newSession()) {
      assertUnsupported(
          () -> session.rank(new float[2], new long[0], new float[2], new long[0]),
          "'x.user'",
          "input(name)");
    }
  }

  private static void assertUnsupported(Executable call, String... parts) {
    assertSays(assertThrows(UnsupportedOperationException.class, call), parts);
  }

  private static void assertRefused(Executable call, String... parts) {
    assertSays(assertThrows(IllegalArgumentException.class, call), parts);
  }

  private static void assertSays(Throwable thrown, String... parts) {
    for (String part : parts) {
      assertTrue(thrown.getMessage().contains(part), thrown.getMessage() + " lacks " + part);
    }
  }

  private void assertOpenRefused(OnnxModel model, EngineOptions.Builder options, String... parts) {
    assertRefused(() -> engines.open(model, options).close(), parts);
  }

  @Test
  void sharing_whatTheModelDoesNotHave_isRefusedWhenTheEngineOpens() {
    OnnxModel ranker = OnnxModels.ranker(INT64);
    assertOpenRefused(ranker, options().shared("nothing"), "'nothing'", "'dense'", "'ids'");
    assertOpenRefused(
        ranker, options().shared("ids", 1, 4), "'ids'", "columns 1 to 3", "has 0 to 2");
    assertOpenRefused(
        ranker,
        options().shared("ids", 0, 1).shared("ids", 1, 3),
        "'ids'",
        "columns 0 to 2 are all that it has; share the whole input");
    assertOpenRefused(
        ranker, options().shared("dense").shared("ids"), "all inputs", "'dense'", "candidates");
    assertOpenRefused(
        OnnxModels.history(3, 4),
        options().shared("history", 0, 1),
        "'history'",
        "only inputs of two dimensions");
    assertOpenRefused(
        OnnxModels.withoutBatch(), options().padding(false).shared("scale"), "'scale'", "no batch");
    assertOpenRefused(
        OnnxModels.ranker(INT64, 1), options().shared("dense"), "one row a call", "free batch");
  }

  @Test
  void rowsThatDependOnEachOther_sharedInPart_seeTheWholeRequest() {
    OnnxModel model =
        new OnnxModel()
            .input("x", FLOAT, BATCH, 2)
            .node("Softmax", "x", "share", OnnxModel.Attribute.of("axis", 0))
            .output("share", FLOAT, BATCH, 2);
    try (Engine engine = engines.open(model, options().padding(false).shared("x", 0, 1));
        Session session = engine.newSession()) {
      session.input("x").put(new float[] {0, 0, 0, 0});
      session.input("x.user").put(new float[] {5});
      session.run(4);
      float[] quarters = new float[8];
      Arrays.fill(quarters, 0.25f);
      assertArrayEquals(quarters, session.output("share").toFloatArray(), (float) tolerance());
    }
  }

  @Test
  void output_ofTheUserAlone_hasARowForEveryCandidate() {
    OnnxModel model =
        new OnnxModel()
            .input("user", FLOAT, BATCH, 2)
            .input("item", FLOAT, BATCH, 1)
            .node("Neg", "user", "mood")
            .node("Relu", "item", "score")
            .output("mood", FLOAT, BATCH, 2)
            .output("score", FLOAT, BATCH, 1);
    try (Engine engine = engines.open(model, options().shared("user"));
        Session session = engine.newSession()) {
      session.input("user").put(new float[] {1, 2});
      session.input("item").put(new float[] {3, -4, 5});
      session.run(3);
      assertArrayEquals(
          new float[] {-1, -2, -1, -2, -1, -2}, session.output("mood").toFloatArray(), 1e-2f);
      assertArrayEquals(new float[] {3, 0, 5}, session.output("score").toFloatArray(), 1e-2f);
    }
  }
}
