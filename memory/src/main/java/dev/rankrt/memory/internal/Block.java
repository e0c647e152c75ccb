package dev.rankrt.memory.internal;

/** One allocation of CUDA's. What can change is guarded by its pool's lock. */
final class Block {
  final long address;
  final long mappedAddress;
  final int sizeClass;
  final long bytes;

  /** The next free block of the same class. */
  Block next;

  /** What the block waits for in quarantine. */
  Fence fence;

  /** Whom the block is leased to, or null. */
  String holder;

  /**
   * Where it was acquired, or null. Written by the new holder outside the lock, hence volatile; it
   * also keeps the trace reachable until the lease is closed.
   */
  volatile LeakTracker.Trace trace;

  Block(long address, long mappedAddress, int sizeClass, long bytes) {
    this.address = address;
    this.mappedAddress = mappedAddress;
    this.sizeClass = sizeClass;
    this.bytes = bytes;
  }
}
