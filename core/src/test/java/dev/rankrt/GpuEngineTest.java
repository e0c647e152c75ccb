package dev.rankrt;

import static dev.rankrt.testing.OnnxModel.Type.INT64;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.rankrt.testing.OnnxModels;
import java.nio.FloatBuffer;
import java.nio.LongBuffer;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** The contract on the first GPU, in every precision. */
@Tag("gpu")
class GpuEngineTest {
  /** The contract on a GPU. */
  abstract static class GpuContract extends EngineContract {
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

    @Test
    void run_onViews_allocatesNothing() {
      try (Engine engine = engines.open(OnnxModels.ranker(INT64), options());
          Session session = engine.newSession()) {
        FloatBuffer dense = session.input("dense").floats();
        LongBuffer ids = session.input("ids").longs();
        FloatBuffer scores = session.output("score").floats();
        double bytes =
            AllocationTest.bytesPerCall(
                () -> {
                  dense.put(0, 1);
                  ids.put(0, 2);
                  session.run(3);
                  assertEquals(3, scores.remaining());
                });
        assertTrue(bytes < 1, bytes + " bytes a call");
      }
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
