package dev.rankrt.streams.internal;

import dev.rankrt.natives.internal.Cuda;
import dev.rankrt.natives.internal.FakeCuda;
import org.junit.jupiter.api.AfterEach;

class CudaStreamOnFakeTest extends CudaStreamContract {
  private final FakeCuda fake = new FakeCuda();

  @Override
  Cuda cuda() {
    return fake;
  }

  /** The fake allocates when it copies. */
  @Override
  Runnable steadyWork() {
    return () -> {};
  }

  @AfterEach
  @Override
  void undoAll() {
    super.undoAll();
    fake.assertNothingLive();
  }
}
