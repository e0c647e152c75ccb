package dev.rankrt.natives.internal;

import dev.rankrt.natives.LoadOptions;
import dev.rankrt.natives.NativeInfo;
import dev.rankrt.natives.NativeLoadException;
import java.util.List;
import java.util.function.Supplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The libraries of this process, for RankRT's other modules. Safe for use by several threads; one
 * lock, held while libraries load and never while they are used.
 */
public final class Natives {
  private static final Logger LOG = LoggerFactory.getLogger(Natives.class);
  private static final Once PROCESS = new Once();

  /** Decides once, and remembers a failure as well as a success. */
  static final class Once {
    private Natives natives;
    private NativeLoadException failure;
    private LoadOptions decidedBy;

    synchronized Natives get(LoadOptions options, Supplier<Machine> machine) {
      if (decidedBy == null) {
        try {
          // Not on this thread, which may be interrupted: JavaCPP and Extraction lock files, which
          // would fail then, and this process would remember it for good.
          natives =
              PlatformThreads.callOn(
                  task -> new Thread(task, "rankrt-loading"),
                  () -> new Natives(machine.get(), options));
        } catch (NativeLoadException e) {
          failure = e;
        } catch (LinkageError e) {
          failure =
              new NativeLoadException(
                  "the bindings on the class path do not fit RankRT: "
                      + e
                      + "; use org.bytedeco:javacpp, cuda and tensorrt of one release",
                  e);
        }
        // Not where it ended in anything else, such as no memory: the next call tries again.
        decidedBy = options;
      } else if (!decidedBy.equals(options)) {
        LOG.debug("asked for {}, but this process was decided by {}", options, decidedBy);
      }
      if (failure != null) {
        // A new one each time: its stack is this caller's. The first is its cause.
        throw new NativeLoadException(failure.getMessage(), failure);
      }
      return natives;
    }
  }

  private final Loading loading;
  private final NativeInfo info;
  private final Cuda cuda;

  private Natives(Machine machine, LoadOptions options) {
    this.loading = new Loading(machine, options, Presets.read());
    this.info = loading.load();
    this.cuda = machine.cuda();
  }

  /** See {@link dev.rankrt.natives.NativeRuntime#load}. */
  public static Natives load(LoadOptions options) {
    return PROCESS.get(options, RealMachine::new);
  }

  /** Returns what was loaded. */
  public NativeInfo info() {
    return info;
  }

  /** Returns CUDA. */
  public Cuda cuda() {
    return cuda;
  }

  /**
   * Loads the ONNX parser and puts the builder's resources where TensorRT finds them. To be called
   * before the first builder is created; calling again does nothing.
   *
   * @throws NativeLoadException if this TensorRT has no parser
   */
  public void loadForBuilding() {
    synchronized (loading) {
      loading.loadForBuilding();
    }
  }

  /**
   * Returns the reason why {@code createInferBuilder} gave null.
   *
   * @param device the current device
   * @param log what TensorRT logged meanwhile
   */
  public NativeLoadException explainNullBuilder(Cuda.DeviceProperties device, List<String> log) {
    synchronized (loading) {
      return loading.explainNullBuilder(device, log);
    }
  }
}
