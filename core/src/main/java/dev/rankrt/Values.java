package dev.rankrt;

import java.nio.FloatBuffer;
import java.nio.IntBuffer;
import java.nio.LongBuffer;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.stream.Collectors;

/**
 * A Java type that a request's values come in: how to check them against an input, and how to copy
 * them into its memory. There is one constant for each type, so that a call with any of them
 * creates nothing.
 *
 * @param <T> the type
 */
abstract class Values<T> {

  /** Checks everything that could be wrong, without copying, and returns the rows. */
  abstract int check(T values, InputRules input);

  /**
   * Copies rows of values that passed the check.
   *
   * @param from the first of the values' rows to copy
   * @param rows how many
   * @param at the input's row that the first one goes to
   */
  abstract void copy(T values, int from, int rows, InputTensor input, int at);

  /** Returns values for keeping: a buffer's position and limit are its owner's to move. */
  T kept(T values) {
    return values;
  }

  /**
   * Returns the constant for some values.
   *
   * @throws IllegalArgumentException if there is none for their type
   */
  static Values<?> of(Object values, TensorSpec input) {
    for (Map.Entry<Class<?>, Values<?>> form : FORMS.entrySet()) {
      if (form.getKey().isInstance(values)) {
        return form.getValue();
      }
    }
    throw new IllegalArgumentException(
        "input "
            + input
            + (values == null ? ": null given" : " was given a " + values.getClass().getTypeName())
            + "; values are "
            + FORMS.keySet().stream()
                .map(Class::getSimpleName)
                .collect(Collectors.joining(", ", "one of ", "")));
  }

  static final Values<float[]> FLOAT_ARRAY =
      new Values<>() {
        @Override
        int check(float[] values, InputRules input) {
          input.requireFloats();
          return input.rowsOf(values.length);
        }

        @Override
        void copy(float[] values, int from, int rows, InputTensor input, int at) {
          int width = input.width();
          input.floatMemory().put(at * width, values, from * width, rows * width);
        }
      };

  static final Values<FloatBuffer> FLOAT_BUFFER =
      new Values<>() {
        @Override
        int check(FloatBuffer values, InputRules input) {
          input.requireFloats();
          return input.rowsOf(values.remaining());
        }

        @Override
        void copy(FloatBuffer values, int from, int rows, InputTensor input, int at) {
          int width = input.width();
          int start = values.position() + from * width;
          input.floatMemory().put(at * width, values, start, rows * width);
        }

        @Override
        FloatBuffer kept(FloatBuffer values) {
          return values.duplicate();
        }
      };

  static final Values<int[]> INT_ARRAY =
      new Values<>() {
        @Override
        int check(int[] ids, InputRules input) {
          input.requireIds();
          int rows = input.rowsOf(ids.length);
          checkIds(ids, 0, input);
          return rows;
        }

        @Override
        void copy(int[] ids, int from, int rows, InputTensor input, int at) {
          int width = input.width();
          copyIds(ids, from * width, rows * width, input, at * width);
        }
      };

  static final Values<IntBuffer> INT_BUFFER =
      new Values<>() {
        @Override
        int check(IntBuffer ids, InputRules input) {
          input.requireIds();
          int rows = input.rowsOf(ids.remaining());
          if (input.checksEachId(false)) {
            for (int i = 0, n = ids.remaining(); i < n; i++) {
              input.requireId(ids.get(ids.position() + i), i);
            }
          }
          return rows;
        }

        @Override
        void copy(IntBuffer ids, int from, int rows, InputTensor input, int at) {
          int start = ids.position() + from * input.width();
          int count = rows * input.width();
          int place = at * input.width();
          IntBuffer ints = input.intMemory();
          if (ints != null) {
            ints.put(place, ids, start, count);
            return;
          }
          LongBuffer longs = input.longMemory();
          for (int i = 0; i < count; i++) {
            longs.put(place + i, ids.get(start + i));
          }
        }

        @Override
        IntBuffer kept(IntBuffer ids) {
          return ids.duplicate();
        }
      };

  static final Values<long[]> LONG_ARRAY =
      new Values<>() {
        @Override
        int check(long[] ids, InputRules input) {
          input.requireIds();
          int rows = input.rowsOf(ids.length);
          checkIds(ids, 0, input);
          return rows;
        }

        @Override
        void copy(long[] ids, int from, int rows, InputTensor input, int at) {
          int width = input.width();
          copyIds(ids, from * width, rows * width, input, at * width);
        }
      };

  static final Values<LongBuffer> LONG_BUFFER =
      new Values<>() {
        @Override
        int check(LongBuffer ids, InputRules input) {
          input.requireIds();
          int rows = input.rowsOf(ids.remaining());
          if (input.checksEachId(true)) {
            for (int i = 0, n = ids.remaining(); i < n; i++) {
              input.requireId(ids.get(ids.position() + i), i);
            }
          }
          return rows;
        }

        @Override
        void copy(LongBuffer ids, int from, int rows, InputTensor input, int at) {
          int start = ids.position() + from * input.width();
          int count = rows * input.width();
          int place = at * input.width();
          LongBuffer longs = input.longMemory();
          if (longs != null) {
            longs.put(place, ids, start, count);
            return;
          }
          IntBuffer ints = input.intMemory();
          for (int i = 0; i < count; i++) {
            ints.put(place + i, (int) ids.get(start + i));
          }
        }

        @Override
        LongBuffer kept(LongBuffer ids) {
          return ids.duplicate();
        }
      };

  static final Values<float[][]> FLOAT_ROWS =
      new Rows<>() {
        @Override
        int check(float[][] rows, InputRules input) {
          input.requireFloats();
          return super.check(rows, input);
        }

        @Override
        int length(float[] row) {
          return row.length;
        }

        @Override
        void checkRow(float[] row, int place, InputRules input) {}

        @Override
        void copyRow(float[] row, int place, InputTensor input) {
          input.floatMemory().put(place, row, 0, input.width());
        }
      };

  static final Values<int[][]> INT_ROWS =
      new Rows<>() {
        @Override
        int check(int[][] rows, InputRules input) {
          input.requireIds();
          return super.check(rows, input);
        }

        @Override
        int length(int[] row) {
          return row.length;
        }

        @Override
        void checkRow(int[] row, int place, InputRules input) {
          checkIds(row, place, input);
        }

        @Override
        void copyRow(int[] row, int place, InputTensor input) {
          copyIds(row, 0, input.width(), input, place);
        }
      };

  static final Values<long[][]> LONG_ROWS =
      new Rows<>() {
        @Override
        int check(long[][] rows, InputRules input) {
          input.requireIds();
          return super.check(rows, input);
        }

        @Override
        int length(long[] row) {
          return row.length;
        }

        @Override
        void checkRow(long[] row, int place, InputRules input) {
          checkIds(row, place, input);
        }

        @Override
        void copyRow(long[] row, int place, InputTensor input) {
          copyIds(row, 0, input.width(), input, place);
        }
      };

  private static final Map<Class<?>, Values<?>> FORMS = forms();

  private static Map<Class<?>, Values<?>> forms() {
    Map<Class<?>, Values<?>> forms = new LinkedHashMap<>();
    forms.put(float[].class, FLOAT_ARRAY);
    forms.put(float[][].class, FLOAT_ROWS);
    forms.put(FloatBuffer.class, FLOAT_BUFFER);
    forms.put(int[].class, INT_ARRAY);
    forms.put(int[][].class, INT_ROWS);
    forms.put(IntBuffer.class, INT_BUFFER);
    forms.put(long[].class, LONG_ARRAY);
    forms.put(long[][].class, LONG_ROWS);
    forms.put(LongBuffer.class, LONG_BUFFER);
    return forms;
  }

  private static void checkIds(int[] ids, int place, InputRules input) {
    if (input.checksEachId(false)) {
      for (int i = 0; i < ids.length; i++) {
        input.requireId(ids[i], place + i);
      }
    }
  }

  private static void copyIds(int[] ids, int start, int count, InputTensor input, int place) {
    IntBuffer ints = input.intMemory();
    if (ints != null) {
      ints.put(place, ids, start, count);
      return;
    }
    LongBuffer longs = input.longMemory();
    for (int i = 0; i < count; i++) {
      longs.put(place + i, ids[start + i]);
    }
  }

  private static void checkIds(long[] ids, int place, InputRules input) {
    if (input.checksEachId(true)) {
      for (int i = 0; i < ids.length; i++) {
        input.requireId(ids[i], place + i);
      }
    }
  }

  private static void copyIds(long[] ids, int start, int count, InputTensor input, int place) {
    LongBuffer longs = input.longMemory();
    if (longs != null) {
      longs.put(place, ids, start, count);
      return;
    }
    IntBuffer ints = input.intMemory();
    for (int i = 0; i < count; i++) {
      ints.put(place + i, (int) ids[start + i]);
    }
  }

  /** Values that come as one array a row. */
  private abstract static class Rows<R> extends Values<R[]> {
    abstract int length(R row);

    /** Checks a row of the right length, whose first value has the given place in the request. */
    abstract void checkRow(R row, int place, InputRules input);

    abstract void copyRow(R row, int place, InputTensor input);

    @Override
    int check(R[] rows, InputRules input) {
      input.requireRows(rows.length);
      for (int i = 0; i < rows.length; i++) {
        if (rows[i] == null) {
          throw new IllegalArgumentException("input " + input.spec() + ": row " + i + " is null");
        }
        input.requireRowOf(length(rows[i]), i);
        checkRow(rows[i], i * input.width(), input);
      }
      return rows.length;
    }

    @Override
    void copy(R[] values, int from, int rows, InputTensor input, int at) {
      for (int i = 0; i < rows; i++) {
        copyRow(values[from + i], (at + i) * input.width(), input);
      }
    }
  }
}
