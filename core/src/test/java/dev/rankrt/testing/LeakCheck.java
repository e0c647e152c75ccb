package dev.rankrt.testing;

import dev.rankrt.Device;
import dev.rankrt.EngineOptions;
import dev.rankrt.EngineStats;
import dev.rankrt.Precision;
import dev.rankrt.TensorSpec;
import dev.rankrt.spi.Backend;
import dev.rankrt.spi.BackendEngine;
import dev.rankrt.spi.BackendSession;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.ConcurrentLinkedQueue;
import org.junit.jupiter.api.extension.AfterEachCallback;
import org.junit.jupiter.api.extension.ExtensionContext;

/**
 * Fails a test that leaves an engine or a session open: it stands between the API and the backends
 * and knows what they have handed out. Engines that a test class keeps for all of its tests are
 * {@link #keep kept}. Safe for use by several threads.
 */
public final class LeakCheck implements AfterEachCallback {
  private final Collection<AutoCloseable> open = new ConcurrentLinkedQueue<>();

  /** Returns a backend that does what another does, and is watched. */
  public Backend watch(Backend backend) {
    return new Watched(backend);
  }

  /** Takes the engines that are open now for the class's own. */
  public void keep() {
    open.removeIf(BackendEngine.class::isInstance);
  }

  @Override
  public void afterEach(ExtensionContext context) {
    List<AutoCloseable> left = new ArrayList<>(open);
    open.clear();
    if (!left.isEmpty()) {
      throw new AssertionError("left open: " + left);
    }
  }

  private final class Watched implements Backend {
    private final Backend backend;

    Watched(Backend backend) {
      this.backend = backend;
    }

    @Override
    public String name() {
      return backend.name();
    }

    @Override
    public Device.Type deviceType() {
      return backend.deviceType();
    }

    @Override
    public Optional<String> unavailable(Device device) {
      return backend.unavailable(device);
    }

    @Override
    public BackendEngine open(Path model, Device device, EngineOptions options) {
      BackendEngine engine = new WatchedEngine(backend.open(model, device, options), model);
      open.add(engine);
      return engine;
    }
  }

  private final class WatchedEngine implements BackendEngine {
    private final BackendEngine engine;
    private final Path model;

    WatchedEngine(BackendEngine engine, Path model) {
      this.engine = engine;
      this.model = model;
    }

    @Override
    public List<TensorSpec> inputs() {
      return engine.inputs();
    }

    @Override
    public List<TensorSpec> outputs() {
      return engine.outputs();
    }

    @Override
    public int minBatch() {
      return engine.minBatch();
    }

    @Override
    public int maxBatch() {
      return engine.maxBatch();
    }

    @Override
    public Precision precision() {
      return engine.precision();
    }

    @Override
    public List<Integer> buckets() {
      return engine.buckets();
    }

    @Override
    public EngineStats stats() {
      return engine.stats();
    }

    @Override
    public BackendSession newSession() {
      BackendSession session = new WatchedSession(engine.newSession(), model);
      open.add(session);
      return session;
    }

    @Override
    public void close() {
      open.remove(this);
      engine.close();
    }

    @Override
    public String toString() {
      return "engine of " + model;
    }
  }

  private final class WatchedSession implements BackendSession {
    private final BackendSession session;
    private final Path model;

    WatchedSession(BackendSession session, Path model) {
      this.session = session;
      this.model = model;
    }

    @Override
    public ByteBuffer input(int index) {
      return session.input(index);
    }

    @Override
    public ByteBuffer output(int index) {
      return session.output(index);
    }

    @Override
    public void run(int rows) {
      session.run(rows);
    }

    @Override
    public void close() {
      open.remove(this);
      session.close();
    }

    @Override
    public String toString() {
      return "session of " + model;
    }
  }
}
