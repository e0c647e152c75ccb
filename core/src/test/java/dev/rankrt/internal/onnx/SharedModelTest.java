package dev.rankrt.internal.onnx;

import static dev.rankrt.testing.OnnxModel.BATCH;
import static dev.rankrt.testing.OnnxModel.Type.FLOAT;
import static dev.rankrt.testing.OnnxModel.Type.INT32;
import static dev.rankrt.testing.OnnxModel.Type.INT64;
import static java.util.stream.Collectors.toSet;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTimeoutPreemptively;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.rankrt.Device;
import dev.rankrt.Engine;
import dev.rankrt.EngineOptions;
import dev.rankrt.EngineOptions.Columns;
import dev.rankrt.ModelException;
import dev.rankrt.Session;
import dev.rankrt.testing.OnnxModel;
import dev.rankrt.testing.OnnxModel.Attribute;
import dev.rankrt.testing.OnnxModels;
import dev.rankrt.testing.Reference;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What the rewritten model is made of, and which models are not rewritten. */
class SharedModelTest {
  @TempDir Path folder;

  private Path written(byte[] model) throws IOException {
    return Files.write(folder.resolve("ranker.onnx"), model);
  }

  private OnnxGraph rewritten(byte[] model, EngineOptions.Builder options) throws IOException {
    Path file = folder.resolve("rewritten.onnx");
    try (SharedModel shared = SharedModel.open(written(model), options.build().shared())) {
      ByteBuffer bytes = ByteBuffer.allocate(Math.toIntExact(shared.size()));
      while (shared.read(bytes) > 0) {
        // read on
      }
      Files.write(file, bytes.array());
    }
    try (ProtoFile proto = ProtoFile.open(file)) {
      return OnnxGraph.read(proto);
    }
  }

  /** Returns the operators that depend on a user and on no candidate, in their order. */
  private static List<String> perUser(OnnxGraph graph, String... users) {
    Set<String> ofUser = new HashSet<>(List.of(users));
    Set<String> ofCandidates = new HashSet<>();
    graph.inputs.stream()
        .map(OnnxGraph.Input::name)
        .filter(name -> !ofUser.contains(name))
        .forEach(ofCandidates::add);
    List<String> operators = new ArrayList<>();
    for (OnnxNode node : graph.nodes) {
      if (node.inputs().stream().anyMatch(ofCandidates::contains)) {
        ofCandidates.addAll(node.outputs());
      } else if (node.inputs().stream().anyMatch(ofUser::contains)) {
        ofUser.addAll(node.outputs());
        operators.add(node.operator());
      }
    }
    return operators;
  }

  private static long count(OnnxGraph graph, String operator) {
    return graph.nodes.stream().filter(node -> node.operator().equals(operator)).count();
  }

  private static EngineOptions.Builder sharing() {
    return EngineOptions.builder().device(Device.cpu());
  }

  private OnnxGraph family(String family, EngineOptions.Builder options) throws IOException {
    return rewritten(Reference.load(family).model(), options);
  }

  // -------------------------------------------------------------------------- what is computed
  // once

  @Test
  void dlrm_sharedInPart_looksTheUsersIdsUpOnceAndMultipliesTheUsersFloatsOnce()
      throws IOException {
    OnnxGraph graph = family("dlrm", sharing().shared("dense", 0, 48).shared("ids", 0, 24));
    assertEquals(List.of("Gemm", "Add", "Gather"), perUser(graph, "dense.user", "ids.user"));
    assertEquals(1, count(graph, "Expand")); // where every vector meets every other
  }

  @Test
  void dlrm_withAllFloatsShared_computesItsBottomOnce() throws IOException {
    OnnxGraph graph = family("dlrm", sharing().shared("dense"));
    assertEquals(
        List.of("Gemm", "Relu", "Gemm", "Relu", "Gemm", "Relu", "Unsqueeze", "Gemm"),
        perUser(graph, "dense"));
    assertEquals(1, count(graph, "Expand"));
  }

  @Test
  void deepfm_sharedInPart_expandsNothing() throws IOException {
    OnnxGraph graph = family("deepfm", sharing().shared("dense", 0, 12).shared("ids", 0, 15));
    assertEquals(0, count(graph, "Expand"));
    List<String> once = perUser(graph, "dense.user", "ids.user");
    assertEquals(2, once.stream().filter("Gather"::equals).count());
    assertEquals(2, once.stream().filter("Gemm"::equals).count());
    assertEquals(3, once.stream().filter("ReduceSum"::equals).count());
  }

  @Test
  void widedeepAndMultitask_sharedInPart_expandNothing() throws IOException {
    for (String family : List.of("widedeep", "multitask")) {
      OnnxGraph graph = family(family, sharing().shared("dense", 0, 9).shared("ids", 0, 12));
      assertEquals(0, count(graph, "Expand"), family);
      // One product of the user's columns for each layer that reads them.
      assertEquals(
          family.equals("widedeep") ? 2 : 6,
          perUser(graph, "dense.user", "ids.user").stream().filter("Gemm"::equals).count());
    }
  }

  @Test
  void din_withAllOfTheUserShared_expandsNothing() throws IOException {
    OnnxGraph graph =
        family("din", sharing().shared("profile").shared("history").shared("context"));
    assertEquals(0, count(graph, "Expand"));
    assertEquals(
        List.of("Gather", "Concat", "MatMul", "Equal", "Not", "Cast", "Sub", "Mul", "Gemm"),
        perUser(graph, "profile", "history", "context"));
  }

  @Test
  void nodes_keepTheirNames_andTheUsersHalvesAreNamedAfterThem() throws IOException {
    Reference reference = Reference.load("multitask");
    OnnxGraph graph =
        rewritten(reference.model(), sharing().shared("dense", 0, 9).shared("ids", 0, 12));
    Set<String> names = graph.nodes.stream().map(OnnxNode::name).collect(toSet());
    Set<String> before;
    try (ProtoFile file = ProtoFile.open(written(reference.model()))) {
      before = OnnxGraph.read(file).nodes.stream().map(OnnxNode::name).collect(toSet());
    }
    before.remove("node_cat"); // what it made is only ever read in halves
    assertTrue(names.containsAll(before), before + " are not all in " + names);
    assertTrue(names.contains("node_linear.user"), names.toString());
    assertEquals("node_linear", SharedModel.layerOf("node_linear.user"));
    assertEquals("node_linear", SharedModel.layerOf("node_linear"));
    assertEquals("node_MatMul_6", SharedModel.layerOf("node_MatMul_6.both"));
  }

  @Test
  void rewriting_twice_givesTheSameBytes() throws IOException {
    Path file = written(Reference.load("din").model());
    Map<String, List<Columns>> shared = sharing().shared("history", 3, 9).build().shared();
    assertArrayEquals(read(file, shared, 1 << 20), read(file, shared, 7));
  }

  /** Reads a rewritten model with a buffer of some size. */
  private static byte[] read(Path file, Map<String, List<Columns>> shared, int buffer)
      throws IOException {
    try (SharedModel model = SharedModel.open(file, shared)) {
      ByteBuffer all = ByteBuffer.allocate(Math.toIntExact(model.size()));
      ByteBuffer some = ByteBuffer.allocate(buffer);
      while (model.read(some) >= 0) {
        all.put(some.flip());
        some.clear();
      }
      assertEquals(0, all.remaining());
      return all.array();
    }
  }

  // ------------------------------------------------------------------------------ unusual models

  @Test
  void weightsInAnotherFile_areFoundWhereTheyWere() throws IOException {
    ByteBuffer weights = ByteBuffer.allocate(3 * Float.BYTES).order(ByteOrder.LITTLE_ENDIAN);
    weights.putFloat(1).putFloat(10).putFloat(100);
    Files.write(folder.resolve("weights.bin"), weights.array());
    OnnxModel model =
        new OnnxModel()
            .input("x", FLOAT, BATCH, 3)
            .floatsInFile("weights", "weights.bin", 3, 1)
            .node("MatMul", "x weights", "y")
            .output("y", FLOAT, BATCH, 1);
    try (Engine engine = Engine.open(written(model.bytes()), sharing().shared("x", 1, 2).build());
        Session session = engine.newSession()) {
      session.input("x").put(new float[] {1, 2, 3, 4});
      session.input("x.user").put(new float[] {5});
      session.run(2);
      assertArrayEquals(new float[] {251, 453}, session.output("y").toFloatArray());
    }
  }

  @Test
  void branch_thatReadsWhatIsTheUsers_seesARowForEveryCandidate() throws IOException {
    OnnxModel branch =
        new OnnxModel().node("Add", "mood item", "sum").outputOfUnknownShape("sum", FLOAT);
    OnnxModel other =
        new OnnxModel()
            .node("Sub", "both item", "difference")
            .outputOfUnknownShape("difference", FLOAT);
    OnnxModel model =
        new OnnxModel()
            .input("user", FLOAT, BATCH, 1)
            .input("item", FLOAT, BATCH, 1)
            .longs("number", new long[] {1})
            .node("Cast", "number", "yes", Attribute.of("to", 9L))
            .node("Neg", "user", "mood")
            .node("Concat", "user item", "both", Attribute.of("axis", 1))
            .node(
                "If",
                "yes",
                "score",
                Attribute.of("then_branch", branch),
                Attribute.of("else_branch", other))
            .output("score", FLOAT, BATCH, 1);
    try (Engine engine = Engine.open(written(model.bytes()), sharing().shared("user").build());
        Session session = engine.newSession()) {
      session.input("user").put(new float[] {5});
      session.input("item").put(new float[] {1, 2, 3});
      session.run(3);
      assertArrayEquals(new float[] {-4, -3, -2}, session.output("score").toFloatArray());
    }
  }

  @Test
  void fixedBatch_thatOnlyTheUsersInputTellsFirst_isTheModels() throws IOException {
    OnnxModel model =
        new OnnxModel()
            .input("user", FLOAT, 3, 2)
            .input("weights", FLOAT, 2)
            .input("item", FLOAT, 3, 2)
            .node("Mul", "item weights", "weighted")
            .node("Add", "weighted user", "y")
            .output("y", FLOAT, 3, 2);
    Path file = written(model.bytes());
    try (Engine engine = Engine.open(file, sharing().shared("user").build());
        Session session = engine.newSession()) {
      assertEquals(3, engine.maxBatch());
      session.input("user").put(new float[] {100, 200});
      session.input("weights").put(new float[] {1, 2});
      session.input("item").put(new float[] {1, 2, 3, 4});
      session.run(2);
      assertArrayEquals(new float[] {101, 204, 103, 208}, session.output("y").toFloatArray());
    }
  }

  @Test
  void prelu_ofTheUsersWithTheCandidatesSlopes_hasARowForEveryCandidate() throws IOException {
    OnnxModel model =
        new OnnxModel()
            .input("user", FLOAT, BATCH, 2)
            .input("slope", FLOAT, BATCH, 2)
            .node("PRelu", "user slope", "y")
            .output("y", FLOAT, BATCH, 2);
    Path file = written(model.bytes());
    float[] expected = {-1, 4, -3, 4};
    try (Engine engine = Engine.open(file, sharing().shared("user").build());
        Session session = engine.newSession()) {
      session.input("user").put(new float[] {-1, 4});
      session.input("slope").put(new float[] {1, 2, 3, 4});
      session.run(2);
      assertArrayEquals(expected, session.output("y").toFloatArray());
    }
    EngineOptions inPart = sharing().shared("user").shared("slope", 1, 2).build();
    try (Engine engine = Engine.open(file, inPart);
        Session session = engine.newSession()) {
      session.input("user").put(new float[] {-1, 4});
      session.input("slope").put(new float[] {1, 3});
      session.input("slope.user").put(new float[] {2});
      session.run(2);
      assertArrayEquals(expected, session.output("y").toFloatArray());
    }
  }

  /** Scores of a model of a user's three floats and a candidate's three, with the user's shared. */
  private float[] ranked(OnnxModel model, float[] user, float... items) throws IOException {
    return ranked(BATCH, model, user, items);
  }

  private float[] ranked(long rows, OnnxModel model, float[] user, float... items)
      throws IOException {
    model.input("user", FLOAT, rows, 3).input("item", FLOAT, rows, 3);
    Path file = written(model.bytes());
    try (Engine engine = Engine.open(file, sharing().shared("user").build());
        Session session = engine.newSession()) {
      session.input("user").put(user);
      session.input("item").put(items);
      session.run(items.length / 3);
      return session.output("y").toFloatArray();
    }
  }

  /** To a boolean, and to 32 bits. */
  @ParameterizedTest
  @CsvSource({"3, 9", "4294967297, 6"})
  void slice_upToANumberThatACastMakesOne_takesWhatTheModelDid(long many, int type)
      throws IOException {
    OnnxModel model =
        new OnnxModel()
            .longs("none", new long[] {0}, 1)
            .longs("many", new long[] {many}, 1)
            .node("Cast", "many", "narrow", Attribute.of("to", type))
            .node("Cast", "narrow", "one", Attribute.of("to", INT64))
            .longs("across", new long[] {1}, 1)
            .node("Slice", "user none one across", "first")
            .node("Concat", "first item", "all", Attribute.of("axis", 1))
            .longs("last", new long[] {3}, 1)
            .node("Gather", "all last", "y", Attribute.of("axis", 1))
            .output("y", FLOAT, BATCH, 1);
    assertArrayEquals(new float[] {6, 9}, ranked(model, new float[] {1, 2, 3}, 4, 5, 6, 7, 8, 9));
  }

  @Test
  void slice_backToTheLeastNumberThatACastTurnsIntoNone_takesWhatTheModelDid() throws IOException {
    OnnxModel model =
        new OnnxModel()
            .longs("back", new long[] {-1}, 1)
            .longs("least", new long[] {Long.MIN_VALUE}, 1)
            .node("Cast", "least", "short", Attribute.of("to", INT32))
            .node("Cast", "short", "none", Attribute.of("to", INT64))
            .longs("across", new long[] {1}, 1)
            .node("Slice", "user back none across back", "others")
            .node("Concat", "others item", "all", Attribute.of("axis", 1))
            .longs("last", new long[] {4}, 1)
            .node("Gather", "all last", "y", Attribute.of("axis", 1))
            .output("y", FLOAT, BATCH, 1);
    assertArrayEquals(new float[] {6, 9}, ranked(model, new float[] {1, 2, 3}, 4, 5, 6, 7, 8, 9));
  }

  @Test
  void shape_thatIsEverySecondNumber_byAStepThatIsComputed_isTheModels() throws IOException {
    OnnxModel model =
        new OnnxModel()
            .longs("numbers", new long[] {-1, 1, 3, 1}, 4)
            .longs("none", new long[] {0}, 1)
            .longs("four", new long[] {4}, 1)
            .longs("one", new long[] {1}, 1)
            .node("Add", "one one", "two")
            .node("Slice", "numbers none four none two", "shape")
            .node("Reshape", "user shape", "folded")
            .node("Mul", "folded item", "y")
            .output("y", FLOAT, BATCH, 3);
    assertArrayEquals(
        new float[] {4, 10, 18, 7, 16, 27}, ranked(model, new float[] {1, 2, 3}, 4, 5, 6, 7, 8, 9));
  }

  @Test
  void normalization_withAScaleForEveryVector_scalesTheUsersAndTheCandidatesEachWithItsOwn()
      throws IOException {
    OnnxModel model =
        new OnnxModel()
            .longs("vectors", new long[] {-1, 1, 3}, 3)
            .node("Reshape", "user vectors", "users")
            .node("Reshape", "item vectors", "items")
            .node("Concat", "users items", "both", Attribute.of("axis", 1))
            .floats("scale", new float[] {2, 2, 2, 4, 4, 4}, 2, 3)
            .node("LayerNormalization", "both scale", "normal", Attribute.of("epsilon", 1f))
            .node("ReduceMax", "normal", "y", Attribute.ofList("axes", 2))
            .output("y", FLOAT, BATCH, 2, 1);
    // Each vector is -a, 0, a; its variance is a square and a third of one less.
    float[] expected = {
      (float) (2 * 3 / Math.sqrt(7)), 0, (float) (2 * 3 / Math.sqrt(7)), (float) (4 * 6 / 5.0)
    };
    assertArrayEquals(expected, ranked(model, new float[] {-3, 0, 3}, 0, 0, 0, -6, 0, 6), 1e-5f);
  }

  @Test
  void oldSoftmax_acrossAllAxes_sumsUpTheUsersAndTheCandidates() throws IOException {
    OnnxModel model =
        new OnnxModel()
            .opset(12)
            .longs("vectors", new long[] {-1, 1, 3}, 3)
            .node("Reshape", "user vectors", "users")
            .node("Reshape", "item vectors", "items")
            .node("Concat", "users items", "both", Attribute.of("axis", 2))
            .node("Softmax", "both", "y", Attribute.of("axis", 1))
            .output("y", FLOAT, BATCH, 1, 6);
    float[] expected = new float[6];
    Arrays.fill(expected, 1 / 6f);
    assertArrayEquals(expected, ranked(model, new float[3], new float[3]), 1e-6f);
  }

  @Test
  void product_withTheRowsTurnedIntoColumns_isTheModels() throws IOException {
    OnnxModel model =
        new OnnxModel()
            .floats("weights", new float[] {1, 2, 3, 10, 20, 30, 100, 200, 300}, 3, 3)
            .node("Gemm", "user weights", "turned", Attribute.of("transA", 1))
            .node("Add", "turned item", "y")
            .output("y", FLOAT, 3, 3);
    float[] expected = {111, 222, 333, 222, 444, 666, 333, 666, 999};
    assertArrayEquals(expected, ranked(3, model, new float[] {1, 2, 3}, new float[9]));
  }

  @Test
  void product_withABiasForEachRow_isTheModels() throws IOException {
    OnnxModel model =
        new OnnxModel()
            .floats("weights", new float[] {1, 0, 0, 0, 1, 0, 0, 0, 1}, 3, 3)
            .floats("bias", new float[] {10, 20, 30, 40, 50, 60}, 2, 3)
            .node("Gemm", "user weights bias", "biased")
            .node("Add", "biased item", "y")
            .output("y", FLOAT, 2, 3);
    float[] expected = {11, 22, 33, 41, 52, 63};
    assertArrayEquals(expected, ranked(2, model, new float[] {1, 2, 3}, new float[6]));
  }

  @ParameterizedTest
  @CsvSource({"ReduceMax, 9, 20", "ReduceMin, 9, 20", "ReduceMax, 7, 11"})
  void reduction_ofATypeThatJoiningDoesNotTake_isTheModels(String operator, int type, int opset)
      throws IOException {
    boolean input = opset >= 18;
    OnnxModel model =
        new OnnxModel()
            .opset(opset)
            .node("Concat", "user item", "all", Attribute.of("axis", 1))
            .node("Cast", "all", "other", Attribute.of("to", type))
            .longs("across", new long[] {1}, 1);
    model =
        input
            ? model.node(operator, "other across", "reduced")
            : model.node(operator, "other", "reduced", Attribute.ofList("axes", 1));
    model.node("Cast", "reduced", "y", Attribute.of("to", FLOAT)).output("y", FLOAT, BATCH, 1);
    float[] expected =
        type == 7
            ? new float[] {1, 9}
            : operator.equals("ReduceMax") ? new float[] {1, 1} : new float[] {0, 0};
    assertArrayEquals(expected, ranked(model, new float[] {0, 1, 1}, 0, 0, 0, 7, 8, 9));
  }

  @Test
  void branch_withATensorNamedAsOneThatIsAdded_staysWhatItWas() throws IOException {
    OnnxModel branch =
        new OnnxModel()
            .node("Neg", "item", "y.user")
            .node("Neg", "y.user", "branch")
            .output("branch", FLOAT, BATCH, 3);
    OnnxModel model =
        new OnnxModel()
            .longs("numbers", new long[] {0}, 1)
            .node("Cast", "numbers", "condition", Attribute.of("to", 9))
            .node("Add", "user user", "y")
            .node(
                "If",
                "condition",
                "chosen",
                Attribute.of("then_branch", branch),
                Attribute.of("else_branch", branch))
            .output("y", FLOAT, BATCH, 3)
            .output("chosen", FLOAT, BATCH, 3);
    assertArrayEquals(
        new float[] {2, 4, 6, 2, 4, 6}, ranked(model, new float[] {1, 2, 3}, 4, 5, 6, 7, 8, 9));
  }

  private void assertRefused(OnnxModel model, EngineOptions.Builder options, String... parts)
      throws IOException {
    Path file = written(model.bytes());
    String message =
        assertThrows(
                ModelException.class,
                () -> SharedModel.open(file, options.build().shared()).close())
            .getMessage();
    for (String part : parts) {
      assertTrue(message.contains(part), message);
    }
  }

  @Test
  void input_thatABranchReads_isRefused() throws IOException {
    OnnxModel branch =
        new OnnxModel().node("Neg", "user", "mood").outputOfUnknownShape("mood", FLOAT);
    OnnxModel model =
        new OnnxModel()
            .input("user", FLOAT, BATCH, 2)
            .input("item", FLOAT, BATCH, 1)
            .longs("number", new long[] {1})
            .node("Cast", "number", "yes", Attribute.of("to", 9L))
            .node(
                "If",
                "yes",
                "mood",
                Attribute.of("then_branch", branch),
                Attribute.of("else_branch", branch))
            .node("Mul", "mood item", "score")
            .output("score", FLOAT, BATCH, 2);
    assertRefused(model, sharing().shared("user"), "'user'", "a branch or a loop");
  }

  @Test
  void input_thatIsAnOutputToo_isRefused() throws IOException {
    OnnxModel model =
        new OnnxModel()
            .input("x", FLOAT, BATCH, 2)
            .node("Neg", "x", "y")
            .output("x", FLOAT, BATCH, 2)
            .output("y", FLOAT, BATCH, 2);
    assertRefused(model, sharing().shared("x", 0, 1), "'x'", "gives it back");
  }

  @Test
  void tensor_withTheNameOfTheUsersPart_isRefused() throws IOException {
    OnnxModel model =
        new OnnxModel()
            .input("x", FLOAT, BATCH, 2)
            .node("Neg", "x", "x.user")
            .output("x.user", FLOAT, BATCH, 2);
    assertRefused(model, sharing().shared("x", 0, 1), "a tensor 'x.user'");
  }

  @Test
  void oldOperators_areRefused() throws IOException {
    OnnxModel model = OnnxModels.doubled(FLOAT, BATCH, 2).opset(10);
    assertRefused(model, sharing().shared("x", 0, 1), "opset 10", "from opset 11 on");
  }

  @Test
  void nodes_outOfOrder_areRefused() throws IOException {
    OnnxModel model =
        new OnnxModel()
            .input("x", FLOAT, BATCH, 2)
            .node("Neg", "y", "z")
            .node("Neg", "x", "y")
            .output("z", FLOAT, BATCH, 2);
    assertRefused(model, sharing().shared("x", 0, 1), "'Neg_to_z' reads 'y'");
  }

  @Test
  void treesWithManyNodes_areReadInNoTime() throws IOException {
    long[] nodes = new long[400_000];
    OnnxModel model =
        new OnnxModel()
            .input("x", FLOAT, BATCH, 2)
            .node("Trees", "x", "y", Attribute.ofList("nodes_treeids", nodes))
            .output("y", FLOAT, BATCH, 2);
    Path file = written(model.bytes());
    Map<String, List<Columns>> shared = sharing().shared("x", 0, 1).build().shared();
    assertTimeoutPreemptively(Duration.ofSeconds(10), () -> SharedModel.open(file, shared).close());
  }

  @Test
  void damagedModels_areRefusedOrRewritten() throws IOException {
    byte[] model = OnnxModels.ranker(INT64).bytes();
    Map<String, List<Columns>> shared = sharing().shared("ids", 0, 1).build().shared();
    Random random = new Random(11);
    for (int i = 0; i < 600; i++) {
      byte[] damaged = model.clone();
      for (int change = 0; change <= i % 3; change++) {
        damaged[random.nextInt(damaged.length)] = (byte) random.nextInt(256);
      }
      Path file = written(damaged);
      try {
        read(file, shared, 4096);
      } catch (ModelException | IllegalArgumentException e) {
        assertTrue(e.getMessage().contains("ranker.onnx"), e.getMessage());
      }
    }
  }
}
