package dev.rankrt.natives.internal;

import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;

/**
 * Everything that loading asks of the machine and does to the process, so that tests can play every
 * machine. One thread at a time.
 */
interface Machine {
  /** The three JNI libraries of the bindings, each with the classes that it implements. */
  enum Jni {
    CUDA("cuda", "jnicudart"),
    TENSORRT("tensorrt", "jninvinfer"),
    PLUGINS("tensorrt", "jninvinfer_plugin"),
    PARSER("tensorrt", "jninvonnxparser");

    final String artifact;
    final String library;

    Jni(String artifact, String library) {
      this.artifact = artifact;
      this.library = library;
    }

    /** Returns where the jar of a platform holds it. */
    String resource(Platform platform) {
      return "org/bytedeco/" + artifact + "/" + platform.classifier + "/lib" + library + ".so";
    }
  }

  /** Returns {@code os.name}. */
  String osName();

  /** Returns {@code os.arch}. */
  String osArch();

  /** Returns whether this process runs on musl instead of glibc. */
  boolean musl();

  /** Returns an environment variable, or an empty text. */
  String environment(String name);

  /** Returns whether a file exists. */
  boolean exists(Path file);

  /** Returns the names in a folder that start with a prefix, sorted; none if there is no folder. */
  List<String> list(Path folder, String prefix);

  /** Returns whether the class path holds a resource. */
  boolean hasResource(String path);

  /**
   * Extracts a resource, unless an earlier process did.
   *
   * @return the file, named as the resource is
   * @throws IOException if no folder takes it
   */
  Path extract(String resource, Optional<Path> cacheFolder) throws IOException;

  /**
   * Makes the dynamic linker load a library by its name.
   *
   * @param folder where to look before the linker's own places
   * @return the file that the linker chose
   * @throws UnsatisfiedLinkError if it found none, or could not load it
   */
  Path open(String name, Optional<Path> folder);

  /** Initialises JavaCPP, which has not loaded anything of ours yet. */
  void prepareJavacpp();

  /**
   * Tells JavaCPP of a library that is loaded, so that it never loads a second copy.
   *
   * @param name as JavaCPP spells it, such as {@code cudart@.12}
   */
  void adopt(Jni user, String name, Path file);

  /**
   * Loads a JNI library.
   *
   * @throws UnsatisfiedLinkError if that fails
   * @throws IOException if its list of classes cannot be read
   */
  void bind(Jni library, Platform platform) throws IOException;

  /** Returns what CUDA that the driver supports, such as {@code 12090}. */
  int driverVersion();

  /** Returns the version of {@code libcudart}. */
  int runtimeVersion();

  /** Returns the number of {@code libnvinfer}'s version, such as {@code 100600}. */
  int tensorRtVersion();

  /** Returns CUDA, once {@link Jni#CUDA} is bound. */
  Cuda cuda();
}
