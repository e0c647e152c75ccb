package dev.rankrt;

import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.Tag;

/** The contract of shared inputs on the first GPU, in every precision. */
@Tag("gpu")
class GpuSharedInputsTest {
  /** The contract on a GPU. */
  abstract static class GpuContract extends SharedInputsContract {
    private final Precision precision;

    GpuContract(Precision precision) {
      this.precision = precision;
    }

    @Override
    Device device() {
      return Device.gpu(0);
    }

    @Override
    Precision precision() {
      return precision;
    }

    /** Building takes seconds each: fast kernels are not what this is about. */
    @Override
    EngineOptions.Builder options() {
      return super.options().builderLevel(0).optimizeFor(100);
    }

    @Override
    int splits() {
      return precision == Precision.FP32 ? 4 : 2;
    }
  }

  @Nested
  class Fp32 extends GpuContract {
    Fp32() {
      super(Precision.FP32);
    }
  }

  @Nested
  class Tf32 extends GpuContract {
    Tf32() {
      super(Precision.TF32);
    }
  }

  @Nested
  class Fp16 extends GpuContract {
    Fp16() {
      super(Precision.FP16);
    }
  }

  @Nested
  class Bf16 extends GpuContract {
    Bf16() {
      super(Precision.BF16);
    }
  }
}
