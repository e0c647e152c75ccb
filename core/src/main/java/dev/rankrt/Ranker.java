package dev.rankrt;

import dev.rankrt.natives.internal.PlatformThreads;
import java.nio.FloatBuffer;
import java.nio.IntBuffer;
import java.nio.LongBuffer;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/**
 * A model that serves many callers: what a service holds. Safe for use by any number of threads,
 * virtual ones included, which wait in Java and keep no carrier.
 *
 * <pre>{@code
 * try (Ranker ranker = Ranker.open(model, EngineOptions.builder().precision(FP16).build())) {
 *   float[] scores = ranker.infer(dense, sparse);                         // from any thread
 *   ranker.within(Duration.ofMillis(10)).inferAsync(dense, sparse).thenAcceptAsync(this::answer);
 *   ranker.swap(newModel);                                                // while it serves
 * }
 * }</pre>
 *
 * <p><b>Batching.</b> Requests that wait together run together, in runs of at most {@code maxBatch}
 * rows; larger requests are split and joined. A GPU that is busy with full runs is given a run that
 * is not full only when one of those has ended. Scores are those of a session, to the bit where the
 * same bucket of rows ran. Where rows are not independent, in models with padding switched off or
 * with an input or output that has no batch, each request has a run of its own.
 *
 * <p><b>Values</b> are checked in the call and copied when their run comes: arrays and buffers must
 * not change until the answer is there. Answers are new arrays, and the caller's.
 *
 * <p><b>Futures</b> are completed by the thread that ran the request. Actions that depend on one
 * run there too unless their method ends in {@code Async}, and hold up other requests as long as
 * they last. Calls that wait are refused there, and so is waiting for a future of this ranker, or
 * one that its methods gave, which is not done; what knows nothing of it, such as {@code allOf},
 * must not be waited for there either. Cancelling a future, or completing it in another way, gives
 * its place in the queue to others.
 *
 * <p><b>Overload.</b> The queue holds a limited number of rows; what comes on top is refused at
 * once. A request with a deadline is refused if, by how long runs have taken lately, it could not
 * be met were the wait twice as long, and dropped if it cannot be met by the time of its run. Both
 * are told by a {@link RequestRefusedException}: to a call that waits by its deadline at the
 * latest, unless it runs by then, to a future when its turn comes. An answer that comes late all
 * the same is an answer.
 *
 * <p><b>Devices.</b> Requests go to the device with the fewest rows to run, or to another where
 * that one has no place or no time for them. A device that is lost, or fails three runs in a row,
 * is taken out: what waits for it goes to the others, the requests of the run that failed get an
 * {@link InferenceException}.
 *
 * <p>Whoever opens a ranker closes it.
 */
public final class Ranker implements AutoCloseable {
  private static final String BY_NAME = "use infer(inputs), a map of values by name";

  /** Where runs take longer, waking a thread is a small part of the wait. */
  private static final long LONGEST_SPUN_NANOS = 250_000;

  private final Serving serving;

  /** How soon answers must be there, in nanoseconds; {@link Request#NO_DEADLINE} for whenever. */
  private final long limitNanos;

  private Ranker(Serving serving, long limitNanos) {
    this.serving = serving;
    this.limitNanos = limitNanos;
  }

  /**
   * Opens a model with the default options for serving.
   *
   * @param model an ONNX file, or a plan
   * @param options where and how to run it
   * @return the ranker, owned by the caller
   * @throws ModelException as {@link Engine#open(Path, EngineOptions)} does
   * @throws dev.rankrt.natives.NativeLoadException as {@link Engine#open(Path, EngineOptions)} does
   */
  public static Ranker open(Path model, EngineOptions options) {
    return open(model, options, RankerOptions.defaults());
  }

  /**
   * Opens a model on every device that is to serve it, and runs it there until it is warm. An ONNX
   * file is built into a plan once for GPUs of the same type, where plans are kept.
   *
   * @param model an ONNX file, or a plan
   * @param options how to run it
   * @param serving how to serve
   * @return the ranker, owned by the caller
   * @throws ModelException as {@link Engine#open(Path, EngineOptions)} does
   * @throws dev.rankrt.natives.NativeLoadException as {@link Engine#open(Path, EngineOptions)} does
   * @throws InferenceException if the model fails on the rows that it is warmed up with
   */
  public static Ranker open(Path model, EngineOptions options, RankerOptions serving) {
    return open(Backends.installed(), model, options, serving);
  }

  static Ranker open(Backends backends, Path model, EngineOptions options, RankerOptions serving) {
    Objects.requireNonNull(options, "options");
    return new Ranker(
        Serving.open(backends, model, options, Objects.requireNonNull(serving, "serving")),
        serving.deadline().map(Ranker::nanos).orElse(Request.NO_DEADLINE));
  }

  // --------------------------------------------------------------------- dense and sparse values

  /**
   * Scores rows of floats and ids, and waits for them. An interrupt does not cut the wait short.
   *
   * @param dense rows of floats, one after the other
   * @param sparse as many rows of ids, one after the other
   * @return a new array with the scores of each row, one after the other
   * @throws IllegalArgumentException if a value does not fit, naming the input, what was given and
   *     what is wanted
   * @throws RequestRefusedException if the request was not run, with the reason
   * @throws InferenceException if the run failed
   * @throws UnsupportedOperationException if the model has other inputs or outputs
   * @throws IllegalStateException if called on a worker's thread, which would wait for itself
   */
  public float[] infer(float[] dense, int[] sparse) {
    return await(submit(Values.FLOAT_ARRAY, dense, Values.INT_ARRAY, sparse, true));
  }

  /**
   * Scores rows of floats and ids, as {@link #infer(float[], int[])} does.
   *
   * @param dense rows of floats, one after the other
   * @param sparse as many rows of ids, one after the other
   * @return a new array with the scores of each row, one after the other
   */
  public float[] infer(float[] dense, long[] sparse) {
    return await(submit(Values.FLOAT_ARRAY, dense, Values.LONG_ARRAY, sparse, true));
  }

  /**
   * Scores rows of floats and ids, as {@link #infer(float[], int[])} does.
   *
   * @param dense one array of floats a row
   * @param sparse one array of ids a row
   * @return a new array with the scores of each row, one after the other
   */
  public float[] infer(float[][] dense, int[][] sparse) {
    return await(submit(Values.FLOAT_ROWS, dense, Values.INT_ROWS, sparse, true));
  }

  /**
   * Scores rows of floats and ids, as {@link #infer(float[], int[])} does.
   *
   * @param dense one array of floats a row
   * @param sparse one array of ids a row
   * @return a new array with the scores of each row, one after the other
   */
  public float[] infer(float[][] dense, long[][] sparse) {
    return await(submit(Values.FLOAT_ROWS, dense, Values.LONG_ROWS, sparse, true));
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
    return await(submit(Values.FLOAT_BUFFER, dense, Values.INT_BUFFER, sparse, true));
  }

  /**
   * Scores rows of floats and ids, as {@link #infer(FloatBuffer, IntBuffer)} does.
   *
   * @param dense rows of floats, one after the other
   * @param sparse as many rows of ids, one after the other
   * @return a new array with the scores of each row, one after the other
   */
  public float[] infer(FloatBuffer dense, LongBuffer sparse) {
    return await(submit(Values.FLOAT_BUFFER, dense, Values.LONG_BUFFER, sparse, true));
  }

  /**
   * Scores rows of floats and ids without waiting for them. What is wrong with the values is thrown
   * by the call; everything else completes the future.
   *
   * @param dense rows of floats, one after the other; must not change until the future is done
   * @param sparse as many rows of ids, one after the other; must not change until then either
   * @return the scores of each row, one after the other; or a {@link RequestRefusedException}, or
   *     an {@link InferenceException}
   * @throws IllegalArgumentException if a value does not fit, naming the input, what was given and
   *     what is wanted
   * @throws UnsupportedOperationException if the model has other inputs or outputs
   */
  public CompletableFuture<float[]> inferAsync(float[] dense, int[] sparse) {
    return submit(Values.FLOAT_ARRAY, dense, Values.INT_ARRAY, sparse, false);
  }

  /**
   * Scores rows of floats and ids, as {@link #inferAsync(float[], int[])} does.
   *
   * @param dense rows of floats, one after the other; must not change until the future is done
   * @param sparse as many rows of ids, one after the other; must not change until then either
   * @return the scores of each row, one after the other
   */
  public CompletableFuture<float[]> inferAsync(float[] dense, long[] sparse) {
    return submit(Values.FLOAT_ARRAY, dense, Values.LONG_ARRAY, sparse, false);
  }

  /**
   * Scores rows of floats and ids, as {@link #inferAsync(float[], int[])} does.
   *
   * @param dense one array of floats a row; must not change until the future is done
   * @param sparse one array of ids a row; must not change until then either
   * @return the scores of each row, one after the other
   */
  public CompletableFuture<float[]> inferAsync(float[][] dense, int[][] sparse) {
    return submit(Values.FLOAT_ROWS, dense, Values.INT_ROWS, sparse, false);
  }

  /**
   * Scores rows of floats and ids, as {@link #inferAsync(float[], int[])} does.
   *
   * @param dense one array of floats a row; must not change until the future is done
   * @param sparse one array of ids a row; must not change until then either
   * @return the scores of each row, one after the other
   */
  public CompletableFuture<float[]> inferAsync(float[][] dense, long[][] sparse) {
    return submit(Values.FLOAT_ROWS, dense, Values.LONG_ROWS, sparse, false);
  }

  /**
   * Scores rows of floats and ids, as {@link #inferAsync(float[], int[])} does. Buffers are used
   * from their position to their limit at the time of the call.
   *
   * @param dense rows of floats, one after the other; must not change until the future is done
   * @param sparse as many rows of ids, one after the other; must not change until then either
   * @return the scores of each row, one after the other
   */
  public CompletableFuture<float[]> inferAsync(FloatBuffer dense, IntBuffer sparse) {
    return submit(Values.FLOAT_BUFFER, dense, Values.INT_BUFFER, sparse, false);
  }

  /**
   * Scores rows of floats and ids, as {@link #inferAsync(FloatBuffer, IntBuffer)} does.
   *
   * @param dense rows of floats, one after the other; must not change until the future is done
   * @param sparse as many rows of ids, one after the other; must not change until then either
   * @return the scores of each row, one after the other
   */
  public CompletableFuture<float[]> inferAsync(FloatBuffer dense, LongBuffer sparse) {
    return submit(Values.FLOAT_BUFFER, dense, Values.LONG_BUFFER, sparse, false);
  }

  // -------------------------------------------------------------------- one user, many candidates

  /**
   * Scores the candidates of one user, as {@link Session#rank(float[], long[], float[], long[])}
   * does, and waits for the scores. {@link Ranking#top} picks the best. Such a request has a run of
   * its own, since others' candidates have other users, and several where it has more than {@link
   * EngineOptions#maxBatch} candidates; with padding switched off it may have no more.
   *
   * @param userDense the user's floats; empty where none are shared
   * @param userIds the user's ids, likewise
   * @param candidateDense the candidates' floats, one row after the other; empty where all are
   *     shared
   * @param candidateIds the candidates' ids, likewise
   * @return the scores of each candidate, one after the other
   * @throws IllegalArgumentException if a value does not fit, naming the input, what was given and
   *     what is wanted
   * @throws UnsupportedOperationException if the engines share no inputs, or the model has others
   *     than one of floats and one of ids, or several outputs
   * @throws RequestRefusedException if the request was not run, with the reason
   * @throws InferenceException if the run failed
   * @throws IllegalStateException if called on a worker's thread, which would wait for itself
   */
  public float[] rank(
      float[] userDense, long[] userIds, float[] candidateDense, long[] candidateIds) {
    return await(
        submitRank(userDense, userIds, candidateDense, candidateIds, Values.LONG_ARRAY, true));
  }

  /**
   * Scores the candidates of one user, as {@link #rank(float[], long[], float[], long[])} does.
   *
   * @param userDense the user's floats
   * @param userIds the user's ids
   * @param candidateDense the candidates' floats, one row after the other
   * @param candidateIds the candidates' ids, one row after the other
   * @return the scores of each candidate, one after the other
   */
  public float[] rank(
      float[] userDense, int[] userIds, float[] candidateDense, int[] candidateIds) {
    return await(
        submitRank(userDense, userIds, candidateDense, candidateIds, Values.INT_ARRAY, true));
  }

  /**
   * Scores the candidates of one user without waiting for the scores. What is wrong with the values
   * is thrown by the call; everything else completes the future.
   *
   * @param userDense the user's floats; no array may change until the future is done
   * @param userIds the user's ids
   * @param candidateDense the candidates' floats, one row after the other
   * @param candidateIds the candidates' ids, one row after the other
   * @return the scores of each candidate; or a {@link RequestRefusedException}, or an {@link
   *     InferenceException}
   * @throws IllegalArgumentException as {@link #rank(float[], long[], float[], long[])} does
   */
  public CompletableFuture<float[]> rankAsync(
      float[] userDense, long[] userIds, float[] candidateDense, long[] candidateIds) {
    return submitRank(userDense, userIds, candidateDense, candidateIds, Values.LONG_ARRAY, false);
  }

  /**
   * Scores the candidates of one user, as {@link #rankAsync(float[], long[], float[], long[])}
   * does.
   *
   * @param userDense the user's floats; no array may change until the future is done
   * @param userIds the user's ids
   * @param candidateDense the candidates' floats, one row after the other
   * @param candidateIds the candidates' ids, one row after the other
   * @return the scores of each candidate
   */
  public CompletableFuture<float[]> rankAsync(
      float[] userDense, int[] userIds, float[] candidateDense, int[] candidateIds) {
    return submitRank(userDense, userIds, candidateDense, candidateIds, Values.INT_ARRAY, false);
  }

  // ------------------------------------------------------------------------------ models by name

  /**
   * Runs a model of any kind, and waits for its outputs.
   *
   * @param inputs the values of every input by its name: {@code float[]}, {@code float[][]} or
   *     {@code FloatBuffer} for floats; the same of {@code int} or {@code long} for ids
   * @return the outputs
   * @throws IllegalArgumentException if an input is missing, unknown, or given values that do not
   *     fit, naming it, what was given and what is wanted
   * @throws RequestRefusedException if the request was not run, with the reason
   * @throws InferenceException if the run failed
   * @throws IllegalStateException if called on a worker's thread, which would wait for itself
   */
  public Outputs infer(Map<String, ?> inputs) {
    return await(submit(inputs, true));
  }

  /**
   * Runs a model of any kind without waiting for it. What is wrong with the values is thrown by the
   * call; everything else completes the future.
   *
   * @param inputs as {@link #infer(Map)} takes them; must not change until the future is done
   * @return the outputs; or a {@link RequestRefusedException}, or an {@link InferenceException}
   * @throws IllegalArgumentException as {@link #infer(Map)} does
   */
  public CompletableFuture<Outputs> inferAsync(Map<String, ?> inputs) {
    return submit(inputs, false);
  }

  // -------------------------------------------------------------------------------------- others

  /**
   * Returns a view of this ranker whose requests carry a deadline. It is light, may be kept, and
   * shares everything with this one: closing either closes both.
   *
   * @param deadline how soon an answer must be there, counted from the call; more than zero
   * @return the view
   * @throws IllegalArgumentException if the deadline is zero or less
   */
  public Ranker within(Duration deadline) {
    RankerOptions.requirePositive(deadline);
    return new Ranker(serving, nanos(deadline));
  }

  /**
   * Replaces the model while it serves, and waits until the old one is closed. The new one is
   * opened, built if need be, warmed and checked beside the old one, which takes a second place in
   * the devices' memory meanwhile; then new requests go to it, while the old one answers those it
   * has, and is closed. Whatever fails leaves the old one as it was. Swaps wait for each other.
   *
   * <p>On a GPU that is in use this takes about half a minute for each worker, with rests between
   * pieces of work that hold the driver up, or two or three seconds in all {@linkplain
   * RankerOptions.Builder#gentleSwaps without} and while nobody asks for anything. Only building
   * cannot rest: a model whose plan is not in the cache is built as fast as can be, on the GPU that
   * serves meanwhile. Where that matters, build plans on another machine of the same kind.
   *
   * @param model an ONNX file, or a plan, with the same inputs and outputs
   * @throws ModelException if the file is missing or no model that can be run, has other inputs,
   *     outputs or batch limits, answers with floats that are not finite, or does not pass the
   *     check
   * @throws InferenceException if the model fails on the rows that it is warmed up with
   * @throws dev.rankrt.natives.RankRtException if a device cannot run it
   * @throws IllegalStateException if the ranker is closed, before or meanwhile, or the call comes
   *     from a worker's thread or a swap's check
   */
  public void swap(Path model) {
    serving.swap(model);
  }

  /**
   * Returns the inputs of the model.
   *
   * @return descriptions in the model's order
   */
  public List<TensorSpec> inputs() {
    return serving.fleet().engine().inputs();
  }

  /**
   * Returns the outputs of the model.
   *
   * @return descriptions in the model's order
   */
  public List<TensorSpec> outputs() {
    return serving.fleet().engine().outputs();
  }

  /**
   * Returns what was done since the ranker was opened, by all views of it.
   *
   * @return counts that were read one after the other, while others may have been counting
   */
  public Stats stats() {
    return serving.stats();
  }

  /**
   * Refuses new requests, answers those that wait, and closes the model. Waits for that, unless
   * called on a worker's thread. A swap under way rests no more, and ends with an {@link
   * IllegalStateException} unless the new model serves already. Closing again does nothing; safe
   * from any thread.
   */
  @Override
  public void close() {
    serving.close();
  }

  private static long nanos(Duration deadline) {
    // Beyond years nobody waits, and the time of day would overflow.
    return Math.min(deadline.toSeconds(), TimeUnit.DAYS.toSeconds(3650)) * 1_000_000_000L
        + deadline.toNanosPart();
  }

  private long deadline() {
    return limitNanos == Request.NO_DEADLINE ? limitNanos : System.nanoTime() + limitNanos;
  }

  private <I> Request<float[]> submitRank(
      float[] userDense,
      I userIds,
      float[] candidateDense,
      I candidateIds,
      Values<I> ids,
      boolean waits) {
    long deadline = deadline();
    Engine engine = serving.fleet().engine();
    RankInputs<I> given =
        engine.rankPlaces(BY_NAME).request(userDense, userIds, candidateDense, candidateIds, ids);
    int rows = given.check(engine::rulesOfRank);
    return queued(new Ranked<>(engine, rows, deadline, given), waits);
  }

  private <D, S> Request<float[]> submit(
      Values<D> denseForm, D dense, Values<S> sparseForm, S sparse, boolean waits) {
    long deadline = deadline();
    Engine engine = serving.fleet().engine();
    int denseInput = engine.denseInput();
    if (denseInput < 0) {
      throw engine.notDenseAndSparse(BY_NAME);
    }
    InputRules denseRules = engine.rulesOfRequest(denseInput);
    InputRules sparseRules = engine.rulesOfRequest(1 - denseInput);
    int rows = denseRules.check(denseForm, dense);
    InputRules.requireSameRows(
        denseRules, rows, sparseRules, sparseRules.check(sparseForm, sparse));
    return queued(
        new Scores<>(
            engine,
            rows,
            deadline,
            denseForm,
            denseForm.kept(dense),
            sparseForm,
            sparseForm.kept(sparse)),
        waits);
  }

  private Request<Outputs> submit(Map<String, ?> inputs, boolean waits) {
    long deadline = deadline();
    Engine engine = serving.fleet().engine();
    for (String name : inputs.keySet()) {
      TensorSpec.indexOf(engine.inputs(), "input", name, engine);
    }
    List<Given<?>> given = new ArrayList<>();
    InputRules first = null;
    int rows = 1;
    for (int i = 0; i < engine.inputs().size(); i++) {
      InputRules rules = engine.rulesOfRequest(i);
      Object values = inputs.get(rules.spec().name());
      if (values == null) {
        throw new IllegalArgumentException(
            "input " + rules.spec() + " was not given; given are " + inputs.keySet());
      }
      Given<?> one = Given.of(values, rules);
      given.add(one);
      if (rules.spec().shape().hasBatch()) {
        if (first == null) {
          first = rules;
          rows = one.rows();
        }
        InputRules.requireSameRows(first, rows, rules, one.rows());
      }
    }
    return queued(new Named(engine, rows, deadline, given), waits);
  }

  private <A> Request<A> queued(Request<A> request, boolean waits) {
    if (waits) {
      serving.requireOutside("a call that waits");
    }
    serving.submit(request);
    return request;
  }

  /**
   * Waits for an answer. A thread with a core to spare sees it at once if it spins, and would
   * otherwise be woken, after longer than a small run takes.
   */
  private <A> A await(Request<A> request) {
    if (!request.isDone()
        && !PlatformThreads.isVirtual(Thread.currentThread())
        && Spinning.enter()) {
      long typical = request.typicalNanos();
      if (typical <= LONGEST_SPUN_NANOS) {
        long began = System.nanoTime();
        // For its own run and the one before, twice over.
        while (!request.isDone() && System.nanoTime() - began < 4 * typical) {
          Thread.onSpinWait();
        }
      }
      Spinning.exit();
    }
    if (request.hasDeadline()) {
      awaitDeadline(request);
    }
    return request.waitedFor();
  }

  /** Waits until the deadline at most, and withdraws what still waits for its run by then. */
  private void awaitDeadline(Request<?> request) {
    boolean interrupted = false;
    while (!request.isDone()) {
      try {
        request.get(Math.max(0, request.nanosLeft(System.nanoTime())), TimeUnit.NANOSECONDS);
      } catch (InterruptedException e) {
        interrupted = true;
      } catch (TimeoutException e) {
        serving.expire(request);
        break;
      } catch (ExecutionException e) {
        break; // for the caller to see
      }
    }
    if (interrupted) {
      Thread.currentThread().interrupt();
    }
  }

  @Override
  public String toString() {
    return serving.toString();
  }

  // ------------------------------------------------------------------------------------ requests

  /** A request for the one output of a model that gives scores. */
  private abstract static class Scored extends Request<float[]> {
    private final float[] scores;

    Scored(Engine engine, int rows, boolean alone, long deadline) {
      super(rows, alone, deadline);
      this.scores = (float[]) OutputTensor.newArray(engine.outputs().get(0), rows);
    }

    @Override
    void copyOut(Session session, int at, int count, int to) {
      session.output(0).copyRows(at, count, scores, to);
    }

    @Override
    float[] answer() {
      return scores;
    }
  }

  /** A request for scores of floats and ids. */
  private static final class Scores<D, S> extends Scored {
    private final int denseInput;
    private final Values<D> denseForm;
    private final D dense;
    private final Values<S> sparseForm;
    private final S sparse;

    Scores(
        Engine engine,
        int rows,
        long deadline,
        Values<D> denseForm,
        D dense,
        Values<S> sparseForm,
        S sparse) {
      super(engine, rows, !engine.rowsAreIndependent(), deadline);
      this.denseInput = engine.denseInput();
      this.denseForm = denseForm;
      this.dense = dense;
      this.sparseForm = sparseForm;
      this.sparse = sparse;
    }

    @Override
    void copyIn(Session session, int from, int count, int at) {
      denseForm.copy(dense, from, count, session.input(denseInput), at);
      sparseForm.copy(sparse, from, count, session.input(1 - denseInput), at);
    }
  }

  /** A request for scores of one user's candidates, which has runs of its own. */
  private static final class Ranked<I> extends Scored {
    private final RankInputs<I> given;
    private final boolean splits;

    Ranked(Engine engine, int rows, long deadline, RankInputs<I> given) {
      super(engine, rows, true, deadline);
      this.given = given;
      this.splits = engine.candidatesAreIndependent();
    }

    @Override
    boolean maySplit() {
      return splits;
    }

    @Override
    void copyIn(Session session, int from, int count, int at) {
      given.copy(session, from, count);
    }
  }

  /** A request for all outputs of a model of any kind. */
  private static final class Named extends Request<Outputs> {
    private final List<Given<?>> given;
    private final List<TensorSpec> specs;
    private final List<Object> results = new ArrayList<>();

    Named(Engine engine, int rows, long deadline, List<Given<?>> given) {
      super(rows, !engine.rowsAreIndependent(), deadline);
      this.given = given;
      this.specs = engine.outputs();
      specs.forEach(spec -> results.add(OutputTensor.newArray(spec, rows)));
    }

    @Override
    void copyIn(Session session, int from, int count, int at) {
      for (int i = 0; i < given.size(); i++) {
        given.get(i).copyIn(session.input(i), from, count, at);
      }
    }

    @Override
    void copyOut(Session session, int at, int count, int to) {
      for (int i = 0; i < results.size(); i++) {
        session.output(i).copyRows(at, count, results.get(i), to);
      }
    }

    @Override
    Outputs answer() {
      return new Outputs(specs, results);
    }
  }

  /** Values of one input, which were checked. */
  private record Given<T>(Values<T> form, T values, int rows) {
    @SuppressWarnings("unchecked") // the form is the one for this type
    static <T> Given<T> of(T values, InputRules rules) {
      Values<T> form = (Values<T>) Values.of(values, rules.spec());
      return new Given<>(form, form.kept(values), rules.check(form, values));
    }

    void copyIn(InputTensor input, int from, int count, int at) {
      // An input without a batch has its one row, whatever the request has.
      form.copy(values, from, input.spec().shape().hasBatch() ? count : rows, input, at);
    }
  }

  /**
   * The outputs of one request. Immutable, but for the arrays, which are the caller's and the same
   * on every call.
   */
  public static final class Outputs {
    private final List<TensorSpec> specs;
    private final List<Object> results;

    private Outputs(List<TensorSpec> specs, List<Object> results) {
      this.specs = specs;
      this.results = results;
    }

    /**
     * Returns an output of floats.
     *
     * @param name the output's name in the model
     * @return its rows, one after the other
     * @throws IllegalArgumentException if there is no such output, or it is of integers
     */
    public float[] floats(String name) {
      return as(float[].class, name);
    }

    /**
     * Returns an output of integers, widened to 64 bits.
     *
     * @param name the output's name in the model
     * @return its rows, one after the other
     * @throws IllegalArgumentException if there is no such output, or it is of floats
     */
    public long[] longs(String name) {
      return as(long[].class, name);
    }

    private <T> T as(Class<T> type, String name) {
      int index = TensorSpec.indexOf(specs, "output", name, "the model");
      Object result = results.get(index);
      if (!type.isInstance(result)) {
        throw new IllegalArgumentException(
            "output " + specs.get(index) + " cannot be read as " + type.getSimpleName());
      }
      return type.cast(result);
    }

    @Override
    public String toString() {
      return "outputs " + specs;
    }
  }

  /**
   * What a ranker has done. Immutable.
   *
   * @param requests how many were answered
   * @param batches how many runs that took
   * @param rows how many rows those had
   * @param refused how many requests no device took, or none any more once theirs had failed
   * @param expired how many were accepted and dropped when their deadline could not be met
   * @param failed how many got the failure of their run
   * @param queued how many rows wait at the moment
   * @param replicas the same by device
   */
  public record Stats(
      long requests,
      long batches,
      long rows,
      long refused,
      long expired,
      long failed,
      long queued,
      List<ReplicaStats> replicas) {}

  /**
   * What one device has done, with whichever models. Immutable.
   *
   * @param device the device
   * @param serving whether it takes requests
   * @param requests how many it has answered
   * @param batches how many runs that took
   * @param rows how many rows those had
   * @param queued how many rows wait for it at the moment
   */
  public record ReplicaStats(
      Device device, boolean serving, long requests, long batches, long rows, long queued) {}
}
