package dev.rankrt;

import dev.rankrt.spi.BackendEngine;
import dev.rankrt.spi.BackendSession;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A model, loaded on one device. Safe for use by several threads; each thread that runs it takes a
 * {@link Session} of its own, and all sessions share the model's weights.
 *
 * <p>Whoever opens an engine closes it. Closing refuses new work at once, in open sessions too; the
 * model's memory is freed when the last of its sessions was closed.
 */
public final class Engine implements AutoCloseable {
  private static final Logger log = LoggerFactory.getLogger(Engine.class);

  private final String name;
  private final Device device;
  private final BackendEngine backend;
  private final List<TensorSpec> inputs;
  private final List<TensorSpec> outputs;
  private final EngineOptions options;
  private final int denseInput;
  private final boolean rowsAreIndependent;
  private final List<InputRules> requestRules;
  private final List<InputRules> rankRules;

  /** What {@code rank} is about; null where the engine is not of that kind. */
  private final RankInputs.Places rankPlaces;

  private final AtomicInteger sessionNumbers = new AtomicInteger();

  private final Object lifecycle = new Object();
  private int openSessions;
  private volatile boolean closed;

  /** The session that the engine was warmed up with, until somebody asks for one. */
  private Session spare;

  Engine(String name, Device device, BackendEngine backend, EngineOptions options) {
    this.name = name;
    this.device = device;
    this.backend = backend;
    this.inputs = List.copyOf(backend.inputs());
    this.outputs = List.copyOf(backend.outputs());
    this.options = options;
    if (backend.minBatch() > options.maxBatch()) {
      throw new IllegalArgumentException(
          this
              + " takes exactly "
              + backend.minBatch()
              + " rows a call without padding, maxBatch is "
              + options.maxBatch()
              + "; raise it, or allow padding");
    }
    options.idRanges().keySet().forEach(this::requireIdInput);
    this.rankPlaces =
        options.shared().isEmpty() || !givesScores()
            ? null
            : RankInputs.Places.of(inputs, options.shared());
    this.denseInput = findDenseInput();
    this.rowsAreIndependent = options.padding() && hasRowsOnly();
    this.requestRules = rulesOfInputs(rowsAreIndependent);
    this.rankRules = rulesOfInputs(candidatesAreIndependent());
  }

  /** Returns the rules of requests that take one run, or as many as they have rows for. */
  private List<InputRules> rulesOfInputs(boolean maySplit) {
    int mostRows = maySplit ? Integer.MAX_VALUE : maxBatch();
    return IntStream.range(0, inputs.size())
        .mapToObj(i -> rulesOf(i, minBatch(), mostRows))
        .toList();
  }

  /**
   * Runs every size that a backend prepares for, so that the first request finds all of it ready.
   * Called once, before anybody else knows the engine.
   */
  void warmUp() {
    if (!buckets().isEmpty()) {
      spare = newSession(); // which closes with the engine, whatever comes of the runs
      WarmUp.run(spare);
    }
  }

  /**
   * Opens a model with the default options.
   *
   * @param model an ONNX file, or a plan
   * @return the engine, owned by the caller
   * @throws ModelException if the file is missing or no model that can be run
   * @throws dev.rankrt.natives.NativeLoadException if no backend can be used here; it says what to
   *     add
   */
  public static Engine open(Path model) {
    return open(model, EngineOptions.defaults());
  }

  /**
   * Opens a model. On a GPU an ONNX file is built into a plan first, which takes from seconds to
   * minutes, unless the plan cache has it. Before the engine is returned, the batch sizes that the
   * backend prepares for have run, so that the first request is served as later ones are. A plan is
   * code that TensorRT executes: only open plans that you trust.
   *
   * @param model an ONNX file, or a plan
   * @param options where and how to run it
   * @return the engine, owned by the caller
   * @throws ModelException if the file is missing or no model that can be run
   * @throws IllegalArgumentException if the options name an input that the model has not
   * @throws dev.rankrt.natives.NativeLoadException if the device cannot be used here, with every
   *     reason
   */
  public static Engine open(Path model, EngineOptions options) {
    return Backends.installed().open(model, options);
  }

  /**
   * Returns the model's inputs.
   *
   * @return descriptions in the model's order; where candidates share inputs of the user's, those
   *     are last, and have no batch
   */
  public List<TensorSpec> inputs() {
    return inputs;
  }

  /**
   * Returns the model's outputs.
   *
   * @return descriptions in the model's order
   */
  public List<TensorSpec> outputs() {
    return outputs;
  }

  /**
   * Returns the device that the model runs on.
   *
   * @return a GPU or the CPU
   */
  public Device device() {
    return device;
  }

  /**
   * Returns the precision that the model computes in.
   *
   * @return on the CPU always {@link Precision#FP32}
   */
  public Precision precision() {
    return backend.precision();
  }

  /**
   * Returns what the precision costs in accuracy, as it was measured when the model was built.
   *
   * @return nothing in {@link Precision#FP32}, on the CPU, and for plans that another tool built
   */
  public Optional<AccuracyReport> accuracy() {
    return backend.accuracy();
  }

  /**
   * Returns the fewest rows that a call takes.
   *
   * @return 1, or the model's fixed batch where padding is switched off
   */
  public int minBatch() {
    return backend.minBatch();
  }

  /**
   * Returns the most rows that a call takes.
   *
   * @return what the options allow, or less where the model fixes its batch
   */
  public int maxBatch() {
    return backend.maxBatch();
  }

  /**
   * Creates a session: the memory and the means for one thread to run the model. The first one is
   * there at once, since the engine was warmed up with it; on a GPU each other one takes some
   * tenths of a second, in which a graph is captured for every batch size.
   *
   * @return the session, owned by the caller
   * @throws IllegalStateException if the engine is closed
   */
  public Session newSession() {
    synchronized (lifecycle) {
      requireOpen();
      if (spare != null) {
        Session session = spare;
        spare = null;
        return session;
      }
      openSessions++;
    }
    BackendSession memory = null;
    boolean success = false;
    try {
      memory = backend.newSession();
      Session session = new Session(this, sessionNumbers.incrementAndGet(), memory);
      success = true;
      return session;
    } finally {
      if (!success) {
        try {
          if (memory != null) {
            memory.close();
          }
        } finally {
          sessionClosed();
        }
      }
    }
  }

  /**
   * Refuses new work, and frees the model once its last session was closed. Closing again does
   * nothing; safe from any thread.
   */
  @Override
  public void close() {
    int open;
    Session unused;
    synchronized (lifecycle) {
      if (closed) {
        return;
      }
      closed = true;
      unused = spare;
      spare = null;
      open = openSessions - (unused == null ? 0 : 1);
    }
    if (open > 0) {
      log.warn(
          "{} was closed before {} of its sessions; its memory is freed with them", this, open);
    }
    if (unused != null) {
      unused.close(); // and the model with it, where it was the last
    } else if (open == 0) {
      backend.close();
    }
  }

  /**
   * Returns what the engine's sessions have run so far.
   *
   * @return counts since it was opened; safe to ask for at any time, also after the end
   */
  public EngineStats stats() {
    return backend.stats();
  }

  /** Returns the batch sizes that the backend prepares for, the smallest first. */
  List<Integer> buckets() {
    return backend.buckets();
  }

  /** Returns the rules of an input for requests of so many rows. */
  InputRules rulesOf(int input, int minRows, int maxRows) {
    TensorSpec spec = inputs.get(input);
    return new InputRules(this, spec, options.idRange(spec.name()).orElse(null), minRows, maxRows);
  }

  /**
   * Returns the rules of an input for requests that may be split: into any number of runs where
   * rows are independent, else into one.
   */
  InputRules rulesOfRequest(int input) {
    return requestRules.get(input);
  }

  /** Returns the rules of an input for requests of one user's candidates, which may be split. */
  InputRules rulesOfRank(int input) {
    return rankRules.get(input);
  }

  /** Tells whether a candidate's score is the same whichever others of the user it runs with. */
  boolean candidatesAreIndependent() {
    return options.padding();
  }

  /**
   * Returns the place of the float input where the model has one of these, one id input and one
   * float output, all with a batch; else a negative number.
   */
  int denseInput() {
    return denseInput;
  }

  private int findDenseInput() {
    boolean pair =
        inputs.size() == 2
            && inputs.get(0).type().isFloat() != inputs.get(1).type().isFloat()
            && hasRowsOnly()
            && givesScores();
    if (!pair) {
      return -1;
    }
    return inputs.get(0).type().isFloat() ? 0 : 1;
  }

  private boolean givesScores() {
    return outputs.size() == 1
        && outputs.get(0).type().isFloat()
        && outputs.get(0).shape().hasBatch();
  }

  /** Tells whether every input and output has a batch. */
  private boolean hasRowsOnly() {
    return Stream.concat(inputs.stream(), outputs.stream())
        .allMatch(spec -> spec.shape().hasBatch());
  }

  /** Returns why {@code infer} is not for this engine, and what is. */
  UnsupportedOperationException notDenseAndSparse(String byName) {
    return unsupported(
        "infer is for models with one float input, one id input and one float output, each with a batch; ",
        ranks() ? "some are shared among candidates: use rank" : byName);
  }

  /** Tells whether {@code rank} is for this engine. */
  boolean ranks() {
    return rankPlaces != null;
  }

  /** Returns the inputs that {@code rank} is about, or says what to do instead. */
  RankInputs.Places rankPlaces(String byName) {
    if (rankPlaces == null) {
      throw unsupported(
          "rank is for models with one float input, one id input and one float output, opened with"
              + " inputs that candidates share; ",
          options.shared().isEmpty()
              ? "open it with EngineOptions.builder().shared(input, from, to), or use infer"
              : byName);
    }
    return rankPlaces;
  }

  private UnsupportedOperationException unsupported(String what, String instead) {
    return new UnsupportedOperationException(
        what + this + " has inputs " + inputs + " and outputs " + outputs + "; " + instead);
  }

  /** Tells whether a row's results are the same whichever rows it runs with. */
  boolean rowsAreIndependent() {
    return rowsAreIndependent;
  }

  /** Returns how many runs of the largest size keep the device busy; infinity if none do. */
  double runsThatFill() {
    return backend.runsThatFill();
  }

  /** Returns the PCI address of the GPU, or a name that no GPU has. */
  String pciAddress() {
    return backend.pciAddress().orElse(device.toString());
  }

  /** Says why a number of rows was refused. */
  String rowsRefused(int rows) {
    int minBatch = minBatch();
    int maxBatch = maxBatch();
    String given = (rows == 0 ? "no" : Integer.toString(rows)) + " rows given; " + this;
    if (minBatch == maxBatch && minBatch > 1) {
      return given
          + " takes exactly "
          + maxBatch
          + " rows a call, the batch that it was exported with";
    }
    given += " takes " + minBatch + " to " + maxBatch + " rows a call";
    return maxBatch < options.maxBatch()
        ? given
            + ", "
            + maxBatch
            + " being the batch that it was exported with; split larger requests"
        : given + "; split larger requests or raise maxBatch";
  }

  void requireOpen() {
    if (closed) {
      throw new IllegalStateException(this + " is closed");
    }
  }

  void sessionClosed() {
    boolean last;
    synchronized (lifecycle) {
      openSessions--;
      last = closed && openSessions == 0;
    }
    if (last) {
      try {
        backend.close();
      } catch (RuntimeException e) {
        // Whoever happened to be last may be a call that has its answer: it goes on.
        log.error("closing {} failed", this, e);
      }
    }
  }

  private void requireIdInput(String input) {
    TensorSpec spec = inputs.get(TensorSpec.indexOf(inputs, "input", input, this));
    if (spec.type().isFloat()) {
      throw new IllegalArgumentException(
          "an id range was declared for input " + spec + " of " + this + ", which takes no ids");
    }
  }

  @Override
  public String toString() {
    return name + " on " + device;
  }
}
