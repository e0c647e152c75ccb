package dev.rankrt.internal;

import dev.rankrt.TensorSpec;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/**
 * The host memory of one input or output of a session: what the API writes and reads, and what the
 * model does. Both are the same memory, but for 16-bit floats, which the API knows as {@code
 * float}. One thread at a time.
 */
public final class HostTensor {
  private final TensorSpec spec;
  private final ByteBuffer values;
  private final ByteBuffer model;

  /**
   * Puts a tensor into memory.
   *
   * @param memory in native byte order, {@link #modelBytes} long; zeroed here, so that ids are
   *     valid from the start
   */
  public HostTensor(TensorSpec spec, ByteBuffer memory) {
    this.spec = spec;
    this.model = memory;
    for (int i = 0; i < memory.capacity(); i++) {
      memory.put(i, (byte) 0);
    }
    this.values =
        Halves.isHalf(spec.type())
            ? ByteBuffer.allocateDirect(Math.multiplyExact(memory.capacity(), 2))
                .order(ByteOrder.nativeOrder())
            : memory;
  }

  /**
   * Returns how many bytes a tensor takes in the model.
   *
   * @throws IllegalArgumentException if a buffer cannot be that large
   */
  public static int modelBytes(TensorSpec spec, int rows) {
    long elements = spec.shape().elements(rows);
    long bytes = elements * spec.type().hostBytes();
    if (bytes > Integer.MAX_VALUE) {
      throw new IllegalArgumentException(
          spec
              + " needs "
              + bytes
              + " bytes for "
              + rows
              + " rows, at most 2 GiB are possible; lower maxBatch");
    }
    return (int) elements * spec.type().bytes();
  }

  /** Returns what the tensor is. */
  public TensorSpec spec() {
    return spec;
  }

  /** Returns what the API writes or reads. */
  public ByteBuffer values() {
    return values;
  }

  /** Returns what the model reads or writes. */
  public ByteBuffer model() {
    return model;
  }

  /**
   * Zeroes the rows behind a request's: what an earlier call left there might be what made it fail.
   */
  public void clearRows(int from, int to) {
    if (spec.shape().hasBatch()) {
      int rowBytes = spec.shape().elementsPerRow() * spec.type().hostBytes();
      for (int i = from * rowBytes; i < to * rowBytes; i += Integer.BYTES) {
        values.putInt(i, 0);
      }
    }
  }

  /** Brings what the API wrote to the model. */
  public void toModel(int rows) {
    if (Halves.isHalf(spec.type())) {
      Halves.toHalf(spec.type(), values, model, (int) spec.shape().elements(rows));
    }
  }

  /** Brings what the model wrote to the API. */
  public void fromModel(int rows) {
    if (Halves.isHalf(spec.type())) {
      Halves.toFloat(spec.type(), model, values, (int) spec.shape().elements(rows));
    }
  }
}
