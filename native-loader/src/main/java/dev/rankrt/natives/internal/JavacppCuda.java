package dev.rankrt.natives.internal;

import static org.bytedeco.cuda.global.cudart.*;

import dev.rankrt.natives.CudaException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Locale;
import org.bytedeco.cuda.cudart.CUctx_st;
import org.bytedeco.cuda.cudart.CUevent_st;
import org.bytedeco.cuda.cudart.CUgraphExec_st;
import org.bytedeco.cuda.cudart.CUgraph_st;
import org.bytedeco.cuda.cudart.CUstream_st;
import org.bytedeco.javacpp.BytePointer;
import org.bytedeco.javacpp.Pointer;
import org.bytedeco.javacpp.SizeTPointer;

/**
 * The CUDA runtime, called through JavaCPP. Safe for use by several threads.
 *
 * <p>It names only functions whose signatures are the same in CUDA 12 and 13: {@code
 * cudaGraphInstantiate}, {@code cudaStreamGetCaptureInfo} and the struct of {@code
 * cudaGetDeviceProperties} are among those that are not. Every {@link Pointer} here is without a
 * deallocator; see {@link Address}.
 */
final class JavacppCuda implements Cuda {
  /** {@code cudaMemcpyAsync} finds out from the addresses which way to copy. */
  private static final int ANY_DIRECTION = cudaMemcpyDefault;

  /** {@code CUDA_ERROR_NOT_INITIALIZED}: nobody in this process has used CUDA yet. */
  private static final int NOT_INITIALIZED = 3;

  /** A stream, with the pointers that its copies reuse so that copying creates nothing. */
  private static final class RealStream implements Stream {
    private final CUstream_st handle;
    private final Address destination = new Address();
    private final Address source = new Address();

    RealStream(CUstream_st handle) {
      this.handle = handle;
    }

    @Override
    public long address() {
      return handle.address();
    }

    @Override
    public String toString() {
      return "stream 0x" + Long.toHexString(handle.address());
    }
  }

  private record RealEvent(CUevent_st handle) implements Event {
    @Override
    public String toString() {
      return "event 0x" + Long.toHexString(handle.address());
    }
  }

  private record RealGraph(CUgraphExec_st handle) implements Graph {
    @Override
    public String toString() {
      return "graph 0x" + Long.toHexString(handle.address());
    }
  }

  @Override
  public int deviceCount() {
    int[] count = new int[1];
    check(cudaGetDeviceCount(count), "cudaGetDeviceCount");
    return count[0];
  }

  @Override
  public DeviceProperties properties(int ordinal) {
    byte[] name = new byte[256];
    byte[] bus = new byte[32];
    check(cudaDeviceGetPCIBusId(bus, bus.length, ordinal), "cudaDeviceGetPCIBusId", ordinal);
    int driver = cuDeviceGetName(name, name.length, ordinal);
    if (driver != 0) {
      throw new CudaException(
          "cuDeviceGetName of device " + ordinal + " reported CUresult " + driver,
          driver,
          "CUresult " + driver);
    }
    return new DeviceProperties(
        ordinal,
        text(name),
        attribute(cudaDevAttrComputeCapabilityMajor, ordinal),
        attribute(cudaDevAttrComputeCapabilityMinor, ordinal),
        attribute(cudaDevAttrMultiProcessorCount, ordinal),
        totalBytes(ordinal),
        text(bus).toLowerCase(Locale.ROOT),
        attribute(cudaDevAttrIntegrated, ordinal) != 0);
  }

  private static int attribute(int attribute, int ordinal) {
    int[] value = new int[1];
    check(
        cudaDeviceGetAttribute(value, attribute, ordinal),
        "cudaDeviceGetAttribute " + attribute + " of device",
        ordinal);
    return value[0];
  }

  private static long totalBytes(int ordinal) {
    Pointer cell = Pointer.malloc(Long.BYTES);
    try {
      SizeTPointer size = new SizeTPointer(cell);
      int code = cuDeviceTotalMem(size, ordinal);
      if (code != 0) {
        throw new CudaException(
            "cuDeviceTotalMem of device " + ordinal + " reported CUresult " + code,
            code,
            "CUresult " + code);
      }
      return size.get();
    } finally {
      Pointer.free(cell);
    }
  }

  @Override
  public void setDevice(int ordinal) {
    check(cudaSetDevice(ordinal), "cudaSetDevice", ordinal);
  }

  @Override
  public int device() {
    int[] ordinal = new int[1];
    check(cudaGetDevice(ordinal), "cudaGetDevice");
    return ordinal[0];
  }

  @Override
  public boolean hasContext() {
    // The runtime cannot say: it calls device 0 current where nothing is.
    CUctx_st context = new CUctx_st();
    int code = cuCtxGetCurrent(context);
    if (code != 0 && code != NOT_INITIALIZED) {
      throw new CudaException(
          "cuCtxGetCurrent reported CUresult " + code, code, "CUresult " + code);
    }
    return !context.isNull();
  }

  @Override
  public MemoryInfo memoryInfo() {
    Pointer cells = Pointer.malloc(2L * Long.BYTES);
    try {
      SizeTPointer free = new SizeTPointer(cells);
      SizeTPointer total = new SizeTPointer(new Address(cells.address() + Long.BYTES));
      check(cudaMemGetInfo(free, total), "cudaMemGetInfo");
      return new MemoryInfo(free.get(), total.get());
    } finally {
      Pointer.free(cells);
    }
  }

  @Override
  public void synchronizeDevice() {
    check(cudaDeviceSynchronize(), "cudaDeviceSynchronize");
  }

  @Override
  public long allocate(long bytes) {
    Address memory = new Address();
    int code = cudaMalloc(memory, bytes);
    if (code != CudaErrors.SUCCESS) {
      throw failed(
          code,
          "cudaMalloc of " + bytes + " bytes",
          code == CudaErrors.MEMORY_ALLOCATION
              ? deviceMemory() + "; close engines or sessions, or lower batch and memory limits"
              : "");
    }
    return memory.address();
  }

  /** Says what is free, for a message: it must not replace the failure with one of its own. */
  private String deviceMemory() {
    try {
      MemoryInfo memory = memoryInfo();
      return memory.freeBytes()
          + " bytes free of "
          + memory.totalBytes()
          + " on device "
          + device();
    } catch (CudaException e) {
      return "free memory unknown (" + e.getMessage() + ")";
    }
  }

  @Override
  public void free(long address) {
    int code = cudaFree(new Address(address));
    if (code != CudaErrors.SUCCESS) {
      throw failed(code, "cudaFree of 0x" + Long.toHexString(address), "");
    }
  }

  @Override
  public long allocatePinned(long bytes) {
    Address memory = new Address();
    int code = cudaHostAlloc(memory, bytes, cudaHostAllocPortable | cudaHostAllocMapped);
    if (code != CudaErrors.SUCCESS) {
      throw failed(
          code,
          "cudaHostAlloc of " + bytes + " bytes",
          code == CudaErrors.MEMORY_ALLOCATION
              ? "pinned memory is the host's: raise the container's memory limit or the limit on"
                  + " locked memory (ulimit -l), or lower the staging limit"
              : "");
    }
    return memory.address();
  }

  @Override
  public void freePinned(long address) {
    int code = cudaFreeHost(new Address(address));
    if (code != CudaErrors.SUCCESS) {
      throw failed(code, "cudaFreeHost of 0x" + Long.toHexString(address), "");
    }
  }

  @Override
  public long mappedAddress(long pinnedAddress) {
    Address mapped = new Address();
    int code = cudaHostGetDevicePointer(mapped, new Address(pinnedAddress), 0);
    if (code != CudaErrors.SUCCESS) {
      throw failed(code, "cudaHostGetDevicePointer of 0x" + Long.toHexString(pinnedAddress), "");
    }
    return mapped.address();
  }

  @Override
  public ByteBuffer view(long address, int bytes) {
    if (address == 0 || bytes < 0) {
      throw new IllegalArgumentException(
          "no view of " + bytes + " bytes at address 0x" + Long.toHexString(address));
    }
    if (bytes == 0) {
      // JavaCPP takes a limit of zero for one element.
      return ByteBuffer.allocateDirect(0);
    }
    return new BytePointer(new Address(address)).capacity(bytes).asByteBuffer();
  }

  @Override
  public Stream createStream(int priority) {
    CUstream_st handle = new CUstream_st();
    check(
        cudaStreamCreateWithPriority(handle, cudaStreamNonBlocking, priority),
        "cudaStreamCreateWithPriority",
        priority);
    return new RealStream(handle);
  }

  @Override
  public int[] streamPriorities() {
    int[] least = new int[1];
    int[] greatest = new int[1];
    check(cudaDeviceGetStreamPriorityRange(least, greatest), "cudaDeviceGetStreamPriorityRange");
    return new int[] {least[0], greatest[0]};
  }

  @Override
  public void destroy(Stream stream) {
    check(cudaStreamDestroy(handle(stream)), "cudaStreamDestroy", stream);
  }

  @Override
  public void synchronize(Stream stream) {
    check(cudaStreamSynchronize(handle(stream)), "cudaStreamSynchronize", stream);
  }

  @Override
  public boolean isDone(Stream stream) {
    return done(cudaStreamQuery(handle(stream)), "cudaStreamQuery", stream);
  }

  @Override
  public void copy(long destination, long source, long bytes, Stream stream) {
    RealStream real = (RealStream) stream;
    int code;
    synchronized (real) {
      code =
          cudaMemcpyAsync(
              real.destination.at(destination),
              real.source.at(source),
              bytes,
              ANY_DIRECTION,
              real.handle);
    }
    if (code != CudaErrors.SUCCESS) {
      throw failed(
          code,
          "cudaMemcpyAsync of "
              + bytes
              + " bytes from 0x"
              + Long.toHexString(source)
              + " to 0x"
              + Long.toHexString(destination)
              + " on "
              + stream,
          "");
    }
  }

  @Override
  public void copy(
      long destination, long source, long pitch, long bytes, long pieces, Stream stream) {
    RealStream real = (RealStream) stream;
    int code;
    synchronized (real) {
      code =
          cudaMemcpy2DAsync(
              real.destination.at(destination),
              pitch,
              real.source.at(source),
              pitch,
              bytes,
              pieces,
              ANY_DIRECTION,
              real.handle);
    }
    if (code != CudaErrors.SUCCESS) {
      throw failed(
          code,
          "cudaMemcpy2DAsync of "
              + pieces
              + " x "
              + bytes
              + " bytes, "
              + pitch
              + " apart, from 0x"
              + Long.toHexString(source)
              + " to 0x"
              + Long.toHexString(destination)
              + " on "
              + stream,
          "");
    }
  }

  @Override
  public void fill(long destination, int value, long bytes, Stream stream) {
    RealStream real = (RealStream) stream;
    int code;
    synchronized (real) {
      code = cudaMemsetAsync(real.destination.at(destination), value, bytes, real.handle);
    }
    if (code != CudaErrors.SUCCESS) {
      throw failed(
          code,
          "cudaMemsetAsync of "
              + bytes
              + " bytes at 0x"
              + Long.toHexString(destination)
              + " on "
              + stream,
          "");
    }
  }

  @Override
  public Event createEvent(boolean timing, boolean blocking) {
    CUevent_st handle = new CUevent_st();
    int flags =
        (timing ? cudaEventDefault : cudaEventDisableTiming)
            | (blocking ? cudaEventBlockingSync : cudaEventDefault);
    check(cudaEventCreateWithFlags(handle, flags), "cudaEventCreateWithFlags", flags);
    return new RealEvent(handle);
  }

  @Override
  public void destroy(Event event) {
    check(cudaEventDestroy(handle(event)), "cudaEventDestroy", event);
  }

  @Override
  public void record(Event event, Stream stream) {
    check(cudaEventRecord(handle(event), handle(stream)), "cudaEventRecord on", stream);
  }

  @Override
  public boolean isDone(Event event) {
    return done(cudaEventQuery(handle(event)), "cudaEventQuery", event);
  }

  @Override
  public void synchronize(Event event) {
    check(cudaEventSynchronize(handle(event)), "cudaEventSynchronize", event);
  }

  @Override
  public void await(Stream stream, Event event) {
    check(cudaStreamWaitEvent(handle(stream), handle(event), 0), "cudaStreamWaitEvent on", stream);
  }

  @Override
  public float elapsedMillis(Event start, Event end) {
    float[] millis = new float[1];
    check(
        cudaEventElapsedTime(millis, handle(start), handle(end)),
        "cudaEventElapsedTime up to",
        end);
    return millis[0];
  }

  @Override
  public void beginCapture(Stream stream) {
    check(
        cudaStreamBeginCapture(handle(stream), cudaStreamCaptureModeThreadLocal),
        "cudaStreamBeginCapture on",
        stream);
  }

  @Override
  public Graph endCapture(Stream stream) {
    CUgraph_st captured = new CUgraph_st();
    check(cudaStreamEndCapture(handle(stream), captured), "cudaStreamEndCapture on", stream);
    CUgraphExec_st executable = new CUgraphExec_st();
    int code = cudaGraphInstantiateWithFlags(executable, captured, 0);
    int destroyed = cudaGraphDestroy(captured);
    check(code, "cudaGraphInstantiateWithFlags of what was captured on", stream);
    if (destroyed != CudaErrors.SUCCESS) {
      CudaException failure = failed(destroyed, "cudaGraphDestroy", "");
      int alsoFailed = cudaGraphExecDestroy(executable);
      if (alsoFailed != CudaErrors.SUCCESS) {
        failure.addSuppressed(failed(alsoFailed, "cudaGraphExecDestroy", ""));
      }
      throw failure;
    }
    return new RealGraph(executable);
  }

  @Override
  public void abandonCapture(Stream stream) {
    int[] status = new int[1];
    check(cudaStreamIsCapturing(handle(stream), status), "cudaStreamIsCapturing on", stream);
    if (status[0] == cudaStreamCaptureStatusNone) {
      return;
    }
    CUgraph_st captured = new CUgraph_st();
    int code = cudaStreamEndCapture(handle(stream), captured);
    if (code != CudaErrors.SUCCESS) {
      // Expected when the capture was invalidated: ending it is what makes the stream usable again.
      cudaGetLastError();
      if (CudaErrors.isFatal(code)) {
        throw failed(code, "cudaStreamEndCapture on " + stream, "");
      }
    }
    if (!captured.isNull()) {
      check(cudaGraphDestroy(captured), "cudaGraphDestroy");
    }
  }

  @Override
  public void launch(Graph graph, Stream stream) {
    check(
        cudaGraphLaunch(((RealGraph) graph).handle, handle(stream)), "cudaGraphLaunch on", stream);
  }

  @Override
  public void destroy(Graph graph) {
    check(cudaGraphExecDestroy(((RealGraph) graph).handle), "cudaGraphExecDestroy", graph);
  }

  private static CUstream_st handle(Stream stream) {
    return ((RealStream) stream).handle;
  }

  private static CUevent_st handle(Event event) {
    return ((RealEvent) event).handle;
  }

  private static boolean done(int code, String call, Object subject) {
    if (code == CudaErrors.NOT_READY) {
      return false;
    }
    check(code, call, subject);
    return true;
  }

  private static void check(int code, String call) {
    if (code != CudaErrors.SUCCESS) {
      throw failed(code, call, "");
    }
  }

  private static void check(int code, String call, int number) {
    if (code != CudaErrors.SUCCESS) {
      throw failed(code, call + " " + number, "");
    }
  }

  // The subject is put into words only when the call failed: these are on the path of every call.
  private static void check(int code, String call, Object subject) {
    if (code != CudaErrors.SUCCESS) {
      throw failed(code, call + " " + subject, "");
    }
  }

  private static CudaException failed(int code, String call, String advice) {
    // CUDA keeps the error for whoever asks next, who should not be given ours.
    cudaGetLastError();
    return CudaErrors.exception(
        call, code, string(cudaGetErrorName(code)), string(cudaGetErrorString(code)), advice);
  }

  private static String string(BytePointer text) {
    return text == null ? "unknown" : text.getString(StandardCharsets.UTF_8);
  }

  private static String text(byte[] zeroTerminated) {
    int length = 0;
    while (length < zeroTerminated.length && zeroTerminated[length] != 0) {
      length++;
    }
    return new String(zeroTerminated, 0, length, StandardCharsets.UTF_8);
  }
}
