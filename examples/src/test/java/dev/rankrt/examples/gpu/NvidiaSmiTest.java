package dev.rankrt.examples.gpu;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.rankrt.examples.gpu.GpuFacts.ComputeMode;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;

class NvidiaSmiTest {
  private static final String H200 =
      "0, NVIDIA H200, 00000000:3B:00.0, 580.82.07, Enabled, Enabled, Enabled, 0, Disabled,"
          + " Default, 345, 1980, 0x0000000000000001, 76.54, 700.00, 700.00, 1, 5, 16, 16, 143771,"
          + " 4, 37";
  private static final String VIRTUAL =
      "1, GRID T4-8C, 00000000:D8:00.0, 580.82.07, Enabled, [N/A], [N/A], [N/A], [N/A],"
          + " Exclusive_Process, [N/A], [Unknown Error], [Not Supported], [N/A], [N/A], [N/A],"
          + " [N/A], [N/A], [N/A], [N/A], 8192, 1024, [N/A]";

  @Test
  void everyAnswer_isReadInItsPlace() throws NvmlUnavailableException {
    try (Nvml smi = NvidiaSmi.open(command -> H200 + "\n" + VIRTUAL + "\n")) {
      assertEquals("580.82.07", smi.driverVersion());
      assertEquals(
          new GpuFacts(
              0,
              "NVIDIA H200",
              "0000:3b:00.0",
              Optional.of(true),
              Optional.of(true),
              Optional.of(true),
              Optional.of(0L),
              Optional.of(false),
              Optional.of(ComputeMode.DEFAULT),
              Optional.of(345),
              Optional.of(1980),
              Optional.of(1L),
              Optional.of(700.0),
              Optional.of(700.0),
              Optional.of(1),
              Optional.of(5),
              Optional.of(16),
              Optional.of(16),
              Optional.of(143771L << 20)),
          smi.gpus().get(0));
      assertEquals(
          new GpuSample(
              Optional.of(37), Optional.of(4L << 20), Optional.of(345), Optional.of(76.54)),
          smi.sample(0));
    }
  }

  @Test
  void whatItDoesNotKnow_isEmpty() throws NvmlUnavailableException {
    try (Nvml smi = NvidiaSmi.open(command -> H200 + "\n" + VIRTUAL + "\n")) {
      GpuFacts gpu = smi.gpus().get(1);
      assertEquals(Optional.empty(), gpu.ecc());
      assertEquals(Optional.empty(), gpu.smClockMhz());
      assertEquals(Optional.empty(), gpu.smClockMaxMhz());
      assertEquals(Optional.empty(), gpu.slowdowns());
      assertEquals(Optional.of(ComputeMode.EXCLUSIVE_PROCESS), gpu.computeMode());
      assertEquals(Optional.empty(), smi.sample(1).powerWatts());
    }
  }

  @Test
  void aGpu_isFoundByTheAddressThatCudaGives() throws NvmlUnavailableException {
    try (Nvml smi = NvidiaSmi.open(command -> H200 + "\n" + VIRTUAL + "\n")) {
      assertEquals(Optional.of(1), smi.indexOf("0000:D8:00.0"));
      assertEquals(Optional.empty(), smi.indexOf("0000:01:00.0"));
    }
  }

  @Test
  void nothingIsAskedOfItThatChangesAnything() throws NvmlUnavailableException {
    List<List<String>> commands = new ArrayList<>();
    try (Nvml smi =
        NvidiaSmi.open(
            command -> {
              commands.add(command);
              return H200;
            })) {
      smi.gpus();
      smi.sample(0);
    }
    for (List<String> command : commands) {
      assertEquals(3, command.size());
      assertTrue(command.get(1).startsWith("--query-gpu="));
      assertTrue(command.get(2).startsWith("--format="));
    }
  }

  @Test
  void anAnswerToSomethingElse_isRefused() {
    NvmlUnavailableException refused =
        assertThrows(
            NvmlUnavailableException.class, () -> NvidiaSmi.open(command -> "No devices found"));
    assertTrue(refused.getMessage().contains("No devices found"));
  }

  @Test
  void aProgramThatIsMissing_isTheReason() {
    NvmlUnavailableException missing =
        assertThrows(
            NvmlUnavailableException.class,
            () ->
                NvidiaSmi.open(
                    command -> {
                      throw new IOException("error=2, No such file or directory");
                    }));
    assertTrue(missing.getMessage().contains("error=2"));
  }
}
