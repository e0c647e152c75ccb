package dev.rankrt.streams.internal;

import dev.rankrt.natives.LoadOptions;
import dev.rankrt.natives.internal.Cuda;
import dev.rankrt.natives.internal.Natives;
import org.junit.jupiter.api.Tag;

/** The contract on a GPU. */
@Tag("gpu")
class RealCudaStreamTest extends CudaStreamContract {
  @Override
  Cuda cuda() {
    return Natives.load(LoadOptions.defaults()).cuda();
  }
}
