package dev.rankrt.examples.doctor;

import dev.rankrt.examples.gpu.GpuFacts;
import dev.rankrt.examples.gpu.Nvml;
import dev.rankrt.examples.gpu.NvmlUnavailableException;
import dev.rankrt.natives.LoadOptions;
import dev.rankrt.natives.NativeInfo;
import dev.rankrt.natives.NativeLoadException;
import dev.rankrt.natives.NativeRuntime;
import dev.rankrt.streams.NumaTopology;
import java.nio.file.Path;
import java.time.Instant;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;

/**
 * All that is known of a machine; what the checks judge.
 *
 * @param now when it was looked at
 * @param tree its files
 * @param topology its processors and GPUs, read from these files
 * @param driver what the NVIDIA driver says
 * @param libraries what RankRT found of CUDA and TensorRT
 * @param jvm the JVM that runs this
 */
record Machine(
    Instant now,
    Tree tree,
    NumaTopology topology,
    Answer<Driver> driver,
    Answer<NativeInfo> libraries,
    Jvm jvm) {

  /** What the NVIDIA driver says, and through whom. */
  record Driver(String source, String version, List<GpuFacts> gpus) {}

  /**
   * What was answered, or why nothing was.
   *
   * @param problem empty where there is a value
   */
  record Answer<T>(Optional<T> value, String problem) {
    static <T> Answer<T> of(T value) {
      return new Answer<>(Optional.of(value), "");
    }

    static <T> Answer<T> none(String problem) {
      return new Answer<>(Optional.empty(), problem);
    }
  }

  /** Reads the files under a folder, which may hold a recording. */
  Machine(Instant now, Path root, Answer<Driver> driver, Answer<NativeInfo> libraries, Jvm jvm) {
    this(now, new Tree(root), NumaTopology.read(root), driver, libraries, jvm);
  }

  /** Looks at the machine that this runs on. */
  static Machine here() {
    // The driver first: it is asked without CUDA, which may have to be found yet.
    Answer<Driver> driver = askDriver();
    return new Machine(Instant.now(), Path.of("/"), driver, askLoader(), Jvm.running());
  }

  private static Answer<Driver> askDriver() {
    try (Nvml nvml = Nvml.open()) {
      return Answer.of(new Driver(nvml.source(), nvml.driverVersion(), nvml.gpus()));
    } catch (NvmlUnavailableException e) {
      return Answer.none(e.getMessage());
    }
  }

  private static Answer<NativeInfo> askLoader() {
    try {
      return Answer.of(NativeRuntime.load(LoadOptions.defaults()).info());
    } catch (NativeLoadException e) {
      return Answer.none(e.getMessage());
    }
  }

  /** Returns a variable of this process's environment, unless it is empty. */
  Optional<String> environment(String name) {
    return tree.text("proc/self/environ")
        .flatMap(
            all ->
                Arrays.stream(all.split("[\\x00\\n]", -1))
                    .filter(variable -> variable.startsWith(name + "="))
                    .map(variable -> variable.substring(name.length() + 1))
                    .filter(value -> !value.isBlank())
                    .findFirst());
  }

  List<GpuFacts> gpus() {
    return driver.value().map(Driver::gpus).orElse(List.of());
  }

  /** Tells whether there is a GPU of NVIDIA's, working or not. */
  boolean hasGpu() {
    return !gpus().isEmpty() || !topology().gpus().isEmpty();
  }
}
