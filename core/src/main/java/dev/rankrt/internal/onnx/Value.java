package dev.rankrt.internal.onnx;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;

/** What stands for a tensor of the model in the graph that {@link LateBroadcast} makes. */
sealed interface Value {
  /** The first dimension of a tensor with rows. */
  long ROWS = -1;

  /** Returns the model's dimensions, null where they are not known. */
  long[] shape();

  /** Returns what kind of tensor it is, null where it is split. */
  Kind kind();

  /** Returns the axis that it is split along, 0 where it is whole. */
  int axis();

  /** Tells whether the model has a row for each candidate. */
  default boolean hasRows() {
    return axis() > 0 || kind() == Kind.SHARED || kind() == Kind.ROWS;
  }

  enum Kind {
    FIXED,
    SHARED,
    ROWS,
    OTHER
  }

  /** One tensor. */
  final class Whole implements Value {
    final String name;
    private final Kind kind;
    private final long[] shape;

    Whole(String name, Kind kind, long[] shape) {
      this.name = name;
      this.kind = kind;
      this.shape = shape;
    }

    @Override
    public Kind kind() {
      return kind;
    }

    @Override
    public int axis() {
      return 0;
    }

    @Override
    public long[] shape() {
      return shape;
    }
  }

  /** Two tensors, of one row and of many, with the columns of one axis shared out among them. */
  final class Split implements Value {
    private final int axis;
    final long[] shape;
    final List<Run> runs;

    /** The halves, once somebody needed them. */
    String shared;

    String rows;

    Split(int axis, long[] shape, List<Run> runs) {
      this.axis = axis;
      this.shape = shape;
      this.runs = runs;
    }

    @Override
    public Kind kind() {
      return null;
    }

    @Override
    public int axis() {
      return axis;
    }

    @Override
    public long[] shape() {
      return shape;
    }

    /** Tells of each column whether it is the user's. */
    boolean[] columns() {
      boolean[] columns = new boolean[(int) shape[axis]];
      int at = 0;
      for (Run run : runs) {
        Arrays.fill(columns, at, at + run.width(), run.shared());
        at += run.width();
      }
      return columns;
    }

    /** Puts columns together from two tensors, each of which has its own in order. */
    static Split of(int axis, long[] shape, boolean[] columns, String user, String candidate) {
      int[] widths = {places(columns, false).length, places(columns, true).length};
      int[] at = new int[2];
      List<Run> runs = new ArrayList<>();
      for (int i = 0, end; i < columns.length; i = end) {
        boolean shared = columns[i];
        end = i;
        while (end < columns.length && columns[end] == shared) {
          end++;
        }
        int half = shared ? 1 : 0;
        int from = at[half];
        at[half] += end - i;
        runs.add(new Run(shared, shared ? user : candidate, from, at[half], widths[half]));
      }
      return new Split(axis, shape, runs);
    }

    /** Returns the places of the columns that are the user's, or are not. */
    static int[] places(boolean[] columns, boolean shared) {
      return IntStream.range(0, columns.length).filter(i -> columns[i] == shared).toArray();
    }
  }

  /** Columns that lie side by side, in the model and in a tensor. */
  record Run(boolean shared, String source, int from, int to, int sourceWidth) {
    int width() {
      return to - from;
    }
  }
}
