package dev.rankrt.internal.tensorrt;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.rankrt.AccuracyReport;
import dev.rankrt.Device;
import dev.rankrt.Engine;
import dev.rankrt.EngineOptions;
import dev.rankrt.ModelException;
import dev.rankrt.Precision;
import dev.rankrt.Session;
import dev.rankrt.testing.OnnxModel;
import dev.rankrt.testing.OnnxModels;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Properties;
import java.util.Random;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.bytedeco.javacpp.BytePointer;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.io.TempDir;

/** Plans on a GPU: kept, loaded, refused. */
@Tag("gpu")
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class PlanGpuTest {
  private static final float[] DENSE = new float[OnnxModels.DENSE];
  private static final int[] IDS = new int[OnnxModels.IDS];

  /** Two builds of a model may choose different kernels, which round differently. */
  private static final float OTHER_KERNELS = 1e-3f;

  @TempDir static Path folder;
  private Path model;

  /** Its plan, kept among others that tests add. */
  private Path planFile;

  private float score;

  @BeforeAll
  void buildOnce() throws Exception {
    model =
        Files.write(folder.resolve("ranker.onnx"), OnnxModels.ranker(OnnxModel.Type.INT64).bytes());
    Arrays.fill(DENSE, 0.5f);
    score = scoreOf(model, options().build());
    try (var files = Files.list(plans())) {
      planFile = files.filter(file -> file.toString().endsWith(".plan")).findFirst().orElseThrow();
    }
  }

  @AfterAll
  void filesAreGone() throws Exception {
    try (var left = Files.list(plans())) {
      assertTrue(left.noneMatch(file -> file.toString().endsWith(".tmp")));
    }
  }

  private Path plans() {
    return folder.resolve("plans");
  }

  private EngineOptions.Builder options() {
    return EngineOptions.builder()
        .device(Device.gpu(0))
        .precision(Precision.FP16)
        .maxBatch(64)
        .planCache(plans());
  }

  private static float scoreOf(Path file, EngineOptions options) {
    try (Engine engine = Engine.open(file, options);
        Session session = engine.newSession()) {
      return session.infer(DENSE, IDS)[0];
    }
  }

  @Test
  void cachedPlan_openedAgain_isNotBuiltAgain() {
    List<String> steps = new CopyOnWriteArrayList<>();
    assertEquals(score, scoreOf(model, options().buildListener(steps::add).build()));
    assertEquals(List.of(), steps);
  }

  @Test
  void otherOptions_buildTheirOwnPlan() {
    List<String> steps = new CopyOnWriteArrayList<>();
    scoreOf(model, options().maxBatch(32).buildListener(steps::add).build());
    assertTrue(steps.size() > 3, steps.toString());
  }

  @Test
  void oneModel_openedByFourThreadsAtOnce_isBuiltOnce() throws Exception {
    List<String> steps = new CopyOnWriteArrayList<>();
    EngineOptions options =
        options().planCache(folder.resolve("together")).buildListener(steps::add).build();
    ExecutorService threads = Executors.newFixedThreadPool(4);
    try {
      List<Future<Float>> scores = new ArrayList<>();
      for (int i = 0; i < 4; i++) {
        scores.add(threads.submit(() -> scoreOf(model, options)));
      }
      for (Future<Float> one : scores) {
        assertEquals(score, one.get(), OTHER_KERNELS);
      }
    } finally {
      threads.shutdown();
    }
    assertEquals(1, steps.stream().filter(step -> step.startsWith("preparing")).count());
  }

  @Test
  void damagedEntry_isBuiltAgain() throws Exception {
    Path cache = folder.resolve("damaged");
    EngineOptions options = options().planCache(cache).build();
    float first = scoreOf(model, options);
    Path entry;
    try (var files = Files.list(cache)) {
      entry = files.filter(file -> file.toString().endsWith(".plan")).findFirst().orElseThrow();
    }
    byte[] bytes = Files.readAllBytes(entry);
    bytes[bytes.length / 2] ^= 1;
    Files.write(entry, bytes);
    float rebuilt = scoreOf(model, options);
    assertEquals(first, rebuilt, OTHER_KERNELS);
    assertEquals(rebuilt, scoreOf(model, options));
  }

  @Test
  void planFile_opensDirectly_withItsPrecisionAndItsAccuracy() throws Exception {
    try (Engine engine =
            Engine.open(planFile, EngineOptions.builder().device(Device.gpu(0)).build());
        Session session = engine.newSession()) {
      assertEquals(score, session.infer(DENSE, IDS)[0]);
      assertEquals(Precision.FP16, engine.precision());
      assertEquals(64, engine.maxBatch());
      AccuracyReport report = engine.accuracy().orElseThrow();
      assertTrue(report.maxDifference() < 5e-3, report.toString());
      assertTrue(report.rows() > 0 && !report.given(), report.toString());
    }
  }

  @Test
  void planWithoutOurHeader_asOtherToolsWriteIt_opens() throws Exception {
    Path bare = folder.resolve("bare.plan");
    try (Plan plan = Plan.read(planFile)) {
      byte[] bytes = new byte[(int) plan.size()];
      new BytePointer(plan.data()).get(bytes);
      Files.write(bare, bytes);
    }
    assertEquals(
        score,
        scoreOf(
            bare, EngineOptions.builder().device(Device.gpu(0)).precision(Precision.FP16).build()),
        OTHER_KERNELS);
    // What other tools write has no checksum: TensorRT itself has to notice.
    byte[] bytes = Files.readAllBytes(bare);
    for (int length : new int[] {4, 100, bytes.length / 2, bytes.length - 1}) {
      Path cut = Files.write(folder.resolve("cut.plan"), Arrays.copyOf(bytes, length));
      ModelException refusal =
          assertThrows(ModelException.class, () -> scoreOf(cut, options().build()));
      assertTrue(refusal.getMessage().contains("cut.plan"), refusal.getMessage());
      assertTrue(refusal.getMessage().contains("TensorRT"), refusal.getMessage());
    }
    byte[] noise = new byte[bytes.length];
    new Random(3).nextBytes(noise);
    System.arraycopy(bytes, 0, noise, 0, 4);
    Path random = Files.write(folder.resolve("noise.plan"), noise);
    assertThrows(ModelException.class, () -> scoreOf(random, options().build()));
  }

  @Test
  void planForAnotherMachine_isRefusedWithBoth() throws Exception {
    for (String[] change :
        new String[][] {
          {Plan.TENSORRT, "8.6.1"}, {Plan.GPU, "NVIDIA L4, compute capability 8.9"}
        }) {
      Path foreign = folder.resolve("foreign.plan");
      try (Plan plan = Plan.read(planFile)) {
        Properties header = new Properties();
        header.putAll(plan.header());
        header.setProperty(change[0], change[1]);
        new Plan(header, plan.data(), plan.size(), () -> {}).write(foreign);
      }
      ModelException refusal =
          assertThrows(ModelException.class, () -> scoreOf(foreign, options().build()));
      assertTrue(refusal.getMessage().contains(change[1]), refusal.getMessage());
      assertTrue(
          refusal.getMessage().contains("here is TensorRT " + TensorRt.load().version()),
          refusal.getMessage());
    }
  }

  @Test
  void pinnedLayerThatDoesNotExist_isNamed() {
    ModelException refusal =
        assertThrows(
            ModelException.class,
            () ->
                scoreOf(
                    model,
                    options().withoutPlanCache().pin("no such layer", Precision.FP32).build()));
    assertTrue(refusal.getMessage().contains("no such layer"), refusal.getMessage());
  }

  @Test
  void timingCache_isWrittenAndUsed() throws Exception {
    Path timings = folder.resolve("timings");
    scoreOf(model, options().withoutPlanCache().timingCache(timings).build());
    assertTrue(Files.size(timings) > 0);
    assertEquals(
        score,
        scoreOf(model, options().withoutPlanCache().timingCache(timings).build()),
        OTHER_KERNELS);
    Files.write(timings, ByteBuffer.allocate(100).array());
    assertEquals(
        score,
        scoreOf(model, options().withoutPlanCache().timingCache(timings).build()),
        OTHER_KERNELS);
  }

  @Test
  void plan_withSharedInputs_isKeptOnItsOwn_andOpensWithTheSameOnesAlone() throws Exception {
    Path cache = folder.resolve("shared");
    EngineOptions.Builder sharing = options().planCache(cache).shared("dense", 0, 3).shared("ids");
    try (Engine engine = Engine.open(model, sharing.build());
        Session session = engine.newSession()) {
      long[] ids = Arrays.stream(IDS).asLongStream().toArray();
      float[] user = Arrays.copyOf(DENSE, 3);
      float[] scores = session.rank(user, ids, new float[] {DENSE[3], DENSE[3]}, new long[0]);
      assertEquals(score, scores[0], OTHER_KERNELS);
      assertEquals(scores[0], scores[1]);
    }
    try (var kept = Files.list(cache)) {
      Path plan = kept.filter(file -> file.toString().endsWith(".plan")).findFirst().orElseThrow();
      Engine.open(plan, sharing.build()).close();
      String message =
          assertThrows(ModelException.class, () -> Engine.open(plan, options().build()))
              .getMessage();
      assertTrue(message.contains("{dense=[0 to 2], ids=[]}"), message);
    }
  }

  @Test
  void pin_ofALayerThatBecameTwo_holdsForBoth() {
    EngineOptions.Builder sharing = options().withoutPlanCache().shared("dense", 0, 3);
    sharing.pin("MatMul_to_dense_part", Precision.FP32);
    try (Engine engine = Engine.open(model, sharing.build())) {
      assertEquals(Precision.FP16, engine.precision());
    }
  }
}
