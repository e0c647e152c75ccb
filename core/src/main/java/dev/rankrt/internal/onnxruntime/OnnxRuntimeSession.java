package dev.rankrt.internal.onnxruntime;

import ai.onnxruntime.OnnxJavaType;
import ai.onnxruntime.OnnxTensor;
import ai.onnxruntime.OrtEnvironment;
import ai.onnxruntime.OrtException;
import ai.onnxruntime.platform.Fp16Conversions;
import dev.rankrt.DataType;
import dev.rankrt.InferenceException;
import dev.rankrt.TensorSpec;
import dev.rankrt.spi.BackendSession;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Memory for one thread's runs, and ONNX Runtime's tensors over it. One thread at a time. */
final class OnnxRuntimeSession implements BackendSession {
  private final OnnxRuntimeEngine engine;
  private final List<Slot> inputs;
  private final List<Slot> outputs;

  /**
   * Tensors by their number of rows, made when first needed: a tensor of ONNX Runtime cannot change
   * its shape.
   */
  private final Binding[] bindings;

  OnnxRuntimeSession(OnnxRuntimeEngine engine) {
    this.engine = engine;
    int modelRows = engine.fixedBatch() > 0 ? engine.fixedBatch() : engine.maxBatch();
    boolean padded = engine.minBatch() < engine.fixedBatch();
    this.bindings = new Binding[modelRows + 1];
    this.inputs =
        engine.inputs().stream()
            .map(spec -> new Slot(spec, engine.maxBatch(), modelRows, padded))
            .toList();
    this.outputs =
        engine.outputs().stream().map(spec -> new Slot(spec, modelRows, modelRows, false)).toList();
  }

  /** Returns ONNX Runtime's name for a type. */
  static OnnxJavaType typeOf(DataType type) {
    return switch (type) {
      case FLOAT32 -> OnnxJavaType.FLOAT;
      case FLOAT16 -> OnnxJavaType.FLOAT16;
      case BFLOAT16 -> OnnxJavaType.BFLOAT16;
      case INT32 -> OnnxJavaType.INT32;
      case INT64 -> OnnxJavaType.INT64;
    };
  }

  @Override
  public ByteBuffer input(int index) {
    return inputs.get(index).host;
  }

  @Override
  public ByteBuffer output(int index) {
    return outputs.get(index).host;
  }

  @Override
  public void run(int rows) {
    int runRows = engine.fixedBatch() > 0 ? engine.fixedBatch() : rows;
    try {
      for (Slot input : inputs) {
        input.toModel(rows, runRows);
      }
      Binding binding = bindings[runRows];
      if (binding == null) {
        binding = new Binding(runRows);
        bindings[runRows] = binding;
      }
      engine.model().run(binding.inputs, binding.outputs).close();
      for (Slot output : outputs) {
        output.fromModel(runRows);
      }
    } catch (OrtException e) {
      throw new InferenceException(
          "ONNX Runtime failed on " + rows + " rows: " + e.getMessage(), e);
    }
  }

  @Override
  public void close() {
    for (Binding binding : bindings) {
      if (binding != null) {
        binding.close();
      }
    }
  }

  /** The memory of one input or output. */
  private static final class Slot {
    final TensorSpec spec;

    /** What the API writes or reads: floats, or integers as in the model. */
    final ByteBuffer host;

    /**
     * What ONNX Runtime reads or writes. The same memory, but for half floats and for inputs whose
     * rows are padded: what a caller wrote behind a request's rows may be what makes a run fail,
     * and is the caller's to keep.
     */
    final ByteBuffer model;

    /** Whether the two are not the same. */
    private final boolean copied;

    Slot(TensorSpec spec, int rows, int modelRows, boolean padded) {
      int most = Math.max(rows, modelRows);
      long bytes = spec.shape().elements(most) * spec.type().hostBytes();
      if (bytes > Integer.MAX_VALUE) {
        throw new IllegalArgumentException(
            spec
                + " needs "
                + bytes
                + " bytes for "
                + most
                + " rows, at most 2 GiB are possible; lower maxBatch");
      }
      this.spec = spec;
      this.host = OnnxRuntimeEngine.direct(spec.shape().elements(rows) * spec.type().hostBytes());
      this.copied = padded || isHalf();
      this.model =
          copied
              ? OnnxRuntimeEngine.direct(spec.shape().elements(modelRows) * spec.type().bytes())
              : host;
    }

    private boolean isHalf() {
      return spec.type() == DataType.FLOAT16 || spec.type() == DataType.BFLOAT16;
    }

    /** Hands over a request's rows, and zeros for those that the model wants besides. */
    void toModel(int rows, int runRows) {
      if (!copied) {
        return;
      }
      int elements = (int) spec.shape().elements(rows);
      int bytes = elements * spec.type().bytes();
      if (isHalf()) {
        for (int i = 0; i < elements; i++) {
          float value = host.getFloat(i * Float.BYTES);
          model.putShort(
              i * Short.BYTES,
              spec.type() == DataType.FLOAT16
                  ? Fp16Conversions.floatToFp16(value)
                  : Fp16Conversions.floatToBf16(value));
        }
      } else {
        model.put(0, host, 0, bytes);
      }
      for (int i = bytes, end = (int) spec.shape().elements(runRows) * spec.type().bytes();
          i < end;
          i++) {
        model.put(i, (byte) 0);
      }
    }

    void fromModel(int rows) {
      if (isHalf()) {
        for (int i = 0, n = (int) spec.shape().elements(rows); i < n; i++) {
          short value = model.getShort(i * Short.BYTES);
          host.putFloat(
              i * Float.BYTES,
              spec.type() == DataType.FLOAT16
                  ? Fp16Conversions.fp16ToFloat(value)
                  : Fp16Conversions.bf16ToFloat(value));
        }
      }
    }

    OnnxTensor tensor(int rows) throws OrtException {
      long[] dimensions = new long[spec.shape().rank()];
      for (int axis = 0; axis < dimensions.length; axis++) {
        dimensions[axis] =
            axis == 0 && spec.shape().hasBatch() ? rows : spec.shape().dimension(axis);
      }
      int bytes = (int) spec.shape().elements(rows) * spec.type().bytes();
      return OnnxTensor.createTensor(
          OrtEnvironment.getEnvironment(),
          model.slice(0, bytes).order(ByteOrder.nativeOrder()),
          dimensions,
          typeOf(spec.type()));
    }
  }

  /** The tensors of a run with a certain number of rows. */
  private final class Binding implements AutoCloseable {
    final Map<String, OnnxTensor> inputs = new LinkedHashMap<>();
    final Map<String, OnnxTensor> outputs = new LinkedHashMap<>();

    Binding(int rows) throws OrtException {
      boolean success = false;
      try {
        for (Slot slot : OnnxRuntimeSession.this.inputs) {
          inputs.put(slot.spec.name(), slot.tensor(rows));
        }
        for (Slot slot : OnnxRuntimeSession.this.outputs) {
          outputs.put(slot.spec.name(), slot.tensor(rows));
        }
        success = true;
      } finally {
        if (!success) {
          close();
        }
      }
    }

    @Override
    public void close() {
      inputs.values().forEach(OnnxTensor::close);
      outputs.values().forEach(OnnxTensor::close);
    }
  }
}
