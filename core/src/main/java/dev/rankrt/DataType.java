package dev.rankrt;

/** The type of a model's input or output. Immutable. */
public enum DataType {
  /** IEEE 754 single precision. */
  FLOAT32(4, true),
  /** IEEE 754 half precision; given and read as {@code float}. */
  FLOAT16(2, true),
  /** The upper half of a single precision float; given and read as {@code float}. */
  BFLOAT16(2, true),
  /** 32-bit signed integers, usually ids. */
  INT32(4, false),
  /** 64-bit signed integers, usually ids. */
  INT64(8, false);

  private final int bytes;
  private final boolean isFloat;

  DataType(int bytes, boolean isFloat) {
    this.bytes = bytes;
    this.isFloat = isFloat;
  }

  /**
   * Returns the size of one element in the model.
   *
   * @return bytes
   */
  public int bytes() {
    return bytes;
  }

  /**
   * Returns the size of one element in a session's memory, where every floating type is a {@code
   * float}.
   *
   * @return bytes
   */
  public int hostBytes() {
    return isFloat ? Float.BYTES : bytes;
  }

  /**
   * Returns whether elements are given and read as {@code float}.
   *
   * @return false for integers
   */
  public boolean isFloat() {
    return isFloat;
  }
}
