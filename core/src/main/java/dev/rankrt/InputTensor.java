package dev.rankrt;

import java.nio.ByteBuffer;
import java.nio.FloatBuffer;
import java.nio.IntBuffer;
import java.nio.LongBuffer;

/**
 * One input of a session: where its values go before a run. One thread at a time, as its session.
 *
 * <p>Values are row-major, {@link Shape#elementsPerRow} of them a row. {@code put} checks and
 * copies them; what it refuses leaves the session as it was. Who wants neither copy nor check
 * writes into the view that {@link #floats}, {@link #ints} or {@link #longs} gives: the memory that
 * the model reads. Views are the session's: using one after the session was closed is an error that
 * nothing catches.
 */
public final class InputTensor {
  private static final int NOTHING = -1;

  private final Session session;
  private final InputRules rules;
  private final TensorSpec spec;
  private final int width;

  /**
   * Exactly one of these is the input's memory, by its type; the views are duplicates that callers
   * may move about in.
   */
  private final FloatBuffer floatMemory;

  private final IntBuffer intMemory;
  private final LongBuffer longMemory;
  private final FloatBuffer floatView;
  private final IntBuffer intView;
  private final LongBuffer longView;

  private int givenRows = NOTHING;
  private boolean viewed;

  InputTensor(Session session, InputRules rules, ByteBuffer memory) {
    this.session = session;
    this.rules = rules;
    this.spec = rules.spec();
    this.width = rules.width();
    this.floatMemory = spec.type().isFloat() ? memory.asFloatBuffer() : null;
    this.intMemory = spec.type() == DataType.INT32 ? memory.asIntBuffer() : null;
    this.longMemory = spec.type() == DataType.INT64 ? memory.asLongBuffer() : null;
    this.floatView = floatMemory == null ? null : floatMemory.duplicate();
    this.intView = intMemory == null ? null : intMemory.duplicate();
    this.longView = longMemory == null ? null : longMemory.duplicate();
  }

  /**
   * Returns what the model says of this input.
   *
   * @return name, type and shape
   */
  public TensorSpec spec() {
    return spec;
  }

  /**
   * Gives the values for the next run.
   *
   * @param values rows of floats, one after the other
   * @throws IllegalArgumentException if they do not fit, naming the input, what was given and what
   *     is wanted
   * @throws IllegalStateException if the session is closed or another thread is using it
   */
  public void put(float[] values) {
    put(Values.FLOAT_ARRAY, values);
  }

  /**
   * Gives the values for the next run.
   *
   * @param rows one array of floats a row
   * @throws IllegalArgumentException if they do not fit, naming the input, what was given and what
   *     is wanted
   * @throws IllegalStateException if the session is closed or another thread is using it
   */
  public void put(float[][] rows) {
    put(Values.FLOAT_ROWS, rows);
  }

  /**
   * Gives the values for the next run.
   *
   * @param values rows of floats from the buffer's position to its limit, which stay as they are
   * @throws IllegalArgumentException if they do not fit, naming the input, what was given and what
   *     is wanted
   * @throws IllegalStateException if the session is closed or another thread is using it
   */
  public void put(FloatBuffer values) {
    put(Values.FLOAT_BUFFER, values);
  }

  /**
   * Gives the ids for the next run, widened where the model wants 64 bits.
   *
   * @param ids rows of ids, one after the other
   * @throws IllegalArgumentException if they do not fit, naming the input, what was given and what
   *     is wanted
   * @throws IllegalStateException if the session is closed or another thread is using it
   */
  public void put(int[] ids) {
    put(Values.INT_ARRAY, ids);
  }

  /**
   * Gives the ids for the next run, widened where the model wants 64 bits.
   *
   * @param rows one array of ids a row
   * @throws IllegalArgumentException if they do not fit, naming the input, what was given and what
   *     is wanted
   * @throws IllegalStateException if the session is closed or another thread is using it
   */
  public void put(int[][] rows) {
    put(Values.INT_ROWS, rows);
  }

  /**
   * Gives the ids for the next run, widened where the model wants 64 bits.
   *
   * @param ids rows of ids from the buffer's position to its limit, which stay as they are
   * @throws IllegalArgumentException if they do not fit, naming the input, what was given and what
   *     is wanted
   * @throws IllegalStateException if the session is closed or another thread is using it
   */
  public void put(IntBuffer ids) {
    put(Values.INT_BUFFER, ids);
  }

  /**
   * Gives the ids for the next run, narrowed where the model wants 32 bits.
   *
   * @param ids rows of ids, one after the other
   * @throws IllegalArgumentException if they do not fit, naming the input, what was given and what
   *     is wanted
   * @throws IllegalStateException if the session is closed or another thread is using it
   */
  public void put(long[] ids) {
    put(Values.LONG_ARRAY, ids);
  }

  /**
   * Gives the ids for the next run, narrowed where the model wants 32 bits.
   *
   * @param rows one array of ids a row
   * @throws IllegalArgumentException if they do not fit, naming the input, what was given and what
   *     is wanted
   * @throws IllegalStateException if the session is closed or another thread is using it
   */
  public void put(long[][] rows) {
    put(Values.LONG_ROWS, rows);
  }

  /**
   * Gives the ids for the next run, narrowed where the model wants 32 bits.
   *
   * @param ids rows of ids from the buffer's position to its limit, which stay as they are
   * @throws IllegalArgumentException if they do not fit, naming the input, what was given and what
   *     is wanted
   * @throws IllegalStateException if the session is closed or another thread is using it
   */
  public void put(LongBuffer ids) {
    put(Values.LONG_BUFFER, ids);
  }

  /**
   * Returns the memory that the model reads floats from, for {@link Engine#maxBatch} rows. From
   * then on the caller answers for its contents; the position and limit of the view mean nothing to
   * a run.
   *
   * @return the same view on every call; it ends with the session
   * @throws IllegalArgumentException if the input takes ids
   */
  public FloatBuffer floats() {
    return viewed(floatView, "floats");
  }

  /**
   * Returns the memory that the model reads 32-bit ids from, for {@link Engine#maxBatch} rows. From
   * then on the caller answers for its contents, but for a declared range, which every run checks.
   *
   * @return the same view on every call; it ends with the session
   * @throws IllegalArgumentException if the input is of another type
   */
  public IntBuffer ints() {
    return viewed(intView, "ints");
  }

  /**
   * Returns the memory that the model reads 64-bit ids from, for {@link Engine#maxBatch} rows. From
   * then on the caller answers for its contents, but for a declared range, which every run checks.
   *
   * @return the same view on every call; it ends with the session
   * @throws IllegalArgumentException if the input is of another type
   */
  public LongBuffer longs() {
    return viewed(longView, "longs");
  }

  private <T> void put(Values<T> form, T values) {
    session.enter();
    try {
      int rows = rules.check(form, values);
      form.copy(values, 0, rows, this, 0);
      givenRows = rows;
    } finally {
      session.exit();
    }
  }

  private <T> T viewed(T view, String asked) {
    if (view == null) {
      throw new IllegalArgumentException("input " + spec + " has no view as " + asked);
    }
    viewed = true;
    return view;
  }

  InputRules rules() {
    return rules;
  }

  /** Writes a value that every model takes into all rows, for a run whose answers nobody uses. */
  void fill() {
    for (int i = 0; floatMemory != null && i < floatMemory.capacity(); i++) {
      floatMemory.put(i, 0.5f);
    }
    for (int i = 0; intMemory != null && i < intMemory.capacity(); i++) {
      intMemory.put(i, (int) rules.anyId());
    }
    for (int i = 0; longMemory != null && i < longMemory.capacity(); i++) {
      longMemory.put(i, rules.anyId());
    }
  }

  FloatBuffer floatMemory() {
    return floatMemory;
  }

  /** Returns the memory of an input of 32-bit ids, null for any other. */
  IntBuffer intMemory() {
    return intMemory;
  }

  LongBuffer longMemory() {
    return longMemory;
  }

  int width() {
    return width;
  }

  /** Checks that the next run has this input's values. */
  void requireGiven(int rows) {
    int wanted = spec.shape().hasBatch() ? rows : 1;
    if (givenRows == NOTHING && !viewed) {
      throw new IllegalArgumentException(
          "input " + spec + " was not given; put its values before the run");
    }
    if (givenRows != NOTHING && givenRows != wanted) {
      throw new IllegalArgumentException(
          "input " + spec + ": " + givenRows + " rows given for a run of " + rows);
    }
    if (viewed && rules.declaresIds()) {
      for (int i = 0, n = wanted * width; i < n; i++) {
        rules.requireId(intMemory != null ? intMemory.get(i) : longMemory.get(i), i);
      }
    }
  }

  void forget() {
    givenRows = NOTHING;
  }
}
