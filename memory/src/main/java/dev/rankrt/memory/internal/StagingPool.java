package dev.rankrt.memory.internal;

import dev.rankrt.memory.LeakDetection;
import dev.rankrt.memory.PoolConfig;
import dev.rankrt.natives.internal.Closing;
import dev.rankrt.natives.internal.Cuda;
import dev.rankrt.natives.internal.Uninterruptibly;
import java.nio.ByteBuffer;
import java.util.Objects;
import java.util.concurrent.Executor;
import java.util.concurrent.FutureTask;

/**
 * Leases of pinned host memory, portable across contexts and mapped for one device. Safe for use by
 * several threads: see {@link Pool}.
 */
public final class StagingPool extends Pool<StagingBuffer> {
  /** What memory that came back holds under {@link LeakDetection#ALWAYS}: no plausible number. */
  private static final byte SCRIBBLE = (byte) 0xDB;

  private final Executor placement;
  private final boolean scribbles;

  /**
   * Creates a pool that holds nothing yet. It outlives its leases, and does not own {@code cuda}.
   *
   * @param device the device that {@link StagingBuffer#mappedAddress} is for
   * @param placement runs allocations on a thread that is bound to the device's NUMA node, because
   *     the pages of pinned memory come from the node of the thread that asks. It may bind the
   *     calling thread for the time of the task, or hand the task to another thread; it must run
   *     the task or throw. {@code Runnable::run} allocates wherever the caller happens to be.
   */
  public StagingPool(Cuda cuda, int device, PoolConfig config, Executor placement) {
    super("staging pool", cuda, device, config);
    this.placement = Objects.requireNonNull(placement, "placement");
    this.scribbles = config.leakDetection() == LeakDetection.ALWAYS;
  }

  @Override
  Block allocate(int sizeClass, long bytes) {
    FutureTask<Block> task =
        new FutureTask<>(() -> cuda.onDevice(device, () -> allocatePinned(sizeClass, bytes)));
    placement.execute(task);
    return Uninterruptibly.get(task);
  }

  private Block allocatePinned(int sizeClass, long bytes) {
    long address = cuda.allocatePinned(bytes);
    try {
      return new Block(address, cuda.mappedAddress(address), sizeClass, bytes);
    } catch (RuntimeException | Error e) {
      Closing.after(e, () -> cuda.freePinned(address));
      throw e;
    }
  }

  @Override
  void free(Block block) {
    cuda.onDevice(
        device,
        () -> {
          cuda.freePinned(block.address);
          return null;
        });
  }

  @Override
  void cameBack(Block block) {
    if (scribbles && block.bytes <= Integer.MAX_VALUE) {
      ByteBuffer memory = cuda.view(block.address, (int) block.bytes);
      while (memory.hasRemaining()) {
        memory.put(SCRIBBLE);
      }
    }
  }

  @Override
  StagingBuffer lease(Block block, long bytes) {
    return new StagingBuffer(this, block, bytes);
  }

  ByteBuffer view(StagingBuffer lease) {
    return cuda.view(lease.address(), Math.toIntExact(lease.bytes()));
  }
}
