package dev.rankrt;

import static dev.rankrt.testing.OnnxModel.BATCH;
import static dev.rankrt.testing.OnnxModel.Type.FLOAT;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.rankrt.testing.OnnxModels;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
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

  @Test
  void model_thatIsAnotherKindOfFile_isRefusedWithWhatToTry() {
    Path file = engines.write("notes.onnx", "# Notes, no model".getBytes(StandardCharsets.UTF_8));
    Exception refusal =
        assertThrows(ModelException.class, () -> engines.open(file, options()).close());
    assertTrue(
        refusal
            .getMessage()
            .endsWith(" It is no ONNX model, or only a part of one; export or copy it again"),
        refusal::getMessage);
  }
}
