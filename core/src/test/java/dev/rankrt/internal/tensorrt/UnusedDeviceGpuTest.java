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

/** What a process leaves alone: a GPU that it was not asked to use. */
@Tag("gpu")
class UnusedDeviceGpuTest {
  private static final int USED = 1;
  private static final int UNUSED = 0;

  @TempDir Path folder;

  @Test
  void model_onTheSecondGpu_createsNoContextOnTheFirst() throws Exception {
    assumeTrue(TensorRt.load().cuda().deviceCount() > USED, "needs two GPUs");
    Path model =
        Files.write(folder.resolve("ranker.onnx"), OnnxModels.ranker(OnnxModel.Type.INT64).bytes());
    // In a JVM of its own: a context stays for as long as the process, and other tests use GPU 0.
    // Twice, because a model that comes out of the cache goes another way than one that is built.
    for (String way : List.of("built", "out of the cache")) {
      Forked.Result result =
          Forked.run(
              System.getProperty("java.class.path"),
              settings(),
              UsesSecondGpu.class,
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

  /** Ends with a stack trace after the first step that created a context on the first GPU. */
  static final class UsesSecondGpu {
    private UsesSecondGpu() {}

    public static void main(String[] args) {
      Path model = Path.of(args[0]);
      Cuda cuda = TensorRt.load().cuda();
      requireUnused("loading the libraries");
      for (int ordinal = 0; ordinal < cuda.deviceCount(); ordinal++) {
        cuda.properties(ordinal);
      }
      cuda.hasContext();
      requireUnused("asking about devices");
      EngineOptions options =
          EngineOptions.builder()
              .device(Device.gpu(USED))
              .maxBatch(8)
              .planCache(Path.of(args[1]))
              .build();
      Engine engine = Engine.open(model, options);
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

    private static float[] run(Session session) {
      return session.infer(new float[OnnxModels.DENSE], new int[OnnxModels.IDS]);
    }

    private static <T> T onNewThread(Supplier<T> work) {
      return PlatformThreads.callOn(task -> new Thread(task, "new"), work);
    }

    private static void requireUnused(String step) {
      int[] flags = new int[1];
      int[] active = new int[1];
      int code = cuDevicePrimaryCtxGetState(UNUSED, flags, active);
      if (code != 0) {
        throw new AssertionError("cuDevicePrimaryCtxGetState reported CUresult " + code);
      }
      if (active[0] != 0) {
        throw new AssertionError("GPU " + UNUSED + " has a context after " + step);
      }
    }
  }
}
