package dev.rankrt.natives;

import java.nio.file.Path;
import java.util.Map;
import java.util.Objects;

/**
 * What was loaded, and from where. Immutable.
 *
 * @param platform {@code linux-x86_64} or {@code linux-arm64}
 * @param driverCuda the newest CUDA that the driver supports, such as {@code 12.9}
 * @param cudaRuntime the version of {@code libcudart}, such as {@code 12.6}
 * @param tensorRt the version of {@code libnvinfer}, such as {@code 10.6.0}
 * @param presets the versions of the bindings, such as {@code tensorrt 10.6-1.5.11, cuda
 *     12.6-9.5-1.5.11}
 * @param files the file behind each library's name
 * @param parserFound whether TensorRT's ONNX parser is there, without which only plans load
 * @param pluginsLoaded whether TensorRT's plugins were found and loaded
 */
public record NativeInfo(
    String platform,
    String driverCuda,
    String cudaRuntime,
    String tensorRt,
    String presets,
    Map<String, Path> files,
    boolean parserFound,
    boolean pluginsLoaded) {

  /**
   * Copies the map.
   *
   * @param platform the bindings' platform
   * @param driverCuda the newest CUDA that the driver supports
   * @param cudaRuntime the version of {@code libcudart}
   * @param tensorRt the version of {@code libnvinfer}
   * @param presets the versions of the bindings
   * @param files the file behind each library's name
   * @param parserFound whether the ONNX parser is there
   * @param pluginsLoaded whether plugins were loaded
   */
  public NativeInfo {
    Objects.requireNonNull(platform, "platform");
    Objects.requireNonNull(driverCuda, "driverCuda");
    Objects.requireNonNull(cudaRuntime, "cudaRuntime");
    Objects.requireNonNull(tensorRt, "tensorRt");
    Objects.requireNonNull(presets, "presets");
    files = Map.copyOf(files);
  }
}
