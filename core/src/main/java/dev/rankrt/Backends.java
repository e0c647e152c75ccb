package dev.rankrt;

import dev.rankrt.natives.CudaException;
import dev.rankrt.natives.NativeLoadException;
import dev.rankrt.natives.internal.Closing;
import dev.rankrt.spi.Backend;
import dev.rankrt.spi.BackendEngine;
import java.io.IOException;
import java.nio.file.FileSystems;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.ServiceLoader;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The backends that offer themselves, and the choice among them. */
final class Backends {
  private static final Logger log = LoggerFactory.getLogger(Backends.class);

  private static final String NO_BACKEND = "no backend for it is on the class path";

  private final List<Backend> backends;

  Backends(List<Backend> backends) {
    this.backends = List.copyOf(backends);
  }

  static Backends installed() {
    return new Backends(
        ServiceLoader.load(Backend.class, Backend.class.getClassLoader()).stream()
            .map(ServiceLoader.Provider::get)
            .toList());
  }

  Engine open(Path model, EngineOptions options) {
    return open(model, Objects.requireNonNull(options, "options").device(), options);
  }

  /** Opens on a device, whatever the options say of it. */
  Engine open(Path model, Device device, EngineOptions options) {
    requireReadableFile(model);
    return device.type() == Device.Type.AUTO
        ? openAnywhere(model, options)
        : openOn(device, model, options);
  }

  /**
   * Opens on the first GPU where everything works, else on the CPU; a model that is at fault fails
   * at once.
   */
  private Engine openAnywhere(Path model, EngineOptions options) {
    List<String> reasons = new ArrayList<>();
    for (Device device : List.of(Device.gpu(0), Device.cpu())) {
      List<Backend> offering = offering(device);
      if (offering.isEmpty()) {
        reasons.add("not on " + device + ": " + NO_BACKEND);
      }
      for (Backend backend : offering) {
        Optional<String> unavailable = backend.unavailable(device);
        if (unavailable.isPresent()) {
          reasons.add(reason(device, backend, unavailable.get()));
          continue;
        }
        try {
          Engine engine = open(backend, device, model, options);
          String why =
              reasons.isEmpty() ? "everything that it needs works" : String.join("; ", reasons);
          log.info("{} through {}, in {}: {}", engine, backend.name(), engine.precision(), why);
          return engine;
        } catch (NativeLoadException | CudaException e) {
          reasons.add(reason(device, backend, e.getMessage()));
        }
      }
    }
    throw new NativeLoadException(model + " cannot run here. " + String.join("; ", reasons));
  }

  private Engine openOn(Device device, Path model, EngineOptions options) {
    List<String> reasons = new ArrayList<>();
    for (Backend backend : offering(device)) {
      Optional<String> unavailable = backend.unavailable(device);
      if (unavailable.isEmpty()) {
        return open(backend, device, model, options);
      }
      reasons.add(backend.name() + ": " + unavailable.get());
    }
    throw new NativeLoadException(
        model
            + " cannot run on "
            + device
            + ": "
            + (reasons.isEmpty() ? NO_BACKEND : String.join("; ", reasons)));
  }

  private static Engine open(Backend backend, Device device, Path model, EngineOptions options) {
    BackendEngine loaded = backend.open(model, device, options);
    Engine engine;
    try {
      engine = new Engine(model.getFileName().toString(), device, loaded, options);
    } catch (RuntimeException | Error e) {
      Closing.after(e, loaded::close);
      throw e;
    }
    try {
      engine.warmUp();
      return engine;
    } catch (RuntimeException | Error e) {
      Closing.after(e, engine::close);
      throw e;
    }
  }

  private List<Backend> offering(Device device) {
    return backends.stream().filter(backend -> backend.deviceType() == device.type()).toList();
  }

  private static String reason(Device device, Backend backend, String reason) {
    return "not on " + device + " (" + backend.name() + "): " + reason;
  }

  private static void requireReadableFile(Path model) {
    if (!model.getFileSystem().equals(FileSystems.getDefault())) {
      throw new ModelException(
          model + " is in " + model.getFileSystem() + "; native code needs a file: copy it to one");
    }
    if (!Files.exists(model)) {
      throw new ModelException(
          "model file not found: "
              + model.toAbsolutePath()
              + "; check the path, or export the model to it");
    }
    if (!Files.isRegularFile(model)) {
      throw new ModelException(
          "not a file: "
              + model.toAbsolutePath()
              + (Files.isDirectory(model) ? " is a folder; name the model in it" : ""));
    }
    if (!Files.isReadable(model)) {
      throw new ModelException(
          "not a file that this process may read: "
              + model.toAbsolutePath()
              + "; change its permissions, or the user that the process runs as");
    }
    try {
      if (Files.size(model) == 0) {
        throw new ModelException("model file is empty: " + model.toAbsolutePath());
      }
    } catch (IOException e) {
      throw new ModelException("cannot read model file " + model.toAbsolutePath() + ": " + e, e);
    }
  }
}
