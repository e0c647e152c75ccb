package dev.rankrt.streams.internal;

import dev.rankrt.memory.internal.Fence;
import dev.rankrt.natives.internal.Cuda;
import dev.rankrt.natives.internal.NativeHandle;

/**
 * A point in a stream's work, as a fence. Safe for use by several threads, except that one thread
 * at a time records it.
 *
 * <p>Made by {@link CudaStream#newEvent} and owned by whoever asked for it. It can be recorded any
 * number of times; the latest record is the one that counts, and an event that was never recorded
 * has passed. To be the fence of a block it must not be recorded again before it has passed, or the
 * block waits for the later point as well. It may be closed while its point still lies ahead: the
 * work goes on.
 */
public final class CudaEvent implements Fence, AutoCloseable {
  private final Cuda cuda;
  private final int device;
  private final Cuda.Event event;
  private final NativeHandle handle;
  private volatile boolean passedBeforeClose;

  CudaEvent(Cuda cuda, int device, Cuda.Event event) {
    this.cuda = cuda;
    this.device = device;
    this.event = event;
    this.handle = new NativeHandle(toString(), this::release);
  }

  /**
   * Returns whether the point has passed.
   *
   * @throws IllegalStateException if the event was closed before its point had passed, and nobody
   *     can know any more
   */
  @Override
  public boolean isDone() {
    if (passedBeforeClose) {
      return true;
    }
    handle.enter();
    try {
      // A pool asks on whichever thread wants its memory.
      cuda.useWithoutContext(device);
      return cuda.isDone(event);
    } finally {
      handle.exit();
    }
  }

  void record(Cuda.Stream stream) {
    handle.enter();
    try {
      cuda.record(event, stream);
    } finally {
      handle.exit();
    }
  }

  void holdBack(Cuda.Stream stream) {
    handle.enter();
    try {
      cuda.await(stream, event);
    } finally {
      handle.exit();
    }
  }

  /** Destroys the event; one that has passed still says so. Closing again does nothing. */
  @Override
  public void close() {
    handle.close();
  }

  /** A pool may still hold the fence: its memory must not wait for an answer that never comes. */
  private void release() {
    try {
      cuda.useWithoutContext(device);
      passedBeforeClose = cuda.isDone(event);
    } finally {
      cuda.destroy(event);
    }
  }

  @Override
  public String toString() {
    return "CUDA event";
  }
}
