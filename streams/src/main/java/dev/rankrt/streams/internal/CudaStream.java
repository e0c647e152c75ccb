package dev.rankrt.streams.internal;

import dev.rankrt.natives.internal.Closing;
import dev.rankrt.natives.internal.Cuda;
import dev.rankrt.natives.internal.NativeHandle;
import dev.rankrt.natives.internal.PlatformThreads;
import dev.rankrt.streams.WaitPolicy;
import java.time.Duration;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.function.LongSupplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * An ordered queue of a GPU's work, and the owner of its CUDA stream. One thread at a time, save
 * for {@link #close}, which any thread may call.
 *
 * <p>The stream's device must be current on the thread that enqueues or waits. Creating and closing
 * make sure of it themselves, as {@link Cuda#onDevice} does.
 *
 * <p>Enqueuing, launching and waiting create no object.
 */
public final class CudaStream implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(CudaStream.class);

  /** Between two questions of a wait that is not in a hurry; its end is seen this much late. */
  private static final long PAUSE_NANOS = 50_000;

  private final Cuda cuda;
  private final int device;
  private final Cuda.Stream stream;
  private final Cuda.Event blockingEvent;
  private final long closeLimitNanos;
  private final LongSupplier nanoTime;
  private final NativeHandle handle;
  private final AdaptiveSpin adaptive = new AdaptiveSpin();
  private volatile boolean leaked;

  private CudaStream(
      Cuda cuda,
      int device,
      Cuda.Stream stream,
      Cuda.Event blockingEvent,
      long closeLimitNanos,
      LongSupplier nanoTime) {
    this.cuda = cuda;
    this.device = device;
    this.stream = stream;
    this.blockingEvent = blockingEvent;
    this.closeLimitNanos = closeLimitNanos;
    this.nanoTime = nanoTime;
    this.handle = new NativeHandle(toString(), this::release);
  }

  /**
   * Creates a stream.
   *
   * @param cuda how to call CUDA
   * @param device the device's ordinal
   * @param priority between the two ends that {@link Cuda#streamPriorities} gives; lower is more
   *     urgent
   * @param closeLimit how long {@link #close} waits for the stream's work
   * @throws IllegalArgumentException if the priority is not one of the device's
   */
  public static CudaStream create(Cuda cuda, int device, int priority, Duration closeLimit) {
    return create(cuda, device, priority, closeLimit, System::nanoTime);
  }

  static CudaStream create(
      Cuda cuda, int device, int priority, Duration closeLimit, LongSupplier nanoTime) {
    if (closeLimit.isNegative()) {
      throw new IllegalArgumentException("closeLimit is negative: " + closeLimit);
    }
    long closeLimitNanos = closeLimit.toNanos();
    return cuda.onDevice(
        device,
        () -> {
          int[] ends = cuda.streamPriorities();
          // CUDA would take the nearer end without a word.
          if (priority > ends[0] || priority < ends[1]) {
            throw new IllegalArgumentException(
                "stream priority " + priority + " is not in " + ends[1] + " to " + ends[0]);
          }
          Cuda.Stream stream = cuda.createStream(priority);
          try {
            Cuda.Event blocking = cuda.createEvent(false, true);
            return new CudaStream(cuda, device, stream, blocking, closeLimitNanos, nanoTime);
          } catch (RuntimeException | Error e) {
            Closing.after(e, () -> cuda.destroy(stream));
            throw e;
          }
        });
  }

  /** Returns the ordinal of the stream's device. */
  public int device() {
    return device;
  }

  /** Returns the {@code cudaStream_t}, for handing to TensorRT while this stream is open. */
  public long address() {
    handle.enter();
    try {
      return stream.address();
    } finally {
      handle.exit();
    }
  }

  // ---- Work ----------------------------------------------------------------------------------

  /** Enqueues a copy between any two of host and device memory. */
  public void copy(long destination, long source, long bytes) {
    handle.enter();
    try {
      cuda.copy(destination, source, bytes, stream);
    } finally {
      handle.exit();
    }
  }

  /**
   * Enqueues one copy of several pieces that lie at the same, equal distances in both places.
   *
   * @param pitch bytes from the beginning of one piece to that of the next
   * @param bytes of a piece
   * @param pieces how many there are
   */
  public void copy(long destination, long source, long pitch, long bytes, long pieces) {
    handle.enter();
    try {
      cuda.copy(destination, source, pitch, bytes, pieces, stream);
    } finally {
      handle.exit();
    }
  }

  /** Enqueues filling device memory with one byte's value. */
  public void fill(long destination, int value, long bytes) {
    handle.enter();
    try {
      cuda.fill(destination, value, bytes, stream);
    } finally {
      handle.exit();
    }
  }

  /** Creates an event of this stream's device, which the caller owns. */
  public CudaEvent newEvent() {
    handle.enter();
    try {
      return cuda.onDevice(
          device, () -> new CudaEvent(cuda, device, cuda.createEvent(false, true)));
    } finally {
      handle.exit();
    }
  }

  /** Marks this point of the work: the event passes when all that was enqueued so far is done. */
  public void record(CudaEvent event) {
    handle.enter();
    try {
      event.record(stream);
    } finally {
      handle.exit();
    }
  }

  /** Holds back what is enqueued from now on until an event, of any stream, has passed. */
  public void waitFor(CudaEvent event) {
    handle.enter();
    try {
      event.holdBack(stream);
    } finally {
      handle.exit();
    }
  }

  // ---- Graphs --------------------------------------------------------------------------------

  /**
   * Captures what a task enqueues on this stream instead of running it. Only the calling thread is
   * in capture: whatever other threads do with CUDA meanwhile goes on undisturbed.
   *
   * <p>If the task throws, or does what cannot be captured, the capture is abandoned and the stream
   * is as it was before.
   *
   * @param work enqueues on this stream, and neither waits for it nor allocates memory
   * @return the graph, which the caller owns
   */
  public CapturedGraph capture(Runnable work) {
    handle.enter();
    try {
      cuda.beginCapture(stream);
      try {
        work.run();
        return new CapturedGraph(cuda, device, cuda.endCapture(stream));
      } catch (RuntimeException | Error e) {
        Closing.after(e, () -> cuda.abandonCapture(stream));
        throw e;
      }
    } finally {
      handle.exit();
    }
  }

  /** Enqueues a graph that was captured on a stream of this device. */
  public void launch(CapturedGraph graph) {
    handle.enter();
    try {
      graph.launch(stream);
    } finally {
      handle.exit();
    }
  }

  // ---- Waiting -------------------------------------------------------------------------------

  /** Returns whether all work is done. */
  public boolean isDone() {
    handle.enter();
    try {
      return cuda.isDone(stream);
    } finally {
      handle.exit();
    }
  }

  /**
   * Waits until all work is done. An interrupt does not end the wait and is not lost: the thread's
   * flag stays set.
   *
   * @throws dev.rankrt.natives.CudaException if the work failed
   */
  public void await(WaitPolicy policy) {
    handle.enter();
    try {
      switch (policy) {
        case SPIN -> cuda.synchronize(stream); // which spins, under CUDA's default schedule
        case YIELD -> yieldUntilDone();
        case BLOCK -> block();
        case ADAPTIVE -> spinOrBlock();
      }
    } finally {
      handle.exit();
    }
  }

  /** Giving way to other threads is all that this policy is for. */
  @SuppressWarnings("ThreadPriorityCheck")
  private void yieldUntilDone() {
    boolean virtual = PlatformThreads.isVirtual(Thread.currentThread());
    while (!cuda.isDone(stream)) {
      Thread.yield();
      if (virtual) {
        // It may go on on another carrier, which has another device or no context at all.
        cuda.setDevice(device);
      }
    }
  }

  private void spinOrBlock() {
    long start = nanoTime.getAsLong();
    if (adaptive.spins()) {
      cuda.synchronize(stream);
    } else {
      block();
    }
    adaptive.ended(nanoTime.getAsLong() - start);
  }

  private void block() {
    cuda.record(blockingEvent, stream);
    cuda.synchronize(blockingEvent);
  }

  /**
   * Waits until all work is done, but no longer than a limit, and without taking a core. As with
   * {@link #await}, an interrupt is kept for later.
   *
   * @return whether the work is done; if not, memory that it uses must not be freed or reused
   */
  public boolean drain(Duration limit) {
    handle.enter();
    try {
      return drainWithin(limit.toNanos());
    } finally {
      handle.exit();
    }
  }

  private boolean drainWithin(long limitNanos) {
    long start = nanoTime.getAsLong();
    boolean interrupted = false;
    try {
      while (!cuda.isDone(stream)) {
        long left = limitNanos - (nanoTime.getAsLong() - start);
        if (left <= 0) {
          return false;
        }
        LockSupport.parkNanos(this, Math.min(left, PAUSE_NANOS));
        // With the flag set the next pause would be none.
        interrupted |= Thread.interrupted();
      }
      return true;
    } finally {
      if (interrupted) {
        Thread.currentThread().interrupt();
      }
    }
  }

  // ---- The end -------------------------------------------------------------------------------

  /**
   * Waits for the stream's work up to the limit that it was created with, then destroys it. Closing
   * again does nothing. If a call is under way on another thread, that call does this at its end,
   * and throws if it fails.
   *
   * <p>If the wait runs out (an error in the log says so) or fails, nothing is destroyed: a leak is
   * better than pulling a stream from under its work. {@link #leaked} then tells the owner of the
   * memory to leave that alone as well.
   *
   * @throws dev.rankrt.natives.CudaException if the wait or the destroying failed
   */
  @Override
  public void close() {
    handle.close();
  }

  /** Returns whether this stream was closed without its work having ended. */
  public boolean leaked() {
    return leaked;
  }

  private void release() {
    // Not known to be done is the same as not done, until it is known.
    leaked = true;
    // Whoever closes, or leaves last, may be a thread without a context, or a virtual one.
    cuda.onDevice(
        device,
        () -> {
          drainAndDestroy();
          return null;
        });
  }

  private void drainAndDestroy() {
    if (!drainWithin(closeLimitNanos)) {
      LOG.error(
          "{} was closed, but its work did not end within {} ms; the stream is leaked, and the"
              + " memory that its work uses must be",
          this,
          TimeUnit.NANOSECONDS.toMillis(closeLimitNanos));
      return;
    }
    leaked = false;
    try {
      cuda.destroy(blockingEvent);
    } catch (RuntimeException e) {
      Closing.after(e, () -> cuda.destroy(stream));
      throw e;
    }
    cuda.destroy(stream);
  }

  @Override
  public String toString() {
    return "CUDA stream 0x" + Long.toHexString(stream.address()) + " of device " + device;
  }
}
