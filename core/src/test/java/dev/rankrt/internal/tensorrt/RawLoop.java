package dev.rankrt.internal.tensorrt;

import static org.bytedeco.cuda.global.cudart.*;

import dev.rankrt.TensorSpec;
import dev.rankrt.internal.HostTensor;
import dev.rankrt.internal.tensorrt.Tuning.Choice;
import dev.rankrt.natives.internal.Address;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;
import org.bytedeco.cuda.cudart.CUgraphExec_st;
import org.bytedeco.cuda.cudart.CUgraph_st;
import org.bytedeco.cuda.cudart.CUstream_st;
import org.bytedeco.javacpp.BytePointer;
import org.bytedeco.javacpp.Pointer;
import org.bytedeco.tensorrt.nvinfer.Dims64;
import org.bytedeco.tensorrt.nvinfer.IExecutionContext;

/**
 * What a session is measured against: one captured graph, launched and synchronised with by plain
 * calls of the presets, with nothing around them. It leaks what it allocates until the process
 * ends. One thread at a time.
 */
final class RawLoop {
  private final List<ByteBuffer> inputs = new ArrayList<>();
  private final List<ByteBuffer> outputs = new ArrayList<>();
  private final CUstream_st stream = new CUstream_st();
  private final CUgraphExec_st graph = new CUgraphExec_st();

  RawLoop(TensorRtEngine engine, int rows, Choice choice) {
    succeed(cudaStreamCreateWithFlags(stream, cudaStreamNonBlocking));
    IExecutionContext context = engine.newContext();
    require(context.setOptimizationProfileAsync(choice.profile(), stream));
    List<Runnable> in = new ArrayList<>();
    List<Runnable> out = new ArrayList<>();
    for (TensorSpec spec : engine.inputs()) {
      require(context.setInputShape(spec.name(), dimensions(spec, rows)));
      long bytes = HostTensor.modelBytes(spec, rows);
      Pointer pinned = pinned(bytes);
      inputs.add(view(pinned, bytes));
      Pointer used = pinned;
      if (choice.transfer() == Transfer.COPY) {
        Pointer device = device(bytes);
        used = device;
        in.add(() -> succeed(cudaMemcpyAsync(device, pinned, bytes, cudaMemcpyDefault, stream)));
      }
      require(context.setInputTensorAddress(spec.name(), used));
    }
    for (TensorSpec spec : engine.outputs()) {
      long bytes = HostTensor.modelBytes(spec, rows);
      Pointer pinned = pinned(bytes);
      outputs.add(view(pinned, bytes));
      Pointer used = pinned;
      if (choice.transfer() == Transfer.COPY) {
        Pointer device = device(bytes);
        used = device;
        out.add(() -> succeed(cudaMemcpyAsync(pinned, device, bytes, cudaMemcpyDefault, stream)));
      }
      require(context.setTensorAddress(spec.name(), used));
    }
    long scratch =
        Math.max(context.updateDeviceMemorySizeForShapes(), engine.scratchBytes(choice.profile()));
    context.setDeviceMemoryV2(device(scratch), scratch);
    enqueue(context, in, out);
    succeed(cudaStreamSynchronize(stream));
    succeed(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal));
    enqueue(context, in, out);
    CUgraph_st captured = new CUgraph_st();
    succeed(cudaStreamEndCapture(stream, captured));
    succeed(cudaGraphInstantiateWithFlags(graph, captured, 0));
  }

  private void enqueue(IExecutionContext context, List<Runnable> in, List<Runnable> out) {
    in.forEach(Runnable::run);
    require(context.enqueueV3(stream));
    out.forEach(Runnable::run);
  }

  /** Launches and synchronises. The device is current on every thread from the start: it is 0. */
  void run() {
    succeed(cudaGraphLaunch(graph, stream));
    succeed(cudaStreamSynchronize(stream));
  }

  ByteBuffer input(int index) {
    return inputs.get(index);
  }

  ByteBuffer output(int index) {
    return outputs.get(index);
  }

  private static Dims64 dimensions(TensorSpec spec, int rows) {
    Dims64 dimensions = new Dims64();
    dimensions.nbDims(spec.shape().rank());
    for (int axis = 0; axis < spec.shape().rank(); axis++) {
      dimensions.d(axis, axis == 0 ? rows : spec.shape().dimension(axis));
    }
    return dimensions;
  }

  private static Pointer pinned(long bytes) {
    Pointer memory = new Address();
    succeed(cudaHostAlloc(memory, bytes, cudaHostAllocMapped));
    return memory;
  }

  private static Pointer device(long bytes) {
    Pointer memory = new Address();
    succeed(cudaMalloc(memory, Math.max(1, bytes)));
    return memory;
  }

  private static ByteBuffer view(Pointer memory, long bytes) {
    return new BytePointer(memory).capacity(bytes).asByteBuffer().order(ByteOrder.nativeOrder());
  }

  private static void succeed(int code) {
    if (code != cudaSuccess) {
      throw new AssertionError("CUDA says " + code);
    }
  }

  private static void require(boolean done) {
    if (!done) {
      throw new AssertionError("TensorRT refused");
    }
  }
}
