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

  /** What it reports to its makers ends a process that has a long command line, or no shell. */
  private static final String CRASHING_VERSION = "1.29.0";

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
      Class<?> probe = Class.forName(PROBE, false, OnnxRuntimeBackend.class.getClassLoader());
      String version = probe.getPackage().getImplementationVersion();
      return crashing(version, System.getenv("ORT_DISABLE_TELEMETRY"))
          .or(OnnxRuntimeEngine::unavailable);
    } catch (ClassNotFoundException e) {
      return Optional.of(
          "ONNX Runtime is not on the class path; add com.microsoft.onnxruntime:onnxruntime");
    }
  }

  static Optional<String> crashing(String version, String telemetryDisabled) {
    return CRASHING_VERSION.equals(version) && !"1".equals(telemetryDisabled)
        ? Optional.of(
            "ONNX Runtime "
                + CRASHING_VERSION
                + " ends processes whose command line is longer than 4000 bytes or"
                + " that have no /bin/sh; take com.microsoft.onnxruntime:onnxruntime:1.28.0, or set"
                + " ORT_DISABLE_TELEMETRY=1 in the environment")
        : Optional.empty();
  }

  @Override
  public BackendEngine open(Path model, Device device, EngineOptions options) {
    return OnnxRuntimeEngine.open(model, options);
  }
}
