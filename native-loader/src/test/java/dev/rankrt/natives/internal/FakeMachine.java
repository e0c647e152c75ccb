package dev.rankrt.natives.internal;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;

/** Plays any machine. A new one is a Linux with a driver, CUDA, TensorRT and bindings that fit. */
final class FakeMachine implements Machine {
  static final Path SYSTEM = Path.of("/usr/lib/x86_64-linux-gnu");
  static final Path CACHE = Path.of("/home/me/.cache/rankrt/redist");

  final Presets presets = new Presets(12, new Version(10, 6, 0), "12.6-9.5-1.5.11", "10.6-1.5.11");
  final FakeCuda cuda = new FakeCuda(1);
  final Set<Path> files = new TreeSet<>();
  final Set<String> resources = new HashSet<>();
  final Map<String, String> environment = new HashMap<>();
  final List<String> opened = new ArrayList<>();
  final List<String> adopted = new ArrayList<>();
  final Set<Jni> bound = new HashSet<>();
  private boolean javacppPrepared;
  String osName = "Linux";
  String osArch = "amd64";
  boolean musl;
  int driverVersion = 12090;
  int runtimeVersion = 12060;
  int tensorRtVersion = 100600;
  String cacheRefuses = "";
  String cacheRefusesOnly = "";
  final Map<Jni, String> bindRefuses = new HashMap<>();

  FakeMachine() {
    resources.add("org/bytedeco/javacpp/linux-x86_64/libjnijavacpp.so");
    for (Jni library : Jni.values()) {
      resources.add(library.resource(Platform.LINUX_X86_64));
    }
    for (String name : List.of("libcuda.so.1", "libcudart.so.12", "libnvinfer.so.10")) {
      files.add(SYSTEM.resolve(name));
    }
  }

  @Override
  public String osName() {
    return osName;
  }

  @Override
  public String osArch() {
    return osArch;
  }

  @Override
  public boolean musl() {
    return musl;
  }

  @Override
  public String environment(String name) {
    return environment.getOrDefault(name, "");
  }

  @Override
  public boolean exists(Path file) {
    return files.contains(file);
  }

  @Override
  public List<String> list(Path folder, String prefix) {
    return files.stream()
        .filter(file -> folder.equals(file.getParent()))
        .map(file -> file.getFileName().toString())
        .filter(name -> name.startsWith(prefix))
        .toList();
  }

  @Override
  public boolean hasResource(String path) {
    return resources.contains(path);
  }

  @Override
  public Path extract(String resource, Optional<Path> cacheFolder) throws IOException {
    if (!cacheRefuses.isEmpty() && resource.contains(cacheRefusesOnly)) {
      throw new IOException(cacheRefuses);
    }
    if (!resources.contains(resource)) {
      throw new IOException("no resource " + resource);
    }
    Path file =
        cacheFolder.orElse(CACHE).resolve(resource.substring(resource.lastIndexOf('/') + 1));
    files.add(file);
    return file;
  }

  @Override
  public Path open(String name, Optional<Path> folder) {
    Path inFolder = folder.orElse(SYSTEM).resolve(name);
    if (!files.contains(inFolder)) {
      inFolder = SYSTEM.resolve(name);
    }
    if (!files.contains(inFolder)) {
      throw new UnsatisfiedLinkError(
          "/tmp/rankrt1.so: "
              + name
              + ": cannot open shared object file: No such file or directory");
    }
    opened.add(inFolder.toString());
    return inFolder;
  }

  @Override
  public void prepareJavacpp() {
    javacppPrepared = true;
  }

  /** What is used too early works on no machine. */
  private static void require(boolean done, String what) {
    if (!done) {
      throw new IllegalStateException(what);
    }
  }

  private void requireBound(Jni library) {
    require(bound.contains(library), library + " is not bound");
  }

  @Override
  public void adopt(Jni user, String name, Path file) {
    require(javacppPrepared, "JavaCPP is not prepared");
    adopted.add(name + "=" + file);
  }

  @Override
  public void bind(Jni library, Platform platform) throws IOException {
    require(!adopted.isEmpty(), "JavaCPP would load a libcudart of its own");
    if (bindRefuses.containsKey(library)) {
      throw new UnsatisfiedLinkError(bindRefuses.get(library));
    }
    bound.add(library);
  }

  @Override
  public int driverVersion() {
    requireBound(Jni.CUDA);
    return driverVersion;
  }

  @Override
  public int runtimeVersion() {
    requireBound(Jni.CUDA);
    return runtimeVersion;
  }

  @Override
  public int tensorRtVersion() {
    requireBound(Jni.TENSORRT);
    return tensorRtVersion;
  }

  @Override
  public Cuda cuda() {
    requireBound(Jni.CUDA);
    return cuda;
  }
}
