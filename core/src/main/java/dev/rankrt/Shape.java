package dev.rankrt;

import java.util.Arrays;
import java.util.StringJoiner;

/**
 * The dimensions of a tensor, the first of which may be the batch. Immutable.
 *
 * <p>Tensors with a batch have one row for each row of a request; {@code [batch, 64]} holds 64
 * values a row. Others, such as a scalar {@code []}, have the same size in every request.
 */
public final class Shape {
  /** Stands for the batch, whose size each request decides. */
  public static final int BATCH = -1;

  private static final String BATCH_TEXT = "batch";

  private final int[] dimensions;
  private final int elementsPerRow;

  private Shape(int[] dimensions) {
    this.dimensions = dimensions;
    long product = 1;
    for (int axis = 0; axis < dimensions.length; axis++) {
      int dimension = dimensions[axis];
      if (axis == 0 && dimension == BATCH) {
        continue;
      }
      if (dimension < 1) {
        throw new IllegalArgumentException(
            "dimensions must be positive, but for a batch in front: "
                + Arrays.toString(dimensions));
      }
      product *= dimension;
      if (product > Integer.MAX_VALUE) {
        throw new IllegalArgumentException(
            "a row holds at most "
                + Integer.MAX_VALUE
                + " elements: "
                + Arrays.toString(dimensions));
      }
    }
    this.elementsPerRow = (int) product;
  }

  /**
   * Returns the shape with the given dimensions.
   *
   * @param dimensions positive sizes, the first of which may be {@link #BATCH}; none for a scalar
   * @return the shape
   * @throws IllegalArgumentException if a dimension is neither, or a row has more than 2^31 - 1
   *     elements
   */
  public static Shape of(int... dimensions) {
    return new Shape(dimensions.clone());
  }

  /**
   * Reads what {@link #toString} writes.
   *
   * @param text such as {@code [batch, 64]}
   * @return the shape
   * @throws IllegalArgumentException if the text is not a shape
   */
  public static Shape parse(String text) {
    String trimmed = text.strip();
    if (!trimmed.startsWith("[") || !trimmed.endsWith("]") || trimmed.length() < 2) {
      throw new IllegalArgumentException("not a shape: '" + text + "'; write one like [batch, 64]");
    }
    String inner = trimmed.substring(1, trimmed.length() - 1);
    if (inner.isBlank()) {
      return of();
    }
    String[] parts = inner.split(",", -1);
    int[] dimensions = new int[parts.length];
    for (int axis = 0; axis < parts.length; axis++) {
      String part = parts[axis].strip();
      if (part.equals(BATCH_TEXT)) {
        dimensions[axis] = BATCH;
        continue;
      }
      try {
        // Without the sign that parseInt would take: -1 is not how a batch is written.
        dimensions[axis] = part.matches("[0-9]+") ? Integer.parseInt(part) : 0;
      } catch (NumberFormatException e) {
        dimensions[axis] = 0;
      }
      if (dimensions[axis] == 0) {
        throw new IllegalArgumentException(
            "not a shape: '" + text + "': '" + part + "' is no dimension");
      }
    }
    return new Shape(dimensions);
  }

  /**
   * Returns how many dimensions there are, the batch included.
   *
   * @return 0 for a scalar
   */
  public int rank() {
    return dimensions.length;
  }

  /**
   * Returns one dimension.
   *
   * @param axis from 0
   * @return its size, or {@link #BATCH}
   * @throws IndexOutOfBoundsException if there is no such axis
   */
  public int dimension(int axis) {
    return dimensions[axis];
  }

  /**
   * Returns whether the tensor has one row for each row of a request.
   *
   * @return false where its size is the same in every request
   */
  public boolean hasBatch() {
    return dimensions.length > 0 && dimensions[0] == BATCH;
  }

  /**
   * Returns how many elements one row holds, or the whole tensor where it has no batch.
   *
   * @return 1 for a scalar and for {@code [batch]}
   */
  public int elementsPerRow() {
    return elementsPerRow;
  }

  /**
   * Returns how many elements the tensor holds in a request.
   *
   * @param rows the rows of the request
   * @return the product of all dimensions
   */
  public long elements(int rows) {
    return hasBatch() ? (long) rows * elementsPerRow : elementsPerRow;
  }

  @Override
  public boolean equals(Object other) {
    return other instanceof Shape shape && Arrays.equals(dimensions, shape.dimensions);
  }

  @Override
  public int hashCode() {
    return Arrays.hashCode(dimensions);
  }

  @Override
  public String toString() {
    StringJoiner text = new StringJoiner(", ", "[", "]");
    for (int dimension : dimensions) {
      text.add(dimension == BATCH ? BATCH_TEXT : Integer.toString(dimension));
    }
    return text.toString();
  }
}
