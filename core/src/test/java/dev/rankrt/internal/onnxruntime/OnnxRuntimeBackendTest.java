package dev.rankrt.internal.onnxruntime;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.rankrt.Device;
import java.util.Optional;
import org.junit.jupiter.api.Test;

class OnnxRuntimeBackendTest {
  @Test
  void version_thatEndsProcesses_isRefusedUnlessItIsKeptFromIt() {
    String reason = OnnxRuntimeBackend.crashing("1.29.0", null).orElseThrow();
    assertTrue(reason.contains("1.28.0") && reason.contains("ORT_DISABLE_TELEMETRY=1"), reason);
    assertTrue(OnnxRuntimeBackend.crashing("1.29.0", "0").isPresent());
    assertEquals(Optional.empty(), OnnxRuntimeBackend.crashing("1.29.0", "1"));
  }

  @Test
  void version_thatIsAnotherOrUnknown_isTaken() {
    assertEquals(Optional.empty(), OnnxRuntimeBackend.crashing("1.28.0", null));
    assertEquals(Optional.empty(), OnnxRuntimeBackend.crashing(null, null));
    assertEquals(Optional.empty(), new OnnxRuntimeBackend().unavailable(Device.cpu()));
  }
}
