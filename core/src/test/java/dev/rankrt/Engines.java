package dev.rankrt;

import dev.rankrt.spi.Backend;
import dev.rankrt.testing.LeakCheck;
import dev.rankrt.testing.OnnxModel;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.ServiceLoader;
import java.util.stream.Stream;

/**
 * Opens models for a test class through the backends that are installed, each of them watched for
 * what is left open. Engines that many tests use are opened once: on a GPU that takes seconds.
 */
final class Engines implements AutoCloseable {
  private final LeakCheck leaks;
  private final Backends backends;
  private final Path folder;
  private final Map<String, Engine> shared = new LinkedHashMap<>();

  Engines(LeakCheck leaks) {
    this.leaks = leaks;
    this.backends =
        new Backends(
            ServiceLoader.load(Backend.class).stream()
                .map(provider -> leaks.watch(provider.get()))
                .toList());
    try {
      this.folder = Files.createTempDirectory("rankrt-test");
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** Returns the installed backends, watched. */
  Backends backends() {
    return backends;
  }

  /** Returns a path in a folder that goes with this object. */
  Path path(String name) {
    return folder.resolve(name);
  }

  Path write(String name, byte[] contents) {
    try {
      return Files.write(path(name), contents);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** Opens an engine, which the caller closes. */
  Engine open(Path model, EngineOptions.Builder options) {
    return backends.open(model, options.build());
  }

  Engine open(OnnxModel model, EngineOptions.Builder options) {
    return open(write("model.onnx", model.bytes()), options);
  }

  /** Opens an engine the first time, and gives the same one afterwards; nobody closes it. */
  Engine shared(String name, byte[] model, EngineOptions.Builder options) {
    return shared.computeIfAbsent(
        name,
        file -> {
          Engine engine = open(write(file, model), options);
          leaks.keep();
          return engine;
        });
  }

  @Override
  public void close() {
    shared.values().forEach(Engine::close);
    try (Stream<Path> files = Files.walk(folder)) {
      List<Path> all = files.sorted(Comparator.reverseOrder()).toList();
      for (Path file : all) {
        Files.delete(file);
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
