package dev.rankrt;

import static dev.rankrt.testing.OnnxModel.BATCH;
import static dev.rankrt.testing.OnnxModel.Type.FLOAT;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.rankrt.testing.OnnxModels;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The contract on the CPU, through ONNX Runtime. */
class CpuEngineTest extends EngineContract {
  @Override
  Device device() {
    return Device.cpu();
  }

  @ParameterizedTest
  @ValueSource(ints = {2_000_000_000, Integer.MAX_VALUE})
  void maxBatch_beyondAnyMemory_isRefusedWithTheNumbers_andTriesNoneOfIt(int rows) {
    Exception refusal =
        assertThrows(
            IllegalArgumentException.class,
            () ->
                engines
                    .open(OnnxModels.identity(FLOAT, BATCH, 4), options().maxBatch(rows))
                    .close());
    assertEquals(
        "'x' FLOAT32[batch, 4] needs "
            + rows * 16L
            + " bytes for "
            + rows
            + " rows, at most 2 GiB are possible; lower maxBatch",
        refusal.getMessage());
  }
}
