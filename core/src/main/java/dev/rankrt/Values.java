package dev.rankrt;

import java.nio.FloatBuffer;
import java.nio.IntBuffer;
import java.nio.LongBuffer;

/**
 * A Java type that a request's values come in: how to check them against an input, and how to copy
 * them into its memory. There is one constant for each type, so that a call with any of them
 * creates nothing.
 *
 * @param <T> the type
 */
abstract class Values<T> {

  /** Checks everything that could be wrong, without copying, and returns the rows. */
  abstract int check(T values, InputTensor input);

  /** Copies values that passed the check. */
  abstract void copy(T values, InputTensor input);

  static final Values<float[]> FLOAT_ARRAY =
      new Values<>() {
        @Override
        int check(float[] values, InputTensor input) {
          input.requireFloats();
          return input.rowsOf(values.length);
        }

        @Override
        void copy(float[] values, InputTensor input) {
          input.floatMemory().put(0, values);
        }
      };

  static final Values<FloatBuffer> FLOAT_BUFFER =
      new Values<>() {
        @Override
        int check(FloatBuffer values, InputTensor input) {
          input.requireFloats();
          return input.rowsOf(values.remaining());
        }

        @Override
        void copy(FloatBuffer values, InputTensor input) {
          input.floatMemory().put(0, values, values.position(), values.remaining());
        }
      };

  static final Values<int[]> INT_ARRAY =
      new Values<>() {
        @Override
        int check(int[] ids, InputTensor input) {
          input.requireIds();
          int rows = input.rowsOf(ids.length);
          checkIds(ids, 0, input);
          return rows;
        }

        @Override
        void copy(int[] ids, InputTensor input) {
          copyIds(ids, 0, input);
        }
      };

  static final Values<IntBuffer> INT_BUFFER =
      new Values<>() {
        @Override
        int check(IntBuffer ids, InputTensor input) {
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
        void copy(IntBuffer ids, InputTensor input) {
          IntBuffer ints = input.intMemory();
          if (ints != null) {
            ints.put(0, ids, ids.position(), ids.remaining());
            return;
          }
          LongBuffer longs = input.longMemory();
          for (int i = 0, n = ids.remaining(); i < n; i++) {
            longs.put(i, ids.get(ids.position() + i));
          }
        }
      };

  static final Values<long[]> LONG_ARRAY =
      new Values<>() {
        @Override
        int check(long[] ids, InputTensor input) {
          input.requireIds();
          int rows = input.rowsOf(ids.length);
          checkIds(ids, 0, input);
          return rows;
        }

        @Override
        void copy(long[] ids, InputTensor input) {
          copyIds(ids, 0, input);
        }
      };

  static final Values<LongBuffer> LONG_BUFFER =
      new Values<>() {
        @Override
        int check(LongBuffer ids, InputTensor input) {
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
        void copy(LongBuffer ids, InputTensor input) {
          LongBuffer longs = input.longMemory();
          if (longs != null) {
            longs.put(0, ids, ids.position(), ids.remaining());
            return;
          }
          IntBuffer ints = input.intMemory();
          for (int i = 0, n = ids.remaining(); i < n; i++) {
            ints.put(i, (int) ids.get(ids.position() + i));
          }
        }
      };

  static final Values<float[][]> FLOAT_ROWS =
      new Rows<>() {
        @Override
        int check(float[][] rows, InputTensor input) {
          input.requireFloats();
          return super.check(rows, input);
        }

        @Override
        int length(float[] row) {
          return row.length;
        }

        @Override
        void checkRow(float[] row, int place, InputTensor input) {}

        @Override
        void copyRow(float[] row, int place, InputTensor input) {
          input.floatMemory().put(place, row);
        }
      };

  static final Values<int[][]> INT_ROWS =
      new Rows<>() {
        @Override
        int check(int[][] rows, InputTensor input) {
          input.requireIds();
          return super.check(rows, input);
        }

        @Override
        int length(int[] row) {
          return row.length;
        }

        @Override
        void checkRow(int[] row, int place, InputTensor input) {
          checkIds(row, place, input);
        }

        @Override
        void copyRow(int[] row, int place, InputTensor input) {
          copyIds(row, place, input);
        }
      };

  static final Values<long[][]> LONG_ROWS =
      new Rows<>() {
        @Override
        int check(long[][] rows, InputTensor input) {
          input.requireIds();
          return super.check(rows, input);
        }

        @Override
        int length(long[] row) {
          return row.length;
        }

        @Override
        void checkRow(long[] row, int place, InputTensor input) {
          checkIds(row, place, input);
        }

        @Override
        void copyRow(long[] row, int place, InputTensor input) {
          copyIds(row, place, input);
        }
      };

  private static void checkIds(int[] ids, int place, InputTensor input) {
    if (input.checksEachId(false)) {
      for (int i = 0; i < ids.length; i++) {
        input.requireId(ids[i], place + i);
      }
    }
  }

  private static void copyIds(int[] ids, int place, InputTensor input) {
    IntBuffer ints = input.intMemory();
    if (ints != null) {
      ints.put(place, ids);
      return;
    }
    LongBuffer longs = input.longMemory();
    for (int i = 0; i < ids.length; i++) {
      longs.put(place + i, ids[i]);
    }
  }

  private static void checkIds(long[] ids, int place, InputTensor input) {
    if (input.checksEachId(true)) {
      for (int i = 0; i < ids.length; i++) {
        input.requireId(ids[i], place + i);
      }
    }
  }

  private static void copyIds(long[] ids, int place, InputTensor input) {
    LongBuffer longs = input.longMemory();
    if (longs != null) {
      longs.put(place, ids);
      return;
    }
    IntBuffer ints = input.intMemory();
    for (int i = 0; i < ids.length; i++) {
      ints.put(place + i, (int) ids[i]);
    }
  }

  /** Values that come as one array a row. */
  private abstract static class Rows<R> extends Values<R[]> {
    abstract int length(R row);

    /** Checks a row of the right length, whose first value has the given place in the request. */
    abstract void checkRow(R row, int place, InputTensor input);

    abstract void copyRow(R row, int place, InputTensor input);

    @Override
    int check(R[] rows, InputTensor input) {
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
    void copy(R[] rows, InputTensor input) {
      for (int i = 0; i < rows.length; i++) {
        copyRow(rows[i], i * input.width(), input);
      }
    }
  }
}
