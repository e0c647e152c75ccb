package dev.rankrt.memory.internal;

import dev.rankrt.memory.PoolConfig;
import dev.rankrt.natives.LoadOptions;
import dev.rankrt.natives.internal.Cuda;
import dev.rankrt.natives.internal.Natives;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.Tag;

/** The contract over the memory of a GPU, and over memory that is really pinned. */
@Tag("gpu")
class RealPoolsTest {
  private static Cuda cuda() {
    return Natives.load(LoadOptions.defaults()).cuda();
  }

  @Nested
  class OfTheDevice extends PoolContract {
    @Override
    DevicePool create(PoolConfig config) {
      return new DevicePool(cuda(), 0, config);
    }
  }

  @Nested
  class OfTheHost extends PoolContract {
    @Override
    StagingPool create(PoolConfig config) {
      return new StagingPool(cuda(), 0, config, Runnable::run);
    }
  }
}
