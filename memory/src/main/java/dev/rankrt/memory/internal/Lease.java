package dev.rankrt.memory.internal;

/**
 * The exclusive use of a block, from the pool's {@code acquire} to the first {@code close}. Hand
 * over, do not share: one thread uses a lease at a time, though any thread may close it.
 *
 * <p>The block belongs to the pool, which must outlive the lease. After closing, the address is
 * somebody else's: {@link #address} then throws, but addresses and views taken before are beyond
 * anyone's control. Closing again, from whatever thread, does nothing.
 */
public abstract sealed class Lease implements AutoCloseable permits DeviceBuffer, StagingBuffer {
  final Block block;
  private final Pool<?> pool;
  private final long bytes;

  /** Set before the lease is handed over; null for the untracked. */
  LeakTracker.Trace trace;

  /** Written under the pool's lock. */
  volatile boolean closed;

  Lease(Pool<?> pool, Block block, long bytes) {
    this.pool = pool;
    this.block = block;
    this.bytes = bytes;
  }

  /**
   * Returns the block's address, a multiple of 256, valid until the lease is closed.
   *
   * @throws IllegalStateException if the lease is closed
   */
  public final long address() {
    requireOpen();
    return block.address;
  }

  /** Returns how many bytes were asked for, and may be used. */
  public final long bytes() {
    return bytes;
  }

  /**
   * Returns the block to its pool, for immediate reuse. All GPU work that uses the block must be
   * done; where it may not be, use {@link #closeAfter}.
   */
  @Override
  public final void close() {
    pool.release(this, null);
  }

  /**
   * Returns the block to its pool, which hands it to nobody before the fence has passed.
   *
   * @param fence a point after the last GPU work that uses the block
   */
  public final void closeAfter(Fence fence) {
    if (fence == null) {
      throw new NullPointerException("fence");
    }
    pool.release(this, fence);
  }

  final void requireOpen() {
    if (closed) {
      throw new IllegalStateException(this + " is closed");
    }
  }

  @Override
  public String toString() {
    return "lease of " + Pool.size(bytes) + " of " + pool;
  }
}
