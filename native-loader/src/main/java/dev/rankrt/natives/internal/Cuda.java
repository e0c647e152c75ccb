package dev.rankrt.natives.internal;

import dev.rankrt.natives.CudaException;
import java.nio.ByteBuffer;
import java.util.function.Supplier;
import org.slf4j.LoggerFactory;

/**
 * The calls to the CUDA runtime that RankRT makes, and the only way it makes them. Safe for use by
 * several threads.
 *
 * <p>One implementation calls {@code libcudart}; another, in the tests, keeps a ledger of bytes and
 * completes work when told to. Addresses are plain {@code long}s. Streams, events and graphs are
 * opaque objects, so that launching and waiting on the path of a call creates nothing.
 *
 * <p>Since CUDA 12, making a device current creates its context, half a gigabyte of its memory, and
 * binds that to the thread. On a thread without a context, almost any other call creates the one of
 * device 0, whether or not anybody wants that device; {@link #useWithoutContext} prevents that.
 *
 * <p>CUDA reports late: the error that a call returns may come from earlier work on the device.
 * Every method may therefore throw {@link CudaException}, or {@link
 * dev.rankrt.natives.DeviceLostException} when the context is gone for good.
 */
public interface Cuda {

  /** A stream of this process. */
  interface Stream {
    /** Returns the {@code cudaStream_t}, for handing to TensorRT. */
    long address();
  }

  /** A point in a stream. */
  interface Event {}

  /** A captured and instantiated graph, ready to launch. */
  interface Graph {}

  /**
   * What CUDA says of a device.
   *
   * @param ordinal the device's number in this process
   * @param name such as {@code NVIDIA H200}
   * @param major compute capability, first part
   * @param minor compute capability, second part
   * @param multiprocessors how many streaming multiprocessors it has
   * @param totalBytes its memory
   * @param pciBusId such as {@code 0000:3b:00.0}, in lower case
   * @param integrated whether it shares the host's memory
   */
  record DeviceProperties(
      int ordinal,
      String name,
      int major,
      int minor,
      int multiprocessors,
      long totalBytes,
      String pciBusId,
      boolean integrated) {}

  /**
   * Memory of the current device.
   *
   * @param freeBytes what is free now
   * @param totalBytes what there is
   */
  record MemoryInfo(long freeBytes, long totalBytes) {}

  /** Returns how many devices this process sees. */
  int deviceCount();

  /** Returns what CUDA says of a device. */
  DeviceProperties properties(int ordinal);

  /** Makes a device current on the calling thread, creating its context if there is none. */
  void setDevice(int ordinal);

  /** Returns whether a context is current on the calling thread. Creates none. */
  boolean hasContext();

  /**
   * Makes a device current on the calling thread if that has no context, for calls that need just
   * some context: they would create the one of device 0.
   */
  default void useWithoutContext(int ordinal) {
    if (!hasContext()) {
      setDevice(ordinal);
    }
  }

  /** Returns the device that is current on the calling thread. */
  int device();

  /**
   * Runs something with a device current on the calling thread, and puts back the one that was; for
   * a virtual thread on another one.
   *
   * <p>On a thread that had no context, the device stays current: "device 0", which CUDA says is
   * current there, would get a context by being put back. A failure to put a device back after the
   * work succeeded is for the log, because what the work made would be lost with the result.
   *
   * @return what the work returned
   */
  default <T> T onDevice(int ordinal, Supplier<T> work) {
    return PlatformThreads.call(() -> onDeviceHere(ordinal, work));
  }

  private <T> T onDeviceHere(int ordinal, Supplier<T> work) {
    if (!hasContext()) {
      setDevice(ordinal);
      return work.get();
    }
    int before = device();
    if (before == ordinal) {
      return work.get();
    }
    setDevice(ordinal);
    T result;
    try {
      result = work.get();
    } catch (RuntimeException | Error e) {
      Closing.after(e, () -> setDevice(before));
      throw e;
    }
    try {
      setDevice(before);
    } catch (RuntimeException e) {
      LoggerFactory.getLogger(Cuda.class)
          .warn("device {} stays current on this thread, where {} was", ordinal, before, e);
    }
    return result;
  }

  /** Returns the current device's free and total memory. */
  MemoryInfo memoryInfo();

  /** Waits for all work of the current device. */
  void synchronizeDevice();

  /** Allocates memory of the current device, aligned to 256 bytes at least. */
  long allocate(long bytes);

  /** Frees what {@link #allocate} gave. */
  void free(long address);

  /**
   * Allocates page-locked host memory, portable across contexts and mapped into the device's
   * address space. Its pages come from the NUMA node of the calling thread.
   */
  long allocatePinned(long bytes);

  /** Frees what {@link #allocatePinned} gave. */
  void freePinned(long address);

  /** Returns the address under which the current device sees pinned host memory. */
  long mappedAddress(long pinnedAddress);

  /**
   * Returns a view of host memory in native byte order. It neither owns the memory nor keeps it
   * alive.
   *
   * @param address host memory, at least {@code bytes} long
   * @param bytes the view's capacity
   */
  ByteBuffer view(long address, int bytes);

  /**
   * Creates a stream of the current device that does not wait for the default stream; a lower
   * number is more urgent.
   */
  Stream createStream(int priority);

  /**
   * Returns the least and the greatest urgency that {@link #createStream} accepts, as CUDA numbers
   * them.
   */
  int[] streamPriorities();

  /** Destroys a stream. */
  void destroy(Stream stream);

  /** Waits until a stream's work is done. */
  void synchronize(Stream stream);

  /** Returns whether a stream's work is done. */
  boolean isDone(Stream stream);

  /** Enqueues a copy between any two of host and device memory. */
  void copy(long destination, long source, long bytes, Stream stream);

  /**
   * Enqueues one copy of several pieces that lie at equal distances, at the same distances in both
   * places.
   *
   * @param pitch bytes from the beginning of one piece to that of the next
   * @param bytes of a piece, at most {@code pitch}
   * @param pieces how many there are
   */
  void copy(long destination, long source, long pitch, long bytes, long pieces, Stream stream);

  /** Enqueues filling device memory with one byte's value. */
  void fill(long destination, int value, long bytes, Stream stream);

  /**
   * Creates an event of the current device. A thread that waits for a blocking one sleeps,
   * otherwise it spins.
   */
  Event createEvent(boolean timing, boolean blocking);

  /** Destroys an event. */
  void destroy(Event event);

  /** Enqueues an event. */
  void record(Event event, Stream stream);

  /** Returns whether an event's latest record has passed; true for one that was never recorded. */
  boolean isDone(Event event);

  /** Waits until an event's latest record has passed. */
  void synchronize(Event event);

  /** Makes a stream's later work wait for an event. */
  void await(Stream stream, Event event);

  /**
   * Returns the time between two events that were created with timing and have passed, in
   * milliseconds.
   */
  float elapsedMillis(Event start, Event end);

  /**
   * Starts capturing what the calling thread enqueues on a stream; other threads' use of CUDA goes
   * on.
   */
  void beginCapture(Stream stream);

  /** Ends a capture and instantiates what it held. */
  Graph endCapture(Stream stream);

  /**
   * Ends a capture that failed, leaving the stream usable. Does nothing where none is under way.
   */
  void abandonCapture(Stream stream);

  /** Enqueues a captured graph. */
  void launch(Graph graph, Stream stream);

  /** Destroys a graph. */
  void destroy(Graph graph);
}
