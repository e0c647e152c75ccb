package dev.rankrt;

import java.nio.ByteBuffer;
import java.nio.FloatBuffer;
import java.nio.IntBuffer;
import java.nio.LongBuffer;

/**
 * One output of a session: where a run leaves its results. One thread at a time, as its session.
 *
 * <p>Values are row-major, {@link Shape#elementsPerRow} of them a row. The next run overwrites
 * them; behind one that failed there are none. Arrays that are returned belong to the caller; views
 * are the session's memory, and using one after the session was closed is an error that nothing
 * catches.
 */
public final class OutputTensor {
  private final Session session;
  private final TensorSpec spec;

  /**
   * Exactly one of these is there, by the output's type; its limit is the end of the last run's
   * results.
   */
  private final FloatBuffer floats;

  private final IntBuffer ints;
  private final LongBuffer longs;

  /** Where the last run's results end, whatever callers do with the views. */
  private int end;

  OutputTensor(Session session, TensorSpec spec, ByteBuffer memory) {
    this.session = session;
    this.spec = spec;
    ByteBuffer results = memory.asReadOnlyBuffer().order(memory.order());
    this.floats = spec.type().isFloat() ? results.asFloatBuffer() : null;
    this.ints = spec.type() == DataType.INT32 ? results.asIntBuffer() : null;
    this.longs = spec.type() == DataType.INT64 ? results.asLongBuffer() : null;
    show(0);
  }

  /**
   * Returns what the model says of this output.
   *
   * @return name, type and shape
   */
  public TensorSpec spec() {
    return spec;
  }

  /**
   * Returns the memory that runs leave floats in. Every run sets its position to 0 and its limit to
   * the end of the results.
   *
   * @return the same read-only view on every call; it ends with the session
   * @throws IllegalArgumentException if the output is of integers
   */
  public FloatBuffer floats() {
    return view(floats, "floats");
  }

  /**
   * Returns the memory that runs leave 32-bit integers in. Every run sets its position to 0 and its
   * limit to the end of the results.
   *
   * @return the same read-only view on every call; it ends with the session
   * @throws IllegalArgumentException if the output is of another type
   */
  public IntBuffer ints() {
    return view(ints, "ints");
  }

  /**
   * Returns the memory that runs leave 64-bit integers in. Every run sets its position to 0 and its
   * limit to the end of the results.
   *
   * @return the same read-only view on every call; it ends with the session
   * @throws IllegalArgumentException if the output is of another type
   */
  public LongBuffer longs() {
    return view(longs, "longs");
  }

  /**
   * Copies the last run's results.
   *
   * @return a new array, empty before the first run and after one that failed
   * @throws IllegalArgumentException if the output is of integers
   * @throws IllegalStateException if the session is closed or another thread is using it
   */
  public float[] toFloatArray() {
    session.enter();
    try {
      return copyFloats();
    } finally {
      session.exit();
    }
  }

  /**
   * Copies the last run's results, widened to 64 bits.
   *
   * @return a new array, empty before the first run and after one that failed
   * @throws IllegalArgumentException if the output is of floats
   * @throws IllegalStateException if the session is closed or another thread is using it
   */
  public long[] toLongArray() {
    session.enter();
    try {
      show();
      long[] copy = new long[end];
      if (ints != null) {
        for (int i = 0; i < end; i++) {
          copy[i] = ints.get(i);
        }
      } else {
        longs().get(0, copy);
      }
      return copy;
    } finally {
      session.exit();
    }
  }

  private <T> T view(T view, String asked) {
    if (view == null) {
      throw new IllegalArgumentException("output " + spec + " cannot be read as " + asked);
    }
    return view;
  }

  /** Copies the results, within a call that has claimed the session. */
  float[] copyFloats() {
    show();
    float[] copy = new float[end];
    floats().get(0, copy);
    return copy;
  }

  /**
   * Returns a new array for some rows of results: of floats, or of longs for integers.
   *
   * @throws IllegalArgumentException if there are more than an array holds
   */
  static Object newArray(TensorSpec spec, int rows) {
    long elements = spec.shape().elements(rows);
    if (elements > Integer.MAX_VALUE) {
      throw new IllegalArgumentException(
          "output "
              + spec
              + ": "
              + rows
              + " rows make "
              + elements
              + " values, an array holds at most "
              + Integer.MAX_VALUE
              + "; split the request");
    }
    return spec.type().isFloat() ? new float[(int) elements] : new long[(int) elements];
  }

  /**
   * Copies some of the last run's results, on behalf of the only thread that can be inside.
   *
   * @param from the run's first row to copy
   * @param rows how many
   * @param array from {@link #newArray}
   * @param to the array's row that the first one goes to
   */
  void copyRows(int from, int rows, Object array, int to) {
    int width = spec.shape().elementsPerRow();
    int start = from * width;
    int place = to * width;
    int count = Math.toIntExact(spec.shape().elements(rows));
    if (floats != null) {
      floats.get(start, (float[]) array, place, count);
    } else if (longs != null) {
      longs.get(start, (long[]) array, place, count);
    } else {
      for (int i = 0; i < count; i++) {
        ((long[]) array)[place + i] = ints.get(start + i);
      }
    }
  }

  /** Returns whether every float of the last run is a number, neither infinite nor NaN. */
  boolean isFinite() {
    for (int i = 0; floats != null && i < end; i++) {
      if (!Float.isFinite(floats.get(i))) {
        return false;
      }
    }
    return true;
  }

  /** Takes note of a run's rows, and lets the views end behind its results. */
  void show(int rows) {
    end = rows == 0 ? 0 : (int) spec.shape().elements(rows);
    show();
  }

  /** Puts the views' limits where they belong; callers may have moved them. */
  private void show() {
    if (floats != null) {
      floats.limit(end).position(0);
    } else if (ints != null) {
      ints.limit(end).position(0);
    } else {
      longs.limit(end).position(0);
    }
  }
}
