package dev.rankrt.natives.internal;

import dev.rankrt.natives.CudaException;
import dev.rankrt.natives.LoadOptions;
import dev.rankrt.natives.NativeInfo;
import dev.rankrt.natives.NativeLoadException;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Stream;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The steps of loading, in the order in which a failure can be explained best: platform, bindings,
 * driver, CUDA runtime, device, TensorRT. One thread at a time.
 */
final class Loading {
  private static final Logger LOG = LoggerFactory.getLogger(Loading.class);
  private static final String DRIVER = "libcuda.so.1";
  private static final String RESOURCE = "libnvinfer_builder_resource";
  private static final Path DEVICE_FILE = Path.of("/dev/nvidiactl");

  private final Machine machine;
  private final LoadOptions options;
  private final Presets presets;
  private final Map<String, Path> files = new LinkedHashMap<>();

  private Platform platform;
  private Search.Found tensorRt;
  private Version tensorRtVersion;
  private boolean parserLoaded;

  Loading(Machine machine, LoadOptions options, Presets presets) {
    this.machine = machine;
    this.options = options;
    this.presets = presets;
  }

  /** Loads all that running a plan needs. */
  NativeInfo load() {
    platform = checkPlatform();
    checkBindings();
    machine.prepareJavacpp();
    loadDriver();
    loadCudaRuntime();
    int driver = machine.driverVersion();
    int runtime = machine.runtimeVersion();
    checkDriver(driver, runtime);
    checkDevice(driver);
    loadTensorRt();
    boolean plugins = loadPlugins();
    NativeInfo info =
        new NativeInfo(
            platform.classifier,
            Version.cuda(driver),
            Version.cuda(runtime),
            tensorRtVersion.toString(),
            presets.toString(),
            files,
            has("nvonnxparser"),
            plugins);
    LOG.debug("loaded {}", info);
    return info;
  }

  private Platform checkPlatform() {
    Optional<Platform> found = Platform.of(machine.osName(), machine.osArch());
    if (found.isEmpty()) {
      throw new NativeLoadException(
          "TensorRT is not available here: found "
              + machine.osName()
              + " on "
              + machine.osArch()
              + ", wanted Linux on x86-64 or arm64; use the CPU backend on this machine");
    }
    if (machine.musl()) {
      throw new NativeLoadException(
          "NVIDIA's libraries need glibc: found a Java that runs on musl (Alpine), wanted one on"
              + " glibc; use an image based on Debian, Ubuntu or Red Hat");
    }
    return found.get();
  }

  private void checkBindings() {
    require("org/bytedeco/javacpp/" + platform.classifier + "/libjnijavacpp.so", "javacpp", "");
    require(Machine.Jni.CUDA.resource(platform), "cuda", presets.cudaArtifact());
    require(Machine.Jni.TENSORRT.resource(platform), "tensorrt", presets.tensorRtArtifact());
  }

  private void require(String resource, String artifact, String version) {
    if (!machine.hasResource(resource)) {
      throw new NativeLoadException(
          "the bindings' native part is missing: the class path holds no "
              + resource
              + "; add org.bytedeco:"
              + artifact
              + (version.isEmpty() ? "" : ":" + version)
              + " with the classifier "
              + platform.classifier
              + ", or stop excluding it; on the module path also --add-modules"
              + " org.bytedeco."
              + artifact
              + "."
              + platform.classifier.replace('-', '.'));
    }
  }

  private void loadDriver() {
    try {
      files.put(DRIVER, machine.open(DRIVER, Optional.empty()));
    } catch (UnsatisfiedLinkError e) {
      String fix =
          machine.exists(DEVICE_FILE)
              ? "the machine has "
                  + DEVICE_FILE
                  + ", so the driver runs but its library is not visible here: start the"
                  + " container with --gpus all and NVIDIA_DRIVER_CAPABILITIES=compute,utility,"
                  + " or add the folder of "
                  + DRIVER
                  + " to LD_LIBRARY_PATH"
              : "install NVIDIA's driver, in a container start it with --gpus all, or use the"
                  + " CPU backend on this machine";
      throw new NativeLoadException(
          "no NVIDIA driver: found none ("
              + Search.reason(e)
              + "), wanted one for CUDA "
              + presets.cudaMajor()
              + "; "
              + fix,
          e);
    }
  }

  private void loadCudaRuntime() {
    Search search = new Search(machine, options, platform);
    Search.Found found =
        search
            .find("cudart", presets.cudaMajor(), "cuda")
            .orElseThrow(
                () ->
                    new NativeLoadException(
                        "the CUDA runtime is missing: found "
                            + orNone(search.otherVersions(presets.cudaMajor()))
                            + ", wanted "
                            + presets.libcudart()
                            + " (CUDA "
                            + presets.cudaMajor()
                            + ")"
                            + search.attempts()
                            + "\n  install CUDA "
                            + presets.cudaMajor()
                            + "'s runtime, name its folder in LoadOptions or -D"
                            + "dev.rankrt.natives.folders, or add org.bytedeco:cuda-redist for CUDA "
                            + presets.cudaMajor()
                            + " with the classifier "
                            + platform.classifier));
    files.put(presets.libcudart(), found.file());
    try {
      machine.adopt(Machine.Jni.CUDA, "cudart@." + presets.cudaMajor(), found.file());
    } catch (UnsatisfiedLinkError e) {
      throw unbound("cuda", presets.cudaArtifact(), found.file(), e);
    }
    bind(Machine.Jni.CUDA, presets.cudaArtifact(), found.file());
  }

  private void checkDriver(int driver, int runtime) {
    // Within one major version of CUDA an older driver runs a newer runtime. TensorRT has a runtime
    // of its own inside, of the presets' major version.
    int wanted = Math.max(runtime / 1000, presets.cudaMajor());
    if (driver / 1000 < wanted) {
      throw new NativeLoadException(
          "the NVIDIA driver is too old: found one for CUDA "
              + (driver == 0 ? "none" : Version.cuda(driver))
              + " ("
              + files.get(DRIVER)
              + "), wanted one for CUDA "
              + wanted
              + ".0 or newer, since the CUDA runtime is "
              + Version.cuda(runtime)
              + " ("
              + files.get(presets.libcudart())
              + "); update the driver");
    }
  }

  /**
   * TensorRT ends the process when it is asked for anything where CUDA does not start, so this must
   * come before it.
   */
  private void checkDevice(int driver) {
    int count;
    try {
      count = machine.cuda().deviceCount();
    } catch (CudaException e) {
      throw new NativeLoadException(
          "CUDA does not start: found a driver for CUDA "
              + Version.cuda(driver)
              + " ("
              + files.get(DRIVER)
              + ") that says: "
              + e.getMessage()
              + "; wanted a usable GPU; "
              + deviceAdvice(e.code()),
          e);
    }
    if (count == 0) {
      throw new NativeLoadException("found no GPU, wanted one; " + deviceAdvice(100));
    }
  }

  private String deviceAdvice(int code) {
    String visible = machine.environment("CUDA_VISIBLE_DEVICES");
    return switch (code) {
      case 100 -> // cudaErrorNoDevice
          "check nvidia-smi, --gpus of the container"
              + (visible.isEmpty() ? "" : ", and CUDA_VISIBLE_DEVICES, which is '" + visible + "'");
      case 35 -> // cudaErrorInsufficientDriver
          "update the driver, or remove a stub " + DRIVER + " from the linker's path";
      case 802 -> // cudaErrorSystemNotReady
          "start NVIDIA's fabric manager";
      case 803, 804 -> // cudaErrorSystemDriverMismatch, cudaErrorCompatNotSupportedOnDevice
          "the driver's library and its kernel module are of different versions: reboot after a"
              + " driver update, or remove CUDA's compat folder from LD_LIBRARY_PATH";
      default -> "check nvidia-smi and the kernel's log";
    };
  }

  private void loadTensorRt() {
    int major = presets.tensorRt().major();
    Search search = new Search(machine, options, platform);
    Optional<Search.Found> found = search.find("nvinfer", major, "tensorrt");
    if (found.isEmpty()) {
      String others = search.otherVersions(major);
      throw new NativeLoadException(
          (others.isEmpty()
                  ? "TensorRT is missing: found none"
                  : "another TensorRT: found " + others)
              + ", wanted "
              + presets.library("nvinfer")
              + " (TensorRT "
              + presets.tensorRt()
              + " or a later "
              + major
              + ".x)"
              + search.attempts()
              + "\n  install TensorRT "
              + major
              + ", name its folder in LoadOptions or -Ddev.rankrt.natives.folders, add"
              + " org.bytedeco:tensorrt:"
              + presets.tensorRtArtifact()
              + " with the classifier "
              + platform.classifier
              + "-redist"
              + (others.isEmpty() ? "" : ", or use the bindings of the TensorRT that is here"));
    }
    tensorRt = found.get();
    files.put(presets.library("nvinfer"), tensorRt.file());
    bind(Machine.Jni.TENSORRT, presets.tensorRtArtifact(), tensorRt.file());
    tensorRtVersion = Version.ofTensorRt(machine.tensorRtVersion());
    // A newer minor version serves older callers; an older one lacks entries that the bindings
    // call.
    if (tensorRtVersion.major() != major || tensorRtVersion.minor() < presets.tensorRt().minor()) {
      throw new NativeLoadException(
          "another TensorRT: found "
              + tensorRtVersion
              + " ("
              + tensorRt.file()
              + "), wanted "
              + presets.tensorRt()
              + " or a later "
              + major
              + ".x; update TensorRT, or use the org.bytedeco:tensorrt of version "
              + tensorRtVersion.major()
              + "."
              + tensorRtVersion.minor());
    }
  }

  /** Plugins are optional, so one that does not load costs a warning and not the engine. */
  private boolean loadPlugins() {
    if (!has("nvinfer_plugin")) {
      return false;
    }
    try {
      Path file = openSibling("nvinfer_plugin");
      bind(Machine.Jni.PLUGINS, presets.tensorRtArtifact(), file);
      files.put(presets.library("nvinfer_plugin"), file);
      return true;
    } catch (LinkageError | IOException | NativeLoadException e) {
      LOG.warn("TensorRT's plugins are here but do not load, plans that need them will fail", e);
      return false;
    }
  }

  /**
   * Loads what turns ONNX files into plans: the parser, and the builder's resources under the name
   * by which TensorRT opens them.
   */
  void loadForBuilding() {
    if (parserLoaded) {
      return;
    }
    String here = "found TensorRT " + tensorRtVersion + " (" + tensorRt.file() + "), wanted ";
    Path parser;
    try {
      parser = openSibling("nvonnxparser");
    } catch (UnsatisfiedLinkError | IOException e) {
      throw new NativeLoadException(
          "ONNX files cannot be built here: "
              + here
              + presets.library("nvonnxparser")
              + " from the same installation: "
              + reason(e)
              + "; install it (libnvonnxparsers"
              + presets.tensorRt().major()
              + " on Debian), or load a plan that was built elsewhere",
          e);
    }
    try {
      offerResources();
    } catch (UnsatisfiedLinkError | IOException e) {
      throw new NativeLoadException(
          "plans cannot be built here: "
              + here
              + "its builder resource beside it: "
              + reason(e)
              + "; it takes up to 2 GB of disk: make room, or name another folder with"
              + " -Ddev.rankrt.natives.cacheFolder",
          e);
    }
    bind(Machine.Jni.PARSER, presets.tensorRtArtifact(), parser);
    files.put(presets.library("nvonnxparser"), parser);
    parserLoaded = true;
  }

  private static String reason(Throwable e) {
    return e instanceof UnsatisfiedLinkError link ? Search.reason(link) : e.getMessage();
  }

  /** Returns whether the place that gave {@code libnvinfer} has another library. */
  private boolean has(String stem) {
    String name = presets.library(stem);
    return switch (tensorRt.kind()) {
      case REDIST -> machine.hasResource(redist(name));
      case FOLDER -> inFolder(stem).isPresent();
      case SYSTEM -> !machine.list(tensorRt.folder(), name).isEmpty();
    };
  }

  /**
   * Returns another library of the TensorRT in a folder, which may hold more than one version. The
   * file that is named after this version goes first: a link may be another's.
   */
  private Optional<String> inFolder(String stem) {
    List<String> there = machine.list(tensorRt.folder(), presets.library(stem));
    return Stream.of(versioned(stem), presets.library(stem)).filter(there::contains).findFirst();
  }

  private String versioned(String stem) {
    return "lib" + stem + ".so." + tensorRtVersion;
  }

  private Path openSibling(String stem) throws IOException {
    String name = presets.library(stem);
    return switch (tensorRt.kind()) {
      case SYSTEM -> machine.open(name, Optional.empty());
      case FOLDER -> {
        Path folder = tensorRt.folder();
        // Left to itself, the linker would go on to the system's, of whatever version that is.
        String file =
            inFolder(stem)
                .orElseThrow(
                    () -> {
                      String there = String.join(", ", machine.list(folder, "lib" + stem + ".so"));
                      return new UnsatisfiedLinkError(
                          "folder "
                              + folder
                              + ": no "
                              + versioned(stem)
                              + (there.isEmpty() ? "" : ", but " + there));
                    });
        yield machine.open(file, Optional.of(folder));
      }
      case REDIST -> {
        machine.extract(redist(name), options.cacheFolder());
        yield machine.open(name, Optional.of(tensorRt.folder()));
      }
    };
  }

  /** What the system's linker finds, TensorRT finds too; elsewhere see {@link ElfShim}. */
  private void offerResources() throws IOException {
    if (tensorRt.kind() == Search.Kind.SYSTEM) {
      return;
    }
    if (tensorRt.kind() == Search.Kind.REDIST) {
      String plain = RESOURCE + ".so." + presets.tensorRt();
      String portable = RESOURCE + "_ptx.so." + presets.tensorRt();
      for (String name : List.of(plain, portable)) {
        if (machine.hasResource(redist(name))) {
          machine.extract(redist(name), options.cacheFolder());
        }
      }
    }
    for (String name : machine.list(tensorRt.folder(), RESOURCE)) {
      if (name.endsWith(".so." + tensorRtVersion)) {
        files.put(name, machine.open(name, Optional.of(tensorRt.folder())));
      }
    }
  }

  private String redist(String name) {
    return "org/bytedeco/tensorrt/" + platform.classifier + "/" + name;
  }

  private void bind(Machine.Jni library, String version, Path user) {
    try {
      machine.bind(library, platform);
    } catch (LinkageError | IOException e) {
      throw unbound(library.artifact, version, user, e);
    }
  }

  private NativeLoadException unbound(String artifact, String version, Path user, Throwable e) {
    String reason = reasons(e);
    String fix;
    if (reason.contains("already loaded in another classloader")) {
      fix =
          "another class loader of this process uses the bindings: put their jars where both find"
              + " them, such as the application server's shared folder";
    } else if (reason.contains("create the cache") || reason.contains(Search.NOT_EXECUTABLE)) {
      fix =
          "point -Dorg.bytedeco.javacpp.cachedir to a folder that can be written and is not mounted"
              + " noexec";
    } else {
      fix = "use jars of one version, unpacked or repackaged without loss";
    }
    return new NativeLoadException(
        "the bindings do not load: found org.bytedeco:"
            + artifact
            + ":"
            + version
            + " and "
            + user
            + ", wanted both to link: "
            + reason
            + "; "
            + fix,
        e);
  }

  /** JavaCPP throws its last attempt, with those before it as causes: all may matter. */
  private static String reasons(Throwable e) {
    Set<String> reasons = new LinkedHashSet<>();
    for (Throwable each = e; each != null; each = each.getCause()) {
      reasons.add(String.valueOf(each.getMessage()));
    }
    return String.join("; ", reasons);
  }

  /**
   * Explains why TensorRT gave no builder.
   *
   * @param device the GPU that was asked to build
   * @param log what TensorRT said
   */
  NativeLoadException explainNullBuilder(Cuda.DeviceProperties device, List<String> log) {
    String architecture = "sm" + device.major() + device.minor();
    List<String> present = new ArrayList<>();
    for (Path folder : resourceFolders()) {
      for (String name : machine.list(folder, RESOURCE)) {
        present.add(folder.resolve(name).toString());
      }
    }
    String found = present.isEmpty() ? "none" : String.join(", ", present);
    String fits = ".so." + tensorRtVersion;
    boolean serves =
        present.stream()
            .anyMatch(
                file ->
                    file.endsWith(RESOURCE + fits)
                        || file.endsWith(RESOURCE + "_" + architecture + fits));
    String said =
        log.isEmpty() ? "" : "\n  TensorRT said: " + String.join("\n  TensorRT said: ", log);
    String what =
        "TensorRT "
            + tensorRtVersion
            + " gives no builder for "
            + device.name()
            + " ("
            + architecture
            + "): found builder resources: "
            + found;
    if (serves) {
      return new NativeLoadException(
          what + ", one of which should serve; free memory on the host and the GPU" + said);
    }
    return new NativeLoadException(
        what
            + ", wanted "
            + String.format(
                Locale.ROOT, "%s%s or %s_%s%s", RESOURCE, fits, RESOURCE, architecture, fits)
            + "; install NVIDIA's own TensorRT "
            + tensorRtVersion
            + ", whose packages hold it (of the redist jars 10.6-1.5.11 does, and later ones hold"
            + " only the _ptx part), or load a plan that was built elsewhere"
            + said);
  }

  private List<Path> resourceFolders() {
    List<Path> folders = new ArrayList<>();
    folders.add(tensorRt.folder());
    for (String folder : machine.environment("LD_LIBRARY_PATH").split(":", -1)) {
      if (!folder.isEmpty() && !folders.contains(Path.of(folder))) {
        folders.add(Path.of(folder));
      }
    }
    return folders;
  }

  private static String orNone(String found) {
    return found.isEmpty() ? "none" : found;
  }
}
