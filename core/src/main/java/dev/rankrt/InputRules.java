package dev.rankrt;

import dev.rankrt.EngineOptions.IdRange;

/** What the values of one input must be: everything that can be wrong before a run. Immutable. */
final class InputRules {
  private final Engine engine;
  private final TensorSpec spec;
  private final int width;
  private final boolean narrow;
  private final boolean declaredRange;
  private final long minId;
  private final long maxId;
  private final int minRows;
  private final int maxRows;

  /**
   * Creates the rules of an input.
   *
   * @param range the ids that it accepts; null for all
   * @param minRows the fewest rows of a request
   * @param maxRows the most rows of a request
   */
  InputRules(Engine engine, TensorSpec spec, IdRange range, int minRows, int maxRows) {
    this.engine = engine;
    this.spec = spec;
    this.width = spec.shape().elementsPerRow();
    this.narrow = spec.type() == DataType.INT32;
    this.declaredRange = range != null;
    this.minId = declaredRange ? range.min() : Long.MIN_VALUE;
    this.maxId = declaredRange ? range.max() : Long.MAX_VALUE;
    this.minRows = minRows;
    this.maxRows = maxRows;
  }

  TensorSpec spec() {
    return spec;
  }

  int width() {
    return width;
  }

  boolean declaresIds() {
    return declaredRange;
  }

  /** Returns an id that the input accepts: 0 where it may be. */
  long anyId() {
    return Math.max(minId, Math.min(maxId, 0));
  }

  /** Checks that two inputs were given as many rows. */
  static void requireSameRows(InputRules one, int rows, InputRules other, int otherRows) {
    if (rows != otherRows) {
      throw new IllegalArgumentException(
          "input "
              + one.spec
              + " was given "
              + rows
              + " rows, input "
              + other.spec
              + " "
              + otherRows);
    }
  }

  /** Checks values, and returns their rows. */
  <T> int check(Values<T> form, T values) {
    if (values == null) {
      throw new IllegalArgumentException("input " + spec + ": null given");
    }
    return form.check(values, this);
  }

  /** Returns how many rows a number of values makes, after checking that a run could take them. */
  int rowsOf(int values) {
    if (values % width != 0) {
      throw new IllegalArgumentException(
          "input "
              + spec
              + ": "
              + values
              + " values given, which is no whole number of rows of "
              + width);
    }
    return requireRows(values / width);
  }

  int requireRows(int rows) {
    if (spec.shape().hasBatch()) {
      if (rows < minRows || rows > maxRows) {
        throw new IllegalArgumentException("input " + spec + ": " + engine.rowsRefused(rows));
      }
    } else if (rows != 1) {
      throw new IllegalArgumentException(
          "input "
              + spec
              + " has no batch: "
              + width
              + " values wanted, "
              + (long) rows * width
              + " given");
    }
    return rows;
  }

  void requireRowOf(int values, int row) {
    if (values != width) {
      throw new IllegalArgumentException(
          "input "
              + spec
              + ": row "
              + row
              + " has "
              + values
              + " values, every row needs "
              + width);
    }
  }

  void requireFloats() {
    if (!spec.type().isFloat()) {
      throw new IllegalArgumentException("input " + spec + " takes int or long ids, floats given");
    }
  }

  void requireIds() {
    if (spec.type().isFloat()) {
      throw new IllegalArgumentException("input " + spec + " takes floats, int or long ids given");
    }
  }

  /** Tells whether ids need looking at one by one. */
  boolean checksEachId(boolean narrowing) {
    return declaredRange || (narrowing && narrow);
  }

  void requireId(long id, int place) {
    if (id < minId || id > maxId) {
      throw idRefused(id, place, "is outside the declared range of " + minId + " to " + maxId);
    }
    if (narrow && id != (int) id) {
      throw idRefused(id, place, "does not fit the 32 bits of the model's ids");
    }
  }

  private IllegalArgumentException idRefused(long id, int place, String why) {
    return new IllegalArgumentException(
        "input "
            + spec
            + ": id "
            + id
            + " in row "
            + place / width
            + ", column "
            + place % width
            + " "
            + why);
  }
}
