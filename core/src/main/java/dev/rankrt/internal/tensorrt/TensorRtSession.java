package dev.rankrt.internal.tensorrt;

import dev.rankrt.InferenceException;
import dev.rankrt.Shape;
import dev.rankrt.TensorSpec;
import dev.rankrt.internal.HostTensor;
import dev.rankrt.internal.Pace;
import dev.rankrt.internal.RunCounters;
import dev.rankrt.memory.internal.DeviceBuffer;
import dev.rankrt.memory.internal.Lease;
import dev.rankrt.memory.internal.Pool;
import dev.rankrt.memory.internal.StagingBuffer;
import dev.rankrt.natives.RankRtException;
import dev.rankrt.natives.internal.Address;
import dev.rankrt.natives.internal.Closing;
import dev.rankrt.natives.internal.Cuda;
import dev.rankrt.spi.BackendSession;
import dev.rankrt.streams.WaitPolicy;
import dev.rankrt.streams.internal.CapturedGraph;
import dev.rankrt.streams.internal.CudaStream;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.bytedeco.cuda.cudart.CUstream_st;
import org.bytedeco.tensorrt.nvinfer.Dims64;
import org.bytedeco.tensorrt.nvinfer.IExecutionContext;

/**
 * One stream, one set of buffers, and a captured graph for every bucket. One thread at a time.
 *
 * <h2>The path of a call</h2>
 *
 * <p>All inputs and outputs lie in one region of pinned host memory, as {@link Layout} says, and at
 * the same offsets in one region of device memory. A call finds its values in the pinned region,
 * launches the graph of the smallest bucket that holds its rows, and waits. The graph either copies
 * the bucket's rows to the device region, runs the kernels there and copies the results back, or
 * its kernels work on the pinned region itself; {@link Tuning} says which, and with which
 * optimisation profile. Where all buckets work on the pinned region there is no other.
 *
 * <p>Rows between a call's and its bucket's hold what earlier calls left there. Rows are
 * independent of each other, so that costs nothing; where they are not, the user switches padding
 * off, and a call whose rows are no bucket's size is enqueued without a graph.
 *
 * <p>Each bucket has an execution context of its own: a context keeps state for the shapes it was
 * given last, and a graph goes on using it. Since they never run at the same time, all share one
 * piece of scratch memory.
 */
final class TensorRtSession implements BackendSession {
  /** What {@link #dimensions} needs, and some more. */
  private static final int DIMENSIONS_BYTES = Layout.ALIGNMENT;

  /** A graph's first launch uploads it, the second finds it there. */
  private static final int WARM_UP_LAUNCHES = 2;

  /** A run takes milliseconds at most; a stream that is busy for longer will not end. */
  private static final Duration CLOSE_LIMIT = Duration.ofSeconds(10);

  private final TensorRtEngine engine;
  private final Cuda cuda;
  private final List<Slot> inputs = new ArrayList<>();
  private final List<Slot> outputs = new ArrayList<>();
  private final CudaStream stream;
  private final WaitPolicy waitPolicy;
  private final RunCounters.Counter counter;
  private final List<Lease> leases = new ArrayList<>();
  private final List<IExecutionContext> contexts = new ArrayList<>();
  private final int[] bucketSizes;
  private final CapturedGraph[] graphs;

  /**
   * For calls whose rows are no bucket's size and must not be padded; null where padding is
   * allowed.
   */
  private IExecutionContext unpadded;

  private StagingBuffer host;

  /** Null where no bucket copies. */
  private DeviceBuffer device;

  private Layout inputLayout;
  private Layout outputLayout;

  /** Hands shapes to TensorRT; lies in the pinned region, so that nobody else can own it. */
  private Dims64 dimensions;

  /** What TensorRT says at the moment; null where nobody collects it. */
  private Messages messages;

  private TensorRtSession(TensorRtEngine engine) {
    this.engine = engine;
    this.cuda = engine.tensorRt().cuda();
    this.bucketSizes = engine.bucketSizes().sizes();
    this.graphs = new CapturedGraph[bucketSizes.length];
    this.waitPolicy = engine.options().waitPolicy();
    this.stream =
        CudaStream.create(cuda, engine.ordinal(), engine.options().streamPriority(), CLOSE_LIMIT);
    this.counter = engine.counters().open();
  }

  /** Creates a session, ready to run. The engine's device is current. */
  static TensorRtSession create(TensorRtEngine engine, Tuning tuning) {
    TensorRtSession session = new TensorRtSession(engine);
    try {
      session.withMessages(() -> session.prepare(tuning));
      return session;
    } catch (RuntimeException | Error e) {
      Closing.after(e, session::close);
      throw e;
    }
  }

  private void prepare(Tuning tuning) {
    int rows = engine.bucketSizes().largest();
    boolean fallsBack = !engine.options().padding() && engine.fixedBatch() == 0;
    inputLayout = Layout.of(engine.inputs(), rows, 0);
    outputLayout = Layout.of(engine.outputs(), rows, inputLayout.bytes());
    long bytes = inputLayout.bytes() + outputLayout.bytes();
    host = lease(engine.stagingPool(), bytes + DIMENSIONS_BYTES);
    dimensions = new Dims64(new Address(host.address() + bytes));
    if (fallsBack || tuning.copies(bucketSizes)) {
      device = lease(engine.devicePool(), bytes);
    }
    Pace.restLong();
    place(engine.inputs(), rows, inputLayout, inputs);
    place(engine.outputs(), rows, outputLayout, outputs);
    long scratchBytes = 0;
    for (int bucket : bucketSizes) {
      scratchBytes = Math.max(scratchBytes, addContext(tuning.of(bucket).profile(), bucket));
      Pace.rest();
    }
    if (fallsBack) {
      Tuning.Choice choice = tuning.of(rows);
      scratchBytes = Math.max(scratchBytes, addContext(choice.profile(), rows));
      unpadded = contexts.get(contexts.size() - 1);
    }
    if (scratchBytes > 0) {
      DeviceBuffer scratch = lease(engine.devicePool(), scratchBytes);
      for (IExecutionContext context : contexts) {
        context.setDeviceMemoryV2(new Address(scratch.address()), scratch.bytes());
      }
    }
    for (int i = 0; i < bucketSizes.length; i++) {
      graphs[i] = capture(contexts.get(i), bucketSizes[i], tuning.of(bucketSizes[i]).transfer());
      for (int launch = 0; launch < WARM_UP_LAUNCHES; launch++) {
        stream.launch(graphs[i]);
        stream.await(WaitPolicy.SPIN);
      }
      Pace.rest();
    }
    if (unpadded != null) {
      bind(unpadded, device.address());
    }
  }

  /** Puts tensors where a layout wants them in the pinned region. */
  private void place(List<TensorSpec> specs, int rows, Layout layout, List<Slot> slots) {
    for (int i = 0; i < specs.size(); i++) {
      long offset = layout.offsets().get(i);
      int bytes = HostTensor.modelBytes(specs.get(i), rows);
      slots.add(
          new Slot(
              new HostTensor(specs.get(i), cuda.view(host.address() + offset, bytes), rows, false),
              offset));
    }
  }

  private <L extends Lease> L lease(Pool<L> pool, long bytes) {
    try {
      L lease = pool.acquire(bytes, "a session of " + engine.name(), Duration.ZERO);
      leases.add(lease);
      return lease;
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new RankRtException("interrupted while creating a session of " + engine.name(), e);
    }
  }

  /**
   * Adds a context for a profile and a batch, and returns the bytes of scratch memory that it
   * needs.
   */
  private long addContext(int profile, int rows) {
    IExecutionContext context = engine.newContext();
    contexts.add(context);
    if (context.getOptimizationProfile() != profile) {
      require(
          context.setOptimizationProfileAsync(profile, cudaStream()),
          "switch to profile " + profile);
      stream.await(WaitPolicy.SPIN);
    }
    setRows(context, rows);
    long bytes = context.updateDeviceMemorySizeForShapes();
    require(bytes >= 0, "size its memory for " + rows + " rows");
    // TensorRT insists on memory that it says it does not need, where the engine might need some.
    return bytes > 0 ? bytes : engine.scratchBytes(profile);
  }

  private void setRows(IExecutionContext context, int rows) {
    for (Slot input : inputs) {
      if (input.memory().spec().shape().hasBatch() && engine.fixedBatch() == 0) {
        require(
            context.setInputShape(input.name(), input.writeTo(dimensions, rows)),
            "take " + rows + " rows");
      }
    }
  }

  private void bind(IExecutionContext context, long base) {
    for (Slot slot : inputs) {
      require(
          context.setInputTensorAddress(slot.name(), new Address(base + slot.offset)),
          "read input '" + slot.name() + "'");
    }
    for (Slot slot : outputs) {
      require(
          context.setTensorAddress(slot.name(), new Address(base + slot.offset)),
          "write output '" + slot.name() + "'");
    }
  }

  private CapturedGraph capture(IExecutionContext context, int rows, Transfer transfer) {
    bind(context, transfer == Transfer.MAPPED ? host.mappedAddress() : device.address());
    // Once without a graph: a context finishes its preparations in its first run, and not all of
    // them can be captured.
    enqueue(context, rows, transfer);
    stream.await(WaitPolicy.SPIN);
    return stream.capture(() -> enqueue(context, rows, transfer));
  }

  private void enqueue(IExecutionContext context, int rows, Transfer transfer) {
    if (transfer == Transfer.COPY) {
      copy(device.address(), host.address(), inputLayout, rows);
    }
    require(context.enqueueV3(cudaStream()), "run " + rows + " rows");
    if (transfer == Transfer.COPY) {
      copy(host.address(), device.address(), outputLayout, rows);
    }
  }

  private void copy(long to, long from, Layout layout, int rows) {
    for (Layout.Group group : layout.groups()) {
      stream.copy(
          to + group.offset(),
          from + group.offset(),
          group.pitch(),
          group.bytes(rows),
          group.tensors().size());
    }
  }

  private CUstream_st cudaStream() {
    return new CUstream_st(new Address(stream.address()));
  }

  /** TensorRT says no by returning false; the reason goes to the log. */
  private void require(boolean done, String what) {
    if (!done) {
      throw new InferenceException(
          "TensorRT did not " + what + " for " + engine.name() + ": " + messages.text());
    }
  }

  /** Everything that TensorRT may refuse happens in here. */
  private void withMessages(Runnable work) {
    try (Messages heard = new Messages(engine.tensorRt().log())) {
      messages = heard;
      work.run();
    } finally {
      messages = null;
    }
  }

  @Override
  public ByteBuffer input(int index) {
    return inputs.get(index).memory().values();
  }

  @Override
  public ByteBuffer output(int index) {
    return outputs.get(index).memory().values();
  }

  @Override
  public void run(int rows) {
    // And left so: on a thread without a context, all that follows would create device 0's.
    cuda.setDevice(engine.ordinal());
    for (Slot input : inputs) {
      input.memory().toModel(rows, rows);
    }
    int bucket = bucketFor(rows);
    boolean replays = unpadded == null || bucketSizes[bucket] == rows;
    if (!replays) {
      withMessages(
          () -> {
            setRows(unpadded, rows);
            enqueue(unpadded, rows, Transfer.COPY);
          });
    } else {
      stream.launch(graphs[bucket]);
    }
    stream.await(waitPolicy);
    for (Slot output : outputs) {
      output.memory().fromModel(rows);
    }
    counter.ran(rows, replays ? bucketSizes[bucket] : rows, replays);
  }

  private int bucketFor(int rows) {
    int bucket = 0;
    while (bucketSizes[bucket] < rows) {
      bucket++;
    }
    return bucket;
  }

  @Override
  public void close() {
    engine.tensorRt().cuda().onDevice(engine.ordinal(), this::closeOnDevice);
  }

  private Void closeOnDevice() {
    engine.counters().close(counter);
    List<Runnable> steps = new ArrayList<>();
    for (CapturedGraph graph : graphs) {
      if (graph != null) {
        steps.add(graph::close);
        steps.add(Pace::restLong);
      }
    }
    steps.add(stream::close);
    steps.add(this::release);
    Closing.all(steps);
    return null;
  }

  private void release() {
    if (stream.leaked()) {
      engine.keepForever(); // the stream's work may still be using all of it
      return;
    }
    List<Runnable> steps = new ArrayList<>();
    for (IExecutionContext context : contexts) {
      steps.add(() -> engine.destroy(context));
      steps.add(Pace::restLong);
    }
    leases.forEach(lease -> steps.add(lease::close));
    Closing.all(steps);
  }

  /**
   * One input or output.
   *
   * @param memory its part of the pinned region
   * @param offset where it begins in both regions
   */
  private record Slot(HostTensor memory, long offset) {
    String name() {
      return memory.spec().name();
    }

    Dims64 writeTo(Dims64 dimensions, int rows) {
      Shape shape = memory.spec().shape();
      dimensions.nbDims(shape.rank());
      for (int axis = 0; axis < shape.rank(); axis++) {
        dimensions.d(axis, axis == 0 ? rows : shape.dimension(axis));
      }
      return dimensions;
    }
  }
}
