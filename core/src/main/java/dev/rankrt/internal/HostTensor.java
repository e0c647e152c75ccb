package dev.rankrt.internal;

import dev.rankrt.TensorSpec;
import java.math.BigInteger;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/**
 * The host memory of one input or output of a session: what the API writes and reads, and what the
 * model does. Both are the same memory unless they must differ: 16-bit floats are {@code float} to
 * the API, and where a model is given more rows than a request has, what a caller wrote behind the
 * request's rows may be what makes a run fail, and is the caller's to keep. One thread at a time.
 */
public final class HostTensor {
  private final TensorSpec spec;
  private final ByteBuffer values;
  private final ByteBuffer model;
  private final boolean separate;

  /**
   * Puts a tensor into memory.
   *
   * @param memory what the model uses, in native byte order; zeroed here, so that ids are valid
   *     from the start
   * @param rows how many rows the API sees
   * @param apart whether the API's memory is another even where the types are the same
   */
  public HostTensor(TensorSpec spec, ByteBuffer memory, int rows, boolean apart) {
    this.spec = spec;
    this.model = memory;
    for (int i = 0; i < memory.capacity(); i++) {
      memory.put(i, (byte) 0);
    }
    this.separate = apart || Halves.isHalf(spec.type());
    this.values =
        separate
            ? ByteBuffer.allocateDirect(hostBytes(spec, rows)).order(ByteOrder.nativeOrder())
            : memory;
  }

  /**
   * Returns how many bytes a tensor takes for the API.
   *
   * @throws IllegalArgumentException if a buffer cannot hold its values
   */
  public static int hostBytes(TensorSpec spec, int rows) {
    long elements = spec.shape().elements(rows);
    if (elements > Integer.MAX_VALUE / spec.type().hostBytes()) { // bytes could be beyond any long
      throw new IllegalArgumentException(
          spec
              + " needs "
              + BigInteger.valueOf(elements).multiply(BigInteger.valueOf(spec.type().hostBytes()))
              + " bytes for "
              + rows
              + " rows, at most 2 GiB are possible; lower maxBatch");
    }
    return (int) elements * spec.type().hostBytes();
  }

  /**
   * Returns how many bytes a tensor takes in the model.
   *
   * @throws IllegalArgumentException if a buffer cannot hold its values
   */
  public static int modelBytes(TensorSpec spec, int rows) {
    return hostBytes(spec, rows) / spec.type().hostBytes() * spec.type().bytes();
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
   * Brings what the API wrote to the model.
   *
   * @param rows the request's rows
   * @param modelRows the rows that the model is given; the ones behind the request's are zero
   */
  public void toModel(int rows, int modelRows) {
    if (!separate) {
      return;
    }
    int elements = (int) spec.shape().elements(rows);
    if (Halves.isHalf(spec.type())) {
      Halves.toHalf(spec.type(), values, model, elements);
    } else {
      model.put(0, values, 0, elements * spec.type().bytes());
    }
    for (int at = modelBytes(spec, rows), end = modelBytes(spec, modelRows); at < end; at++) {
      model.put(at, (byte) 0);
    }
  }

  /** Brings what the model wrote to the API. */
  public void fromModel(int rows) {
    if (!separate) {
      return;
    }
    int elements = (int) spec.shape().elements(rows);
    if (Halves.isHalf(spec.type())) {
      Halves.toFloat(spec.type(), model, values, elements);
    } else {
      values.put(0, model, 0, elements * spec.type().bytes());
    }
  }
}
