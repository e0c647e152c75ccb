package dev.rankrt.internal.tensorrt;

import static org.bytedeco.cuda.global.cudart.cuDevicePrimaryCtxGetState;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.rankrt.Device;
import dev.rankrt.Engine;
import dev.rankrt.EngineOptions;
import dev.rankrt.Session;
import dev.rankrt.natives.internal.Cuda;
import dev.rankrt.natives.internal.PlatformThreads;
import dev.rankrt.testing.Forked;
import dev.rankrt.testing.OnnxModel;
import dev.rankrt.testing.OnnxModels;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Supplier;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What only a process of its own can show. */
@Tag("gpu")
class ProcessGpuTest {
  private static final int FIRST = 0;
  private static final int SECOND = 1;

  @TempDir Path folder;

  @Test
  void model_onTheSecondGpu_createsNoContextOnTheFirst() throws Exception {
    assumeTrue(TensorRt.load().cuda().deviceCount() > SECOND, "needs two GPUs");
    // A context stays for as long as the process, and other tests use GPU 0.
    builtAndOutOfTheCache(UsesSecondGpu.class);
  }

  /** Its builder makes the process larger than JavaCPP's limit for so small a heap. */
  @Test
  void model_inASmallHeap_isBuiltAndOpened() throws Exception {
    builtAndOutOfTheCache(UsesFirstGpu.class);
  }

  /** Twice: a model that comes out of the cache goes another way than one that is built. */
  private void builtAndOutOfTheCache(Class<?> main) throws Exception {
    Path model =
        Files.write(folder.resolve("ranker.onnx"), OnnxModels.ranker(OnnxModel.Type.INT64).bytes());
    for (String way : List.of("built", "out of the cache")) {
      Forked.Result result =
          Forked.run(
              System.getProperty("java.class.path"),
              settings(),
              main,
              model.toString(),
              folder.resolve("plans").toString());
      assertEquals(0, result.exit(), () -> "a model " + way + ": " + result.output());
    }
  }

  /** Where this JVM was told to find the libraries, the other one finds them. */
  private static List<String> settings() {
    List<String> options = new ArrayList<>();
    for (String name : System.getProperties().stringPropertyNames()) {
      if (name.startsWith("dev.rankrt.") || name.startsWith("org.bytedeco.")) {
        options.add("-D" + name + "=" + System.getProperty(name));
      }
    }
    return options;
  }

  private static EngineOptions options(int gpu, String[] args) {
    return EngineOptions.builder()
        .device(Device.gpu(gpu))
        .maxBatch(8)
        .planCache(Path.of(args[1]))
        .build();
  }

  private static float[] run(Session session) {
    return session.infer(new float[OnnxModels.DENSE], new int[OnnxModels.IDS]);
  }

  /** Ends with a stack trace where the model cannot be used. */
  static final class UsesFirstGpu {
    private UsesFirstGpu() {}

    public static void main(String[] args) {
      try (Engine engine = Engine.open(Path.of(args[0]), options(FIRST, args));
          Session session = engine.newSession()) {
        run(session);
      }
    }
  }

  /** Ends with a stack trace after the first step that created a context on the first GPU. */
  static final class UsesSecondGpu {
    private UsesSecondGpu() {}

    public static void main(String[] args) {
      Cuda cuda = TensorRt.load().cuda();
      requireUnused("loading the libraries");
      for (int ordinal = 0; ordinal < cuda.deviceCount(); ordinal++) {
        cuda.properties(ordinal);
      }
      cuda.hasContext();
      requireUnused("asking about devices");
      Engine engine = Engine.open(Path.of(args[0]), options(SECOND, args));
      requireUnused("Engine.open");
      Session session = engine.newSession();
      requireUnused("newSession");
      run(session);
      requireUnused("a run");
      onNewThread(() -> run(session));
      requireUnused("a run on another thread");
      onNewThread(
          () -> {
            session.close();
            return null;
          });
      requireUnused("closing the session on another thread");
      onNewThread(
          () -> {
            engine.close();
            return null;
          });
      requireUnused("closing the engine on another thread");
    }

    private static <T> T onNewThread(Supplier<T> work) {
      return PlatformThreads.callOn(task -> new Thread(task, "new"), work);
    }

    private static void requireUnused(String step) {
      int[] flags = new int[1];
      int[] active = new int[1];
      int code = cuDevicePrimaryCtxGetState(FIRST, flags, active);
      if (code != 0) {
        throw new AssertionError("cuDevicePrimaryCtxGetState reported CUresult " + code);
      }
      if (active[0] != 0) {
        throw new AssertionError("GPU " + FIRST + " has a context after " + step);
      }
    }
  }
}
