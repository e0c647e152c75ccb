package dev.rankrt.natives.internal;

import static org.bytedeco.cuda.global.cudart.cudaDriverGetVersion;
import static org.bytedeco.cuda.global.cudart.cudaRuntimeGetVersion;

import dev.rankrt.natives.NativeLoadException;
import java.io.IOException;
import java.io.InputStream;
import java.net.MalformedURLException;
import java.net.URL;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.Predicate;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.bytedeco.javacpp.Loader;
import org.bytedeco.tensorrt.global.nvinfer;

/** The machine and the process that this runs on and in. One thread at a time. */
final class RealMachine implements Machine {
  private static final Path MAPS = Path.of("/proc/self/maps");
  private static final String LOAD_LIBRARIES = "org.bytedeco.javacpp.loadlibraries";
  private static final Pattern CLASS_NAME =
      Pattern.compile("\"name\"\\s*:\\s*\"(org\\.bytedeco\\.tensorrt\\.[\\w.$]+)\"");

  @Override
  public String osName() {
    return System.getProperty("os.name", "");
  }

  @Override
  public String osArch() {
    return System.getProperty("os.arch", "");
  }

  @Override
  public boolean musl() {
    return mapped().anyMatch(file -> file.getFileName().toString().startsWith("ld-musl-"));
  }

  @Override
  public String environment(String name) {
    String value = System.getenv(name);
    return value == null ? "" : value;
  }

  @Override
  public boolean exists(Path file) {
    return Files.exists(file);
  }

  @Override
  public List<String> list(Path folder, String prefix) {
    try (Stream<Path> files = Files.list(folder)) {
      return files
          .map(file -> file.getFileName().toString())
          .filter(name -> name.startsWith(prefix))
          .sorted()
          .toList();
    } catch (IOException e) {
      return List.of();
    }
  }

  @Override
  public boolean hasResource(String path) {
    return find(path) != null;
  }

  /** Looks as JavaCPP does: in all jars and modules, whichever loader or layer they are in. */
  private static URL find(String path) {
    try {
      return Loader.findResource(Loader.class, "/" + path);
    } catch (IOException e) {
      return null;
    }
  }

  @Override
  public Path extract(String resource, Optional<Path> cacheFolder) throws IOException {
    return new Extraction(Extraction.folders(cacheFolder)).extract(find(resource));
  }

  @Override
  public Path open(String name, Optional<Path> folder) {
    Platform platform = Platform.of(osName(), osArch()).orElseThrow();
    byte[] shim =
        ElfShim.write(
            platform.elfMachine,
            "",
            List.of(name),
            folder.map(path -> path.toAbsolutePath().toString()).orElse(""));
    Path file = write(shim);
    try {
      System.load(file.toString());
    } finally {
      // The linker has mapped it; the name is not needed again.
      file.toFile().delete();
    }
    return mappedAs(name).orElseGet(() -> Path.of(name));
  }

  /** Writes a shim, which is not executable, to the first folder that takes it. */
  private static Path write(byte[] shim) {
    List<String> reasons = new ArrayList<>();
    for (String folder :
        List.of(
            System.getProperty("java.io.tmpdir"), "/dev/shm", System.getProperty("user.home"))) {
      try {
        return Files.write(Files.createTempFile(Path.of(folder), "rankrt", ".so"), shim);
      } catch (IOException e) {
        reasons.add(e.toString());
      }
    }
    throw new NativeLoadException(
        "no folder for temporary files: found "
            + String.join(", ", reasons)
            + ", wanted one that a kilobyte can be written to; set -Djava.io.tmpdir");
  }

  /**
   * Returns the file that is mapped for a library. The map shows {@code libcudart.so.12.6.77} where
   * {@code libcudart.so.12} links to it, and {@code libcuda.so.580.159.03} for {@code
   * libcuda.so.1}.
   */
  private static Optional<Path> mappedAs(String name) {
    int stem = name.indexOf(".so.");
    String anyVersion = stem < 0 ? name : name.substring(0, stem + ".so.".length());
    List<Path> files = mapped().toList();
    for (Predicate<String> fits :
        List.<Predicate<String>>of(
            name::equals,
            file -> file.startsWith(name + "."),
            file -> file.startsWith(anyVersion))) {
      Optional<Path> found =
          files.stream().filter(file -> fits.test(file.getFileName().toString())).findFirst();
      if (found.isPresent()) {
        return found;
      }
    }
    return Optional.empty();
  }

  private static Stream<Path> mapped() {
    try {
      return Files.readAllLines(MAPS, StandardCharsets.UTF_8).stream()
          .map(line -> line.indexOf('/') < 0 ? "" : line.substring(line.indexOf('/')))
          .filter(path -> !path.isEmpty())
          .distinct()
          .flatMap(RealMachine::path);
    } catch (IOException e) {
      return Stream.empty();
    }
  }

  /** A name with characters that this process' locale lacks is no path, and no library's. */
  private static Stream<Path> path(String name) {
    try {
      return Stream.of(Path.of(name));
    } catch (InvalidPathException e) {
      return Stream.empty();
    }
  }

  @Override
  public void prepareJavacpp() {
    MemoryLimit.lift();
  }

  @Override
  public void adopt(Jni user, String name, Path file) {
    if (!file.isAbsolute()) {
      return; // loaded, but /proc does not say from where
    }
    try {
      Loader.loadLibrary(owner(user), new URL[] {file.toUri().toURL()}, name);
    } catch (MalformedURLException e) {
      throw new IllegalArgumentException("not a file: " + file, e);
    }
  }

  @Override
  public void bind(Jni library, Platform platform) throws IOException {
    if (library == Jni.CUDA) {
      // Its presets inherit nothing that needs a library, and libcudart was adopted.
      Loader.load(owner(library));
      return;
    }
    List<String> classes = classes(library, platform);
    // The library goes first: some of the classes call it while they are initialised.
    Loader.loadLibrary(
        owner(library), new URL[] {find(library.resource(platform))}, library.library);
    initialiseWithoutLoader(classes, owner(library).getClassLoader());
  }

  /** Returns the classes that a JNI library implements, from the list that its jar carries. */
  private static List<String> classes(Jni library, Platform platform) throws IOException {
    String list =
        "META-INF/native-image/" + platform.classifier + "/" + library.library + "/jni-config.json";
    URL url = find(list);
    if (url == null) {
      throw new IOException("the class path holds no " + list);
    }
    try (InputStream in = url.openStream()) {
      return CLASS_NAME
          .matcher(new String(in.readAllBytes(), StandardCharsets.UTF_8))
          .results()
          .map(match -> match.group(1))
          .toList();
    }
  }

  /**
   * Initialises classes so that their static initialisers do not run JavaCPP's loader. Left to
   * itself, the loader initialises the bindings of cuBLAS, cuDNN and NVRTC, which fails where those
   * are not installed, and loads them where they are, half a gigabyte that TensorRT does not use.
   * Those bindings are not touched this way and stay as usable as the host finds them.
   */
  private static void initialiseWithoutLoader(List<String> classes, ClassLoader loader)
      throws IOException {
    String before = System.getProperty(LOAD_LIBRARIES);
    System.setProperty(LOAD_LIBRARIES, "false");
    try {
      for (String name : classes) {
        Class.forName(name, true, loader);
      }
    } catch (ClassNotFoundException e) {
      throw new IOException("the jars of org.bytedeco:tensorrt are of different versions", e);
    } finally {
      if (before == null) {
        System.clearProperty(LOAD_LIBRARIES);
      } else {
        System.setProperty(LOAD_LIBRARIES, before);
      }
    }
  }

  private static Class<?> owner(Jni library) {
    // A class literal does not initialise the class.
    return switch (library) {
      case CUDA -> org.bytedeco.cuda.global.cudart.class;
      case TENSORRT -> nvinfer.class;
      case PLUGINS -> org.bytedeco.tensorrt.global.nvinfer_plugin.class;
      case PARSER -> org.bytedeco.tensorrt.global.nvonnxparser.class;
    };
  }

  @Override
  public int driverVersion() {
    int[] version = new int[1];
    cudaDriverGetVersion(version);
    return version[0];
  }

  @Override
  public int runtimeVersion() {
    int[] version = new int[1];
    cudaRuntimeGetVersion(version);
    return version[0];
  }

  @Override
  public int tensorRtVersion() {
    return nvinfer.getInferLibVersion();
  }

  @Override
  public Cuda cuda() {
    return new JavacppCuda();
  }
}
