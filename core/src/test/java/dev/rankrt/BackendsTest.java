package dev.rankrt;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import ai.onnxruntime.OrtEnvironment;
import dev.rankrt.natives.CudaException;
import dev.rankrt.natives.NativeLoadException;
import dev.rankrt.streams.WaitPolicy;
import dev.rankrt.testing.CapturedLog;
import dev.rankrt.testing.FakeBackend;
import dev.rankrt.testing.Forked;
import dev.rankrt.testing.OnnxModel;
import dev.rankrt.testing.OnnxModels;
import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CountDownLatch;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.slf4j.LoggerFactory;
import org.slf4j.simple.SimpleLogger;

class BackendsTest {
  private final String withoutOnnxRuntime =
      Forked.classPathOf(
          WaitPolicy.class,
          BackendsTest.class,
          Engine.class,
          NativeLoadException.class,
          LoggerFactory.class,
          SimpleLogger.class);
  private final String withOnnxRuntime =
      withoutOnnxRuntime + File.pathSeparator + Forked.classPathOf(OrtEnvironment.class);

  private final FakeBackend gpu = new FakeBackend("TensorRT", Device.Type.GPU);
  private final FakeBackend cpu = new FakeBackend("ONNX Runtime", Device.Type.CPU);
  private final Backends both = new Backends(List.of(cpu, gpu));

  @TempDir Path folder;
  private Path model;

  @BeforeEach
  void writeModel() throws IOException {
    model = Files.write(folder.resolve("ranker.onnx"), new byte[] {1});
  }

  @AfterEach
  void everyEngineWasClosed() {
    assertEquals(0, gpu.openEngines.get() + cpu.openEngines.get());
    assertEquals(0, gpu.broken.get() + cpu.broken.get());
  }

  private static EngineOptions on(Device device) {
    return EngineOptions.builder().device(device).build();
  }

  /** Opens with {@link Device#auto} and returns the one line that was logged. */
  private String chosen(Device expected) {
    try (CapturedLog log = new CapturedLog();
        Engine engine = both.open(model, on(Device.auto()))) {
      assertEquals(expected, engine.device());
      assertEquals(1, log.lines().size(), log.lines().toString());
      return log.lines().get(0);
    }
  }

  private NativeLoadException refused(Backends backends, Device device) {
    return assertThrows(NativeLoadException.class, () -> backends.open(model, on(device)));
  }

  @Test
  void auto_whereEverythingWorks_takesTheGpuAndSaysSo() {
    String line = chosen(Device.gpu(0));
    assertTrue(
        line.endsWith(
            "ranker.onnx on gpu:0 through TensorRT, in FP32: everything that it needs works"),
        line);
    assertEquals(0, cpu.opens.get());
  }

  @Test
  void auto_withoutAGpu_takesTheCpuAndSaysWhyOnOneLine() {
    gpu.unavailable = Optional.of("no driver; install one");
    String line = chosen(Device.cpu());
    assertTrue(
        line.endsWith(
            "ranker.onnx on cpu through ONNX Runtime, in FP32: not on gpu:0 (TensorRT): no driver; install one"),
        line);
    assertEquals(0, gpu.opens.get());
  }

  @Test
  void auto_whereTheGpuBackendIsMissing_saysSo() {
    try (CapturedLog log = new CapturedLog();
        Engine engine = new Backends(List.of(cpu)).open(model, on(Device.auto()))) {
      assertEquals(Device.cpu(), engine.device());
      assertTrue(
          log.lines().get(0).endsWith(": not on gpu:0: no backend for it is on the class path"),
          log.lines().toString());
    }
  }

  @Test
  void auto_whereTheGpuFailsToLoad_takesTheCpuAndSaysWhy() {
    gpu.openFailure = new NativeLoadException("no builder resource for sm_90");
    assertTrue(chosen(Device.cpu()).contains("not on gpu:0 (TensorRT): no builder resource"));
    gpu.openFailure =
        new CudaException("cudaMalloc: out of memory", 2, "cudaErrorMemoryAllocation");
    assertTrue(chosen(Device.cpu()).contains("not on gpu:0 (TensorRT): cudaMalloc: out of memory"));
    assertEquals(2, gpu.opens.get());
  }

  @Test
  void auto_whereTheModelIsAtFault_doesNotTryTheCpu() {
    gpu.openFailure = new ModelException("ranker.onnx: unknown operator");
    assertSame(
        gpu.openFailure,
        assertThrows(ModelException.class, () -> both.open(model, on(Device.auto()))));
    assertEquals(0, cpu.opens.get());
  }

  @Test
  void auto_whereNothingWorks_joinsAllReasons() {
    gpu.unavailable = Optional.of("no driver");
    cpu.unavailable = Optional.of("add onnxruntime");
    assertEquals(
        model
            + " cannot run here. not on gpu:0 (TensorRT): no driver; not on cpu (ONNX Runtime): add onnxruntime",
        refused(both, Device.auto()).getMessage());
  }

  @Test
  void auto_withoutAnyBackend_saysSo() {
    assertEquals(
        model
            + " cannot run here. not on gpu:0: no backend for it is on the class path; not on cpu: no backend for it is on the class path",
        refused(new Backends(List.of()), Device.auto()).getMessage());
  }

  @Test
  void gpu_insistedOn_failsWithItsReasonAndNeverTakesTheCpu() {
    gpu.unavailable = Optional.of("no driver");
    assertEquals(
        model + " cannot run on gpu:1: TensorRT: no driver",
        refused(both, Device.gpu(1)).getMessage());
    gpu.unavailable = Optional.empty();
    gpu.openFailure = new NativeLoadException("no builder resource");
    assertSame(gpu.openFailure, refused(both, Device.gpu(1)));
    assertEquals(0, cpu.opens.get());
  }

  @Test
  void device_withoutABackend_failsSayingSo() {
    assertEquals(
        model + " cannot run on gpu:0: no backend for it is on the class path",
        refused(new Backends(List.of(cpu)), Device.gpu(0)).getMessage());
  }

  @Test
  void cpu_insistedOn_leavesTheGpuAlone() {
    try (CapturedLog log = new CapturedLog();
        Engine engine = both.open(model, on(Device.cpu()))) {
      assertEquals(Device.cpu(), engine.device());
      assertEquals(List.of(), log.lines());
    }
    assertEquals(0, gpu.opens.get());
  }

  @Test
  void severalBackendsForADevice_areTriedInTheirOrder() {
    FakeBackend other = new FakeBackend("other", Device.Type.CPU);
    cpu.unavailable = Optional.of("missing");
    try (Engine engine = new Backends(List.of(cpu, other)).open(model, on(Device.cpu()))) {
      assertEquals(1, other.openEngines.get());
      assertEquals(Device.cpu(), engine.device());
    }
    assertEquals(0, other.openEngines.get());
  }

  @Test
  void engine_refusedForItsOptions_isFreed() {
    EngineOptions options = EngineOptions.builder().idRange("none", 0, 1).build();
    assertThrows(IllegalArgumentException.class, () -> both.open(model, options));
    assertEquals(1, gpu.opens.get());
    assertEquals(0, gpu.openEngines.get());
  }

  @Test
  void warmUp_withIdsThatNeed64Bits_leavesTheEngineReady() {
    cpu.buckets = List.of(1, 2);
    long id = 1L << 40;
    try (Engine engine =
            both.open(
                model,
                EngineOptions.builder().device(Device.cpu()).idRange("ids", id, id + 9).build());
        Session session = engine.newSession()) {
      assertArrayEquals(new float[] {id}, session.infer(new float[1], new long[] {id}));
    }
  }

  @Test
  void warmUp_thatTheModelRefuses_leavesTheEngineReady() {
    cpu.buckets = List.of(1, 2);
    cpu.duringRun =
        rows -> {
          throw new InferenceException("scripted: an id is outside its table");
        };
    try (Engine engine = both.open(model, on(Device.cpu()));
        Session session = engine.newSession()) {
      cpu.duringRun = rows -> {};
      assertArrayEquals(new float[] {3}, session.infer(new float[1], new long[] {3}));
    }
  }

  @Test
  void session_ofAWarmEngine_hasNoResultsBeforeItsFirstRun() {
    cpu.buckets = List.of(1, 2);
    try (Engine engine = both.open(model, on(Device.cpu()));
        Session session = engine.newSession()) {
      assertEquals(0, session.output("score").toFloatArray().length);
      assertEquals(0, session.output("score").floats().remaining());
    }
  }

  @Test
  void engine_warmAndNeverUsed_isFreed() {
    cpu.buckets = List.of(1, 2);
    both.open(model, on(Device.cpu())).close();
    assertEquals(0, cpu.openSessions.get());
  }

  @Test
  void installed_onThisMachine_opensTheModelOnTheCpu() throws IOException {
    Path real = realModel();
    try (Engine engine = Engine.open(real, on(Device.cpu()));
        Session session = engine.newSession()) {
      assertEquals(1, session.infer(new float[4], new int[3]).length);
    }
  }

  private Path realModel() throws IOException {
    return Files.write(
        folder.resolve("real.onnx"), OnnxModels.ranker(OnnxModel.Type.INT32).bytes());
  }

  // The rest needs a JVM of its own: what is on the class path, and what loads, is decided once.

  private Forked.Result open(String classPath, String... jvmOptions) throws Exception {
    return open(Map.of(), classPath, jvmOptions);
  }

  private Forked.Result open(
      Map<String, String> environment, String classPath, String... jvmOptions) throws Exception {
    Path real = realModel();
    return Forked.run(
        environment, classPath, List.of(jvmOptions), OpenOnCpu.class, real.toString());
  }

  /** Opens a model on the CPU twice, and says what came of it. */
  static final class OpenOnCpu {
    private OpenOnCpu() {}

    public static void main(String[] args) {
      for (int i = 0; i < 2; i++) {
        try (Engine engine = Engine.open(Path.of(args[0]), on(Device.cpu()))) {
          System.out.println("opened " + engine);
        } catch (NativeLoadException e) {
          System.out.println("refused " + e.getMessage());
        }
      }
    }
  }

  @Test
  void onnxRuntime_thatIsMissing_isNamedWithItsCoordinates() throws Exception {
    Forked.Result result = open(withoutOnnxRuntime);
    assertEquals(0, result.exit(), result.output());
    String said =
        "real.onnx cannot run on cpu: ONNX Runtime: ONNX Runtime is not on the class path; add com.microsoft.onnxruntime:onnxruntime";
    assertEquals(
        2, result.output().lines().filter(line -> line.endsWith(said)).count(), result.output());
  }

  /** Where the first two of these are set to something it tells nothing in any case. */
  private Map<String, String> telling(Path cache) {
    return Map.of("CI", "", "ORT_DISABLE_TELEMETRY", "", "XDG_CACHE_HOME", cache.toString());
  }

  @Test
  void process_thatOpensAModel_isToldToNobodyByOnnxRuntime() throws Exception {
    Path cache = Files.createDirectory(folder.resolve("cache"));
    assertOpened(open(telling(cache), withOnnxRuntime));
    try (var files = Files.walk(cache)) {
      assertEquals(List.of(), files.filter(Files::isRegularFile).toList());
    }
  }

  @Test
  void process_withALongCommandLine_survivesOnnxRuntime() throws Exception {
    String flag = "-Dlong=" + "x".repeat(10_000);
    assertOpened(open(telling(folder), withOnnxRuntime, flag));
  }

  private static void assertOpened(Forked.Result result) {
    assertEquals(0, result.exit(), result.output());
    assertTrue(result.output().contains("opened "), result.output());
  }

  @Test
  void onnxRuntime_whoseLibraryDoesNotLoad_isRefusedEveryTime() throws Exception {
    Path broken = Files.createDirectories(folder.resolve("broken"));
    Files.write(broken.resolve(System.mapLibraryName("onnxruntime")), new byte[] {1, 2, 3});
    Files.write(broken.resolve(System.mapLibraryName("onnxruntime4j_jni")), new byte[] {1, 2, 3});
    Forked.Result result = open(withOnnxRuntime, "-Donnxruntime.native.path=" + broken);
    assertEquals(0, result.exit(), result.output());
    assertEquals(
        2,
        result
            .output()
            .lines()
            .filter(
                line ->
                    line.startsWith("refused ") && line.contains("native library does not load"))
            .count(),
        result.output());
  }

  /** Ends the JVM, with code 3, while other threads run the model. */
  static final class ExitWhileRunning {
    private ExitWhileRunning() {}

    public static void main(String[] args) throws InterruptedException {
      Engine engine = Engine.open(Path.of(args[0]), on(Device.cpu()));
      CountDownLatch running = new CountDownLatch(4);
      for (int i = 0; i < 4; i++) {
        Session session = engine.newSession();
        Thread thread =
            new Thread(
                () -> {
                  float[] dense = new float[1024 * OnnxModels.DENSE];
                  int[] ids = new int[1024 * OnnxModels.IDS];
                  for (int calls = 0; ; calls++) {
                    session.infer(dense, ids);
                    if (calls == 10) {
                      running.countDown();
                    }
                  }
                });
        thread.setDaemon(true);
        thread.start();
      }
      running.await();
      System.exit(3);
    }
  }

  @Test
  void jvm_endingDuringCalls_endsWithItsOwnCode() throws Exception {
    Path real = realModel();
    for (int i = 0; i < 3; i++) {
      Forked.Result result =
          Forked.run(withOnnxRuntime, List.of(), ExitWhileRunning.class, real.toString());
      assertEquals(3, result.exit(), result.output());
    }
  }
}
