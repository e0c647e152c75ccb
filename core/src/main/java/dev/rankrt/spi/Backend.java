package dev.rankrt.spi;

import dev.rankrt.Device;
import dev.rankrt.EngineOptions;
import java.nio.file.Path;
import java.util.Optional;

/**
 * One way of running models, found through {@link java.util.ServiceLoader}. Safe for use by several
 * threads.
 *
 * <p>Merely finding a backend must load no native library and no class of an optional dependency.
 */
public interface Backend {
  /**
   * Returns the backend's name for logs and messages.
   *
   * @return such as {@code TensorRT}
   */
  String name();

  /**
   * Returns the kind of device that it runs models on.
   *
   * @return {@link Device.Type#GPU} or {@link Device.Type#CPU}
   */
  Device.Type deviceType();

  /**
   * Tells why a device cannot be used, loading what the backend needs to find out.
   *
   * @param device a device of this backend's kind
   * @return the reason and what to do about it, or nothing where all is well
   */
  Optional<String> unavailable(Device device);

  /**
   * Loads a model, building it first where that is needed. Inputs that the options share become
   * what {@link EngineOptions.Builder#shared(String, int, int)} says.
   *
   * @param model an existing, readable, non-empty file
   * @param device a device of this backend's kind that was found available
   * @param options what the user asked for
   * @return the loaded model, owned by the caller
   * @throws dev.rankrt.ModelException if the file is not a model that the backend can run
   */
  BackendEngine open(Path model, Device device, EngineOptions options);
}
