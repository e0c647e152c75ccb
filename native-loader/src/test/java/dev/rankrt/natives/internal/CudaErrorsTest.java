package dev.rankrt.natives.internal;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;

import dev.rankrt.natives.CudaException;
import dev.rankrt.natives.DeviceLostException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class CudaErrorsTest {
  @Test
  void error_isReportedWithCallNumbersAndAdvice() {
    CudaException e =
        CudaErrors.exception(
            "cudaMalloc of 64 bytes",
            2,
            "cudaErrorMemoryAllocation",
            "out of memory",
            "1 byte free of 2");
    assertEquals(
        "cudaMalloc of 64 bytes reported cudaErrorMemoryAllocation (2): out of memory;"
            + " 1 byte free of 2",
        e.getMessage());
    assertEquals(2, e.code());
    assertEquals("cudaErrorMemoryAllocation", e.errorName());
    assertFalse(e instanceof DeviceLostException);
  }

  @ParameterizedTest
  @ValueSource(ints = {46, 214, 226, 700, 702, 709, 710, 714, 715, 716, 717, 718, 719})
  void error_thatEndsTheContext_saysThatOnlyANewProcessHelps(int code) {
    CudaException e = CudaErrors.exception("cudaStreamSynchronize", code, "name", "text", "");
    assertInstanceOf(DeviceLostException.class, e);
    assertEquals(
        "cudaStreamSynchronize reported name ("
            + code
            + "): text; this process can no longer use the device, start a new one",
        e.getMessage());
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 2, 100, 101, 304, 400, 600, 801, 900, 901})
  void error_ofTheCallAlone_doesNotEndTheDevice(int code) {
    assertFalse(CudaErrors.isFatal(code));
  }
}
