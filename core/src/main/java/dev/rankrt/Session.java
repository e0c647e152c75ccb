package dev.rankrt;

import dev.rankrt.spi.BackendSession;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.FloatBuffer;
import java.nio.IntBuffer;
import java.nio.LongBuffer;
import java.util.stream.IntStream;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One thread's means to run a model: its memory and, on a GPU, its stream. One thread at a time: a
 * call that finds another thread inside fails and names both.
 *
 * <p>Every request is checked before anything is copied, and one that is refused or fails leaves
 * the session usable. Whoever opened a session closes it; closing is safe from any thread, waits
 * for nothing, and lets a call that is under way finish and free the session's memory behind it.
 *
 * <h2>Two ways to run</h2>
 *
 * <p>{@code infer} is for models with one float input, one id input and one float output, whatever
 * their names, and {@code rank} for the same with one user and many candidates. Any other model is
 * fed by name:
 *
 * <pre>{@code
 * session.input("history").put(history);
 * session.input("item").put(items);
 * session.run(rows);
 * float[] ctr = session.output("ctr").toFloatArray();
 * }</pre>
 */
public final class Session implements AutoCloseable {
  private static final Logger log = LoggerFactory.getLogger(Session.class);
  private static final Object CLOSED = "closed";
  private static final String BY_NAME = "use input(name).put(values), run(rows) and output(name)";
  private static final VarHandle USER;

  static {
    try {
      USER = MethodHandles.lookup().findVarHandle(Session.class, "user", Object.class);
    } catch (ReflectiveOperationException e) {
      throw new ExceptionInInitializerError(e);
    }
  }

  private final Engine engine;
  private final int number;
  private final BackendSession backend;
  private final InputTensor[] inputs;
  private final OutputTensor[] outputs;
  private final int minBatch;
  private final int maxBatch;

  /**
   * The inputs and the output that {@code infer} is about; null where the model is not of that
   * kind.
   */
  private final InputTensor dense;

  private final InputTensor sparse;
  private final OutputTensor scores;

  /** The thread inside, {@link #CLOSED} at the end, else null. */
  @SuppressWarnings("unused") // through USER
  private volatile Object user;

  private volatile boolean closing;

  Session(Engine engine, int number, BackendSession backend) {
    this.engine = engine;
    this.number = number;
    this.backend = backend;
    this.minBatch = engine.minBatch();
    this.maxBatch = engine.maxBatch();
    this.inputs =
        IntStream.range(0, engine.inputs().size())
            .mapToObj(
                i -> new InputTensor(this, engine.rulesOf(i, minBatch, maxBatch), backend.input(i)))
            .toArray(InputTensor[]::new);
    this.outputs =
        IntStream.range(0, engine.outputs().size())
            .mapToObj(i -> new OutputTensor(this, engine.outputs().get(i), backend.output(i)))
            .toArray(OutputTensor[]::new);
    int denseIndex = engine.denseInput();
    boolean pair = denseIndex >= 0;
    this.dense = pair ? inputs[denseIndex] : null;
    this.sparse = pair ? inputs[1 - denseIndex] : null;
    this.scores = pair || engine.ranks() ? outputs[0] : null;
  }

  /** Tells whether the model is of the kind that {@code infer} is for. */
  boolean takesDenseAndSparse() {
    return dense != null;
  }

  /** Returns the input of floats that {@code infer} is about. */
  InputTensor dense() {
    return dense;
  }

  /** Returns the input of ids that {@code infer} is about. */
  InputTensor sparse() {
    return sparse;
  }

  /**
   * Scores rows of floats and ids.
   *
   * @param dense rows of floats, one after the other
   * @param sparse as many rows of ids, one after the other
   * @return a new array with the scores of each row, one after the other
   * @throws IllegalArgumentException if a value does not fit, naming the input, what was given and
   *     what is wanted
   * @throws IllegalStateException if the session or its engine is closed, or another thread is
   *     using the session
   * @throws UnsupportedOperationException if the model has other inputs or outputs
   * @throws InferenceException if the run failed
   */
  public float[] infer(float[] dense, int[] sparse) {
    return infer(Values.FLOAT_ARRAY, dense, Values.INT_ARRAY, sparse);
  }

  /**
   * Scores rows of floats and ids, as {@link #infer(float[], int[])} does.
   *
   * @param dense rows of floats, one after the other
   * @param sparse as many rows of ids, one after the other
   * @return a new array with the scores of each row, one after the other
   */
  public float[] infer(float[] dense, long[] sparse) {
    return infer(Values.FLOAT_ARRAY, dense, Values.LONG_ARRAY, sparse);
  }

  /**
   * Scores rows of floats and ids, as {@link #infer(float[], int[])} does.
   *
   * @param dense one array of floats a row
   * @param sparse one array of ids a row
   * @return a new array with the scores of each row, one after the other
   */
  public float[] infer(float[][] dense, int[][] sparse) {
    return infer(Values.FLOAT_ROWS, dense, Values.INT_ROWS, sparse);
  }

  /**
   * Scores rows of floats and ids, as {@link #infer(float[], int[])} does.
   *
   * @param dense one array of floats a row
   * @param sparse one array of ids a row
   * @return a new array with the scores of each row, one after the other
   */
  public float[] infer(float[][] dense, long[][] sparse) {
    return infer(Values.FLOAT_ROWS, dense, Values.LONG_ROWS, sparse);
  }

  /**
   * Scores rows of floats and ids, as {@link #infer(float[], int[])} does. Buffers may be direct or
   * not, and are used from their position to their limit, which stay as they are.
   *
   * @param dense rows of floats, one after the other
   * @param sparse as many rows of ids, one after the other
   * @return a new array with the scores of each row, one after the other
   */
  public float[] infer(FloatBuffer dense, IntBuffer sparse) {
    return infer(Values.FLOAT_BUFFER, dense, Values.INT_BUFFER, sparse);
  }

  /**
   * Scores rows of floats and ids, as {@link #infer(FloatBuffer, IntBuffer)} does.
   *
   * @param dense rows of floats, one after the other
   * @param sparse as many rows of ids, one after the other
   * @return a new array with the scores of each row, one after the other
   */
  public float[] infer(FloatBuffer dense, LongBuffer sparse) {
    return infer(Values.FLOAT_BUFFER, dense, Values.LONG_BUFFER, sparse);
  }

  /**
   * Scores the candidates of one user, in an engine that was opened with {@link
   * EngineOptions.Builder#shared(String, int, int) shared inputs}: what is the user's is given
   * once, and computed once as far as the model allows. {@link Ranking#top} picks the best.
   *
   * @param userDense the user's floats, in the order of the model's columns; empty where none are
   *     shared
   * @param userIds the user's ids, likewise
   * @param candidateDense the candidates' floats, one row after the other; empty where all are
   *     shared
   * @param candidateIds the candidates' ids, likewise
   * @return a new array with the scores of each candidate, one after the other
   * @throws IllegalArgumentException if a value does not fit, naming the input, what was given and
   *     what is wanted
   * @throws IllegalStateException if the session or its engine is closed, or another thread is
   *     using the session
   * @throws UnsupportedOperationException if the engine shares no inputs, or the model has others
   *     than one of floats and one of ids, or several outputs
   * @throws InferenceException if the run failed
   */
  public float[] rank(
      float[] userDense, long[] userIds, float[] candidateDense, long[] candidateIds) {
    return rank(userDense, userIds, candidateDense, candidateIds, Values.LONG_ARRAY);
  }

  /**
   * Scores the candidates of one user, as {@link #rank(float[], long[], float[], long[])} does.
   *
   * @param userDense the user's floats
   * @param userIds the user's ids
   * @param candidateDense the candidates' floats, one row after the other
   * @param candidateIds the candidates' ids, one row after the other
   * @return a new array with the scores of each candidate, one after the other
   */
  public float[] rank(
      float[] userDense, int[] userIds, float[] candidateDense, int[] candidateIds) {
    return rank(userDense, userIds, candidateDense, candidateIds, Values.INT_ARRAY);
  }

  /**
   * Returns an input by its name.
   *
   * @param name the input's name in the model
   * @return the same object on every call; it ends with the session
   * @throws IllegalArgumentException if the model has no such input, naming those that it has
   */
  public InputTensor input(String name) {
    return inputs[TensorSpec.indexOf(engine.inputs(), "input", name, engine)];
  }

  /**
   * Returns an output by its name.
   *
   * @param name the output's name in the model
   * @return the same object on every call; it ends with the session
   * @throws IllegalArgumentException if the model has no such output, naming those that it has
   */
  public OutputTensor output(String name) {
    return outputs[TensorSpec.indexOf(engine.outputs(), "output", name, engine)];
  }

  /**
   * Runs the model on what its inputs were given, or what was written into their views. Every input
   * needs values again before the next run, but for those written through views.
   *
   * @param rows how many rows every input holds
   * @throws IllegalArgumentException if an input was given other rows or none, naming it
   * @throws IllegalStateException if the session or its engine is closed, or another thread is
   *     using the session
   * @throws InferenceException if the run failed
   */
  public void run(int rows) {
    enter();
    try {
      if (rows < minBatch || rows > maxBatch) {
        throw new IllegalArgumentException(engine.rowsRefused(rows));
      }
      for (InputTensor input : inputs) {
        input.requireGiven(rows);
      }
      execute(rows);
    } finally {
      exit();
    }
  }

  /**
   * Returns the engine that made this session.
   *
   * @return the engine, which its own owner closes
   */
  public Engine engine() {
    return engine;
  }

  /**
   * Refuses new calls and frees the session's memory, behind the call that is under way if there is
   * one. Closing again does nothing; safe from any thread.
   */
  @Override
  public void close() {
    closing = true;
    freeIfIdle();
  }

  private <D, S> float[] infer(Values<D> denseForm, D denseRows, Values<S> sparseForm, S ids) {
    if (dense == null) {
      throw engine.notDenseAndSparse(BY_NAME);
    }
    enter();
    try {
      int rows = dense.rules().check(denseForm, denseRows);
      InputRules.requireSameRows(
          dense.rules(), rows, sparse.rules(), sparse.rules().check(sparseForm, ids));
      denseForm.copy(denseRows, 0, rows, dense, 0);
      sparseForm.copy(ids, 0, rows, sparse, 0);
      execute(rows);
      return scores.copyFloats();
    } finally {
      exit();
    }
  }

  private <I> float[] rank(
      float[] userDense, I userIds, float[] candidateDense, I candidateIds, Values<I> ids) {
    RankInputs<I> request =
        engine.rankPlaces(BY_NAME).request(userDense, userIds, candidateDense, candidateIds, ids);
    enter();
    try {
      int rows = request.check(place -> inputs[place].rules());
      request.copy(this, 0, rows);
      execute(rows);
      return scores.copyFloats();
    } finally {
      exit();
    }
  }

  /** Returns an input by its place in the model, for who gathers several requests into one run. */
  InputTensor input(int index) {
    return inputs[index];
  }

  /** Returns an output by its place in the model. */
  OutputTensor output(int index) {
    return outputs[index];
  }

  /** Runs rows that are in the inputs' memory, on behalf of the only thread that can be inside. */
  void execute(int rows) {
    int results = 0;
    try {
      backend.run(rows);
      results = rows;
    } catch (InferenceException e) {
      throw new InferenceException(this + " failed: " + e.getMessage(), e);
    } finally {
      for (OutputTensor output : outputs) {
        output.show(results);
      }
      for (InputTensor input : inputs) {
        input.forget();
      }
    }
  }

  /** Leaves the session as if it had not run: who gets it next has asked for nothing yet. */
  void forgetResults() {
    for (OutputTensor output : outputs) {
      output.show(0);
    }
  }

  /**
   * Claims the session for the calling thread. The claim and the end share one field: whoever
   * changes it from null to {@link #CLOSED} frees the memory, which no thread can be using then,
   * and nobody changes it again.
   */
  void enter() {
    Thread me = Thread.currentThread();
    Object other = USER.compareAndExchange(this, null, me);
    if (other != null) {
      throw other == CLOSED ? closedException() : inUseException((Thread) other, me);
    }
    if (closing) {
      exit();
      throw closedException();
    }
    try {
      engine.requireOpen();
    } catch (IllegalStateException e) {
      exit();
      throw e;
    }
  }

  /** Gives the session back, and frees it if it was closed meanwhile. */
  void exit() {
    user = null;
    if (closing) {
      freeIfIdle();
    }
  }

  private void freeIfIdle() {
    if (USER.compareAndSet(this, null, CLOSED)) {
      try {
        backend.close();
      } catch (RuntimeException e) {
        // The memory may or may not be gone: it is not touched again, and the caller's own work
        // goes on.
        log.error("closing {} failed", this, e);
      } finally {
        engine.sessionClosed();
      }
    }
  }

  private IllegalStateException closedException() {
    return new IllegalStateException(this + " is closed");
  }

  private IllegalStateException inUseException(Thread user, Thread caller) {
    return new IllegalStateException(
        this
            + " is for one thread at a time: thread '"
            + caller.getName()
            + "' called it while thread '"
            + user.getName()
            + "' is inside; give each thread a session of its own");
  }

  @Override
  public String toString() {
    return "session " + number + " of " + engine;
  }
}
