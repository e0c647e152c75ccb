package dev.rankrt.internal.onnxruntime;

import dev.rankrt.Device;
import dev.rankrt.EngineOptions;
import dev.rankrt.spi.Backend;
import dev.rankrt.spi.BackendEngine;
import java.nio.file.Path;
import java.util.Optional;

/**
 * Runs models on the CPU through ONNX Runtime, where that is on the class path. Safe for use by
 * several threads.
 */
public final class OnnxRuntimeBackend implements Backend {
  private static final String PROBE = "ai.onnxruntime.OrtEnvironment";

  @Override
  public String name() {
    return "ONNX Runtime";
  }

  @Override
  public Device.Type deviceType() {
    return Device.Type.CPU;
  }

  @Override
  public Optional<String> unavailable(Device device) {
    try {
      // Not initialized here: that loads the native library, and may fail in ways of its own.
      Class.forName(PROBE, false, OnnxRuntimeBackend.class.getClassLoader());
      return OnnxRuntimeEngine.unavailable();
    } catch (ClassNotFoundException e) {
      return Optional.of(
          "ONNX Runtime is not on the class path; add com.microsoft.onnxruntime:onnxruntime");
    }
  }

  @Override
  public BackendEngine open(Path model, Device device, EngineOptions options) {
    return OnnxRuntimeEngine.open(model, options);
  }
}
