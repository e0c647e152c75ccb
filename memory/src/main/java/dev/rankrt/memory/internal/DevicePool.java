package dev.rankrt.memory.internal;

import dev.rankrt.memory.PoolConfig;
import dev.rankrt.natives.internal.Cuda;

/** Leases of one device's memory. Safe for use by several threads: see {@link Pool}. */
public final class DevicePool extends Pool<DeviceBuffer> {

  /**
   * Creates a pool that holds nothing yet. It outlives its leases, and does not own {@code cuda}.
   */
  public DevicePool(Cuda cuda, int device, PoolConfig config) {
    super("device pool", cuda, device, config);
  }

  @Override
  Block allocate(int sizeClass, long bytes) {
    return cuda.onDevice(
        device,
        () -> {
          long address = cuda.allocate(bytes);
          return new Block(address, address, sizeClass, bytes);
        });
  }

  @Override
  void free(Block block) {
    cuda.onDevice(
        device,
        () -> {
          cuda.free(block.address);
          return null;
        });
  }

  @Override
  DeviceBuffer lease(Block block, long bytes) {
    return new DeviceBuffer(this, block, bytes);
  }
}
