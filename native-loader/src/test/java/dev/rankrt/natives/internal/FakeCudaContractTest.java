package dev.rankrt.natives.internal;

import org.junit.jupiter.api.AfterEach;

/** The fake keeps the contract that the real CUDA keeps. */
class FakeCudaContractTest extends CudaContract {
  private final FakeCuda fake = new FakeCuda();

  @Override
  Cuda cuda() {
    return fake;
  }

  @AfterEach
  void nothingIsLeft() {
    fake.assertNothingLive();
  }
}
