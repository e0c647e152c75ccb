package dev.rankrt.internal.onnxruntime;

import ai.onnxruntime.OnnxJavaType;
import ai.onnxruntime.OnnxTensor;
import ai.onnxruntime.OrtEnvironment;
import ai.onnxruntime.OrtException;
import dev.rankrt.DataType;
import dev.rankrt.InferenceException;
import dev.rankrt.Shape;
import dev.rankrt.TensorSpec;
import dev.rankrt.internal.HostTensor;
import dev.rankrt.internal.RunCounters;
import dev.rankrt.spi.BackendSession;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Memory for one thread's runs, and ONNX Runtime's tensors over it. One thread at a time. */
final class OnnxRuntimeSession implements BackendSession {
  private final OnnxRuntimeEngine engine;
  private final List<HostTensor> inputs;
  private final List<HostTensor> outputs;

  /**
   * Tensors by their number of rows, made when first needed: a tensor of ONNX Runtime cannot change
   * its shape.
   */
  private final Binding[] bindings;

  private final RunCounters.Counter counter;

  OnnxRuntimeSession(OnnxRuntimeEngine engine) {
    this.engine = engine;
    int modelRows = engine.fixedBatch() > 0 ? engine.fixedBatch() : engine.maxBatch();
    boolean padded = engine.minBatch() < engine.fixedBatch();
    this.inputs =
        engine.inputs().stream()
            .map(spec -> allocate(spec, modelRows, engine.maxBatch(), padded))
            .toList();
    this.outputs =
        engine.outputs().stream().map(spec -> allocate(spec, modelRows, modelRows, false)).toList();
    // Behind the tensors, which refuse more rows than there can be, and say how many those are.
    this.bindings = new Binding[modelRows + 1];
    this.counter = engine.counters().open();
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
    return inputs.get(index).values();
  }

  @Override
  public ByteBuffer output(int index) {
    return outputs.get(index).values();
  }

  @Override
  public void run(int rows) {
    int runRows = engine.fixedBatch() > 0 ? engine.fixedBatch() : rows;
    try {
      for (HostTensor input : inputs) {
        input.toModel(rows, runRows);
      }
      Binding binding = bindings[runRows];
      if (binding == null) {
        binding = new Binding(runRows);
        bindings[runRows] = binding;
      }
      engine.model().run(binding.inputs, binding.outputs).close();
      for (HostTensor output : outputs) {
        output.fromModel(runRows);
      }
      counter.ran(rows, runRows, false);
    } catch (OrtException e) {
      throw new InferenceException(
          "ONNX Runtime failed on " + rows + " rows: " + e.getMessage(), e);
    }
  }

  @Override
  public void close() {
    engine.counters().close(counter);
    for (Binding binding : bindings) {
      if (binding != null) {
        binding.close();
      }
    }
  }

  private static HostTensor allocate(TensorSpec spec, int modelRows, int rows, boolean apart) {
    return new HostTensor(
        spec, OnnxRuntimeEngine.direct(HostTensor.modelBytes(spec, modelRows)), rows, apart);
  }

  private static OnnxTensor tensor(HostTensor memory, int rows) throws OrtException {
    Shape shape = memory.spec().shape();
    long[] dimensions = new long[shape.rank()];
    for (int axis = 0; axis < dimensions.length; axis++) {
      dimensions[axis] = axis == 0 && shape.hasBatch() ? rows : shape.dimension(axis);
    }
    int bytes = HostTensor.modelBytes(memory.spec(), rows);
    return OnnxTensor.createTensor(
        OrtEnvironment.getEnvironment(),
        memory.model().slice(0, bytes).order(ByteOrder.nativeOrder()),
        dimensions,
        typeOf(memory.spec().type()));
  }

  /** The tensors of a run with a certain number of rows. */
  private final class Binding implements AutoCloseable {
    final Map<String, OnnxTensor> inputs = new LinkedHashMap<>();
    final Map<String, OnnxTensor> outputs = new LinkedHashMap<>();

    Binding(int rows) throws OrtException {
      boolean success = false;
      try {
        for (HostTensor memory : OnnxRuntimeSession.this.inputs) {
          inputs.put(memory.spec().name(), tensor(memory, rows));
        }
        for (HostTensor memory : OnnxRuntimeSession.this.outputs) {
          outputs.put(memory.spec().name(), tensor(memory, rows));
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
