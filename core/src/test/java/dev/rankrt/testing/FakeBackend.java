package dev.rankrt.testing;

import dev.rankrt.DataType;
import dev.rankrt.Device;
import dev.rankrt.EngineOptions;
import dev.rankrt.EngineStats;
import dev.rankrt.Precision;
import dev.rankrt.Shape;
import dev.rankrt.TensorSpec;
import dev.rankrt.spi.Backend;
import dev.rankrt.spi.BackendEngine;
import dev.rankrt.spi.BackendSession;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.IntConsumer;
import java.util.function.ToDoubleFunction;

/**
 * A backend whose model adds nothing up: what it does in a run, and how it fails, a test decides.
 * It fails by itself when it is used against the SPI's promises: freed twice, freed during a run,
 * run by two threads at once, an engine freed before its sessions. Safe for use by several threads,
 * once it is set up.
 */
public final class FakeBackend implements Backend {
  /** The inputs of the model: one of floats, one of ids, one value each a row. */
  public static final List<TensorSpec> PAIR =
      List.of(
          new TensorSpec("dense", DataType.FLOAT32, Shape.of(Shape.BATCH, 1)),
          new TensorSpec("ids", DataType.INT64, Shape.of(Shape.BATCH, 1)));

  /** The output of the model: one score a row. */
  public static final List<TensorSpec> SCORE =
      List.of(new TensorSpec("score", DataType.FLOAT32, Shape.of(Shape.BATCH)));

  /** A file, where it matters to nobody what is in it. It goes when the JVM ends. */
  public static final Path ANY_MODEL = anyModel();

  private final String name;
  private final Device.Type type;

  /** Why the backend says that it cannot be used, if it does. */
  public Optional<String> unavailable = Optional.empty();

  /** What opening a model throws. */
  public volatile RuntimeException openFailure;

  /** What a new session throws. */
  public RuntimeException sessionFailure;

  /** What asking for a session's output memory throws. */
  public RuntimeException memoryFailure;

  /** What freeing an engine or a session throws, after it was counted. */
  public RuntimeException closeFailure;

  /** What happens before an engine or a session is freed. */
  public volatile Runnable beforeClose = () -> {};

  /** What happens in a run, before its scores are there. */
  public volatile IntConsumer duringRun = rows -> {};

  /** What happens in a run on one device, after that. */
  public final Map<Device, IntConsumer> duringRunOn = new ConcurrentHashMap<>();

  /** What a model adds to its scores: tells models apart. */
  public volatile ToDoubleFunction<Path> bias = model -> 0;

  public List<TensorSpec> inputs = PAIR;
  public List<TensorSpec> outputs = SCORE;
  public int minBatch = 1;

  /** How many full runs keep a device busy; on processors none do. */
  public double runsThatFill;

  /** The batch sizes that a model is warmed up with. */
  public List<Integer> buckets = List.of();

  public final AtomicInteger opens = new AtomicInteger();
  public final AtomicInteger openEngines = new AtomicInteger();
  public final AtomicInteger openSessions = new AtomicInteger();
  public final AtomicInteger runs = new AtomicInteger();

  /** How often the SPI's promises were broken. */
  public final AtomicInteger broken = new AtomicInteger();

  /** Creates a backend that works. */
  public FakeBackend(String name, Device.Type type) {
    this.name = name;
    this.type = type;
    this.runsThatFill = type == Device.Type.GPU ? 1.5 : Double.POSITIVE_INFINITY;
  }

  private static Path anyModel() {
    try {
      Path model = Files.createTempFile("fake", ".onnx");
      model.toFile().deleteOnExit();
      return Files.write(model, new byte[] {1});
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  @Override
  public String name() {
    return name;
  }

  @Override
  public Device.Type deviceType() {
    return type;
  }

  @Override
  public Optional<String> unavailable(Device device) {
    return unavailable;
  }

  @Override
  public BackendEngine open(Path model, Device device, EngineOptions options) {
    opens.incrementAndGet();
    fail(openFailure);
    openEngines.incrementAndGet();
    return new FakeEngine(device, options.maxBatch(), (float) bias.applyAsDouble(model));
  }

  private static void fail(RuntimeException failure) {
    if (failure != null) {
      throw failure;
    }
  }

  private void promise(boolean kept) {
    if (!kept) {
      broken.incrementAndGet();
      throw new AssertionError("the SPI's promise was broken");
    }
  }

  private final class FakeEngine implements BackendEngine {
    private final Device device;
    private final int maxBatch;
    private final float bias;
    private final int fewestRows = minBatch;
    private final AtomicInteger sessions = new AtomicInteger();
    private final AtomicInteger closes = new AtomicInteger();

    FakeEngine(Device device, int maxBatch, float bias) {
      this.device = device;
      this.maxBatch = maxBatch;
      this.bias = bias;
    }

    @Override
    public List<TensorSpec> inputs() {
      return inputs;
    }

    @Override
    public List<TensorSpec> outputs() {
      return outputs;
    }

    @Override
    public int minBatch() {
      return fewestRows;
    }

    @Override
    public int maxBatch() {
      return maxBatch;
    }

    @Override
    public List<Integer> buckets() {
      return buckets;
    }

    @Override
    public double runsThatFill() {
      return runsThatFill;
    }

    @Override
    public Precision precision() {
      return Precision.FP32;
    }

    @Override
    public EngineStats stats() {
      return new EngineStats(runs.get(), 0, 0, 0);
    }

    @Override
    public BackendSession newSession() {
      promise(closes.get() == 0);
      fail(sessionFailure);
      sessions.incrementAndGet();
      openSessions.incrementAndGet();
      return new FakeSession(this);
    }

    @Override
    public void close() {
      beforeClose.run();
      promise(closes.incrementAndGet() == 1 && sessions.get() == 0);
      openEngines.decrementAndGet();
      fail(closeFailure);
    }
  }

  private final class FakeSession implements BackendSession {
    private final FakeEngine engine;
    private final boolean scores = inputs.equals(PAIR) && outputs.equals(SCORE);
    private final List<ByteBuffer> inputMemory;
    private final List<ByteBuffer> outputMemory;
    private final AtomicInteger inside = new AtomicInteger();
    private final AtomicInteger closes = new AtomicInteger();

    FakeSession(FakeEngine engine) {
      this.engine = engine;
      this.inputMemory = engine.inputs().stream().map(this::memory).toList();
      this.outputMemory = engine.outputs().stream().map(this::memory).toList();
    }

    private ByteBuffer memory(TensorSpec spec) {
      long bytes = spec.shape().elements(engine.maxBatch()) * spec.type().hostBytes();
      return ByteBuffer.allocateDirect(Math.toIntExact(bytes)).order(ByteOrder.nativeOrder());
    }

    @Override
    public ByteBuffer input(int index) {
      return inputMemory.get(index);
    }

    @Override
    public ByteBuffer output(int index) {
      fail(memoryFailure);
      return outputMemory.get(index);
    }

    @Override
    public void run(int rows) {
      promise(inside.incrementAndGet() == 1 && closes.get() == 0);
      try {
        runs.incrementAndGet();
        duringRun.accept(rows);
        duringRunOn.getOrDefault(engine.device, any -> {}).accept(rows);
        if (scores) {
          for (int row = 0; row < rows; row++) {
            float score =
                engine.bias
                    + inputMemory.get(0).getFloat(row * Float.BYTES)
                    + inputMemory.get(1).getLong(row * Long.BYTES);
            outputMemory.get(0).putFloat(row * Float.BYTES, score);
          }
        }
        promise(closes.get() == 0);
      } finally {
        inside.decrementAndGet();
      }
    }

    @Override
    public void close() {
      beforeClose.run();
      promise(closes.incrementAndGet() == 1 && inside.get() == 0);
      engine.sessions.decrementAndGet();
      openSessions.decrementAndGet();
      fail(closeFailure);
    }
  }
}
