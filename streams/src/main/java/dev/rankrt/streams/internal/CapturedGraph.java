package dev.rankrt.streams.internal;

import dev.rankrt.natives.internal.Cuda;
import dev.rankrt.natives.internal.NativeHandle;

/**
 * Work that was captured once and can be launched any number of times. One thread at a time.
 *
 * <p>Made by {@link CudaStream#capture} and owned by whoever asked for it. It does not own the
 * memory that its work reads and writes: those addresses are part of it, so that memory must
 * outlive the last launch. Closing it while a launch still runs is fine, CUDA lets the launch end.
 */
public final class CapturedGraph implements AutoCloseable {
  private final Cuda cuda;
  private final Cuda.Graph graph;
  private final NativeHandle handle;

  CapturedGraph(Cuda cuda, int device, Cuda.Graph graph) {
    this.cuda = cuda;
    this.graph = graph;
    this.handle =
        new NativeHandle(
            toString(),
            () -> {
              cuda.useWithoutContext(device);
              cuda.destroy(graph);
            });
  }

  void launch(Cuda.Stream stream) {
    handle.enter();
    try {
      cuda.launch(graph, stream);
    } finally {
      handle.exit();
    }
  }

  /** Destroys the graph. Closing again does nothing. */
  @Override
  public void close() {
    handle.close();
  }

  @Override
  public String toString() {
    return "captured CUDA graph";
  }
}
