package dev.rankrt.memory.internal;

import java.nio.ByteBuffer;

/**
 * A lease of pinned host memory, which the device can also reach itself. Hand over, do not share:
 * see {@link Lease}.
 */
public final class StagingBuffer extends Lease {
  private final StagingPool owner;

  StagingBuffer(StagingPool pool, Block block, long bytes) {
    super(pool, block, bytes);
    this.owner = pool;
  }

  /**
   * Returns the address under which the pool's device sees the block, valid until the lease is
   * closed.
   *
   * @throws IllegalStateException if the lease is closed
   */
  public long mappedAddress() {
    requireOpen();
    return block.mappedAddress;
  }

  /**
   * Returns a new view of the bytes, in native byte order. It dies with the lease: a view that is
   * used after closing reads and writes whatever is there then. What the memory holds at first is
   * undefined.
   *
   * @throws IllegalStateException if the lease is closed
   */
  public ByteBuffer view() {
    requireOpen();
    return owner.view(this);
  }
}
