package dev.rankrt.memory.internal;

/** A lease of device memory. Hand over, do not share: see {@link Lease}. */
public final class DeviceBuffer extends Lease {
  DeviceBuffer(DevicePool pool, Block block, long bytes) {
    super(pool, block, bytes);
  }
}
