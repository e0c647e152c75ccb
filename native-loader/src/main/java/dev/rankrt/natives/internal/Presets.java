package dev.rankrt.natives.internal;

import dev.rankrt.natives.NativeLoadException;
import java.io.IOException;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.bytedeco.javacpp.Loader;
import org.bytedeco.javacpp.annotation.Properties;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What the bindings on the class path were built for. Immutable.
 *
 * <p>Read from their annotations, since the constants of their global classes cannot be read
 * without loading the libraries that this is about, and a constant that the compiler copied into
 * our own classes would tell what we were compiled with, not what is here.
 *
 * @param cudaMajor the {@code 12} of {@code libcudart.so.12}
 * @param tensorRt the version of TensorRT
 * @param cudaArtifact the version of {@code org.bytedeco:cuda}
 * @param tensorRtArtifact the version of {@code org.bytedeco:tensorrt}
 */
record Presets(int cudaMajor, Version tensorRt, String cudaArtifact, String tensorRtArtifact) {
  private static final Logger LOG = LoggerFactory.getLogger(Presets.class);
  private static final Pattern CUDART = Pattern.compile("cudart@\\.(\\d+)");
  private static final Pattern RESOURCE =
      Pattern.compile("nvinfer_builder_resource\\w*@\\.(\\d+)\\.(\\d+)\\.(\\d+)");

  /** Returns those on the class path. */
  static Presets read() {
    Matcher cudart = find(org.bytedeco.cuda.presets.cudart.class, CUDART);
    Matcher tensorRt = find(org.bytedeco.tensorrt.presets.nvinfer.class, RESOURCE);
    return new Presets(
        Integer.parseInt(cudart.group(1)),
        new Version(
            Integer.parseInt(tensorRt.group(1)),
            Integer.parseInt(tensorRt.group(2)),
            Integer.parseInt(tensorRt.group(3))),
        artifact("cuda"),
        artifact("tensorrt"));
  }

  String libcudart() {
    return "libcudart.so." + cudaMajor;
  }

  /** Returns the name under which the linker knows a library of TensorRT. */
  String library(String stem) {
    return "lib" + stem + ".so." + tensorRt.major();
  }

  private static Matcher find(Class<?> presets, Pattern pattern) {
    StringBuilder names = new StringBuilder();
    for (org.bytedeco.javacpp.annotation.Platform platform :
        presets.getAnnotation(Properties.class).value()) {
      names.append(String.join(" ", platform.link())).append(' ');
      names.append(String.join(" ", platform.preload())).append(' ');
    }
    Matcher matcher = pattern.matcher(names);
    if (!matcher.find()) {
      throw new NativeLoadException(
          "unknown bindings: found "
              + presets.getName()
              + " with the libraries "
              + names
              + ", wanted one of them to match "
              + pattern
              + "; use a release of org.bytedeco:cuda and tensorrt that RankRT names");
    }
    return matcher;
  }

  private static String artifact(String name) {
    try {
      String version = Loader.getVersion("org.bytedeco", name, Loader.class);
      if (version != null) {
        return version;
      }
    } catch (IOException e) {
      LOG.debug("cannot read the version of org.bytedeco:{}", name, e);
    }
    // A repackaged jar may have lost its pom.properties. Messages then lack the exact version.
    return "(unknown version)";
  }

  @Override
  public String toString() {
    return "tensorrt " + tensorRtArtifact + ", cuda " + cudaArtifact;
  }
}
