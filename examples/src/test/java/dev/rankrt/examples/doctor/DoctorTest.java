package dev.rankrt.examples.doctor;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.gson.Gson;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import dev.rankrt.examples.cli.Json;
import dev.rankrt.examples.doctor.Machine.Answer;
import dev.rankrt.examples.doctor.Machine.Driver;
import dev.rankrt.examples.gpu.GpuFacts;
import dev.rankrt.examples.gpu.GpuFacts.ComputeMode;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class DoctorTest {
  @TempDir Path root;

  @ParameterizedTest
  @EnumSource
  void everyRecordedMachine_isToldWhatIsExpected(RecordedMachine recorded) throws IOException {
    String text = Doctor.diagnose(recorded.unpack(root)).text(false);
    if (Boolean.getBoolean("dev.rankrt.examples.record")) {
      Path kept = Path.of("examples/src/test/resources/doctor", recorded.file() + ".expected");
      Files.writeString(kept, text);
    }
    try (InputStream expected =
        DoctorTest.class.getResourceAsStream("/doctor/" + recorded.file() + ".expected")) {
      assertEquals(new String(expected.readAllBytes(), StandardCharsets.UTF_8), text);
    }
  }

  @ParameterizedTest
  @EnumSource
  void everyDiagnosis_comesBackFromItsJson(RecordedMachine recorded) {
    Diagnosis diagnosis = Doctor.diagnose(recorded.unpack(root));
    assertEquals(diagnosis, Json.read(Json.write(diagnosis), Diagnosis.class));
  }

  @Test
  void theJson_hasTheNamesThatScriptsReadItBy() {
    JsonObject json = JsonParser.parseString(Json.write(nothingKnown())).getAsJsonObject();
    assertEquals(List.of("format", "at", "worst", "findings"), List.copyOf(json.keySet()));
    assertEquals(
        List.of("id", "group", "title", "level", "found", "why", "fix"),
        List.copyOf(json.getAsJsonArray("findings").get(0).getAsJsonObject().keySet()));
    assertEquals(
        List.of(
            "gpu.present",
            "gpu.nouveau",
            "gpu.driver",
            "gpu.persistence",
            "gpu.ecc",
            "gpu.clocks",
            "gpu.power",
            "gpu.pcie",
            "gpu.mig",
            "gpu.mps",
            "gpu.numa",
            "libraries.match",
            "libraries.parser",
            "cpu.governor",
            "cpu.numa-balancing",
            "memory.transparent-huge-pages",
            "memory.huge-pages",
            "memory.memlock",
            "memory.swap",
            "container.cpu",
            "container.memory",
            "jvm.heap",
            "jvm.collector",
            "jvm.pretouch",
            "jvm.huge-pages",
            "jvm.native-access",
            "jvm.javacpp"),
        ids(nothingKnown()));
  }

  @ParameterizedTest
  @EnumSource
  void theSameChecks_areReportedForEveryMachine(RecordedMachine recorded) {
    List<String> here = ids(Doctor.diagnose(recorded.unpack(root)));
    assertEquals(ids(nothingKnown()), here);
    assertEquals(here.size(), new HashSet<>(here).size());
  }

  @ParameterizedTest
  @EnumSource
  void everyWarningAndFailure_saysHowToFixIt(RecordedMachine recorded) {
    for (Finding finding : Doctor.diagnose(recorded.unpack(root)).findings()) {
      assertEquals(
          finding.level().compareTo(Level.WARN) >= 0,
          finding.fix().filter(fix -> !fix.isBlank()).isPresent(),
          finding::toString);
      assertTrue(!finding.found().isBlank() && !finding.why().isBlank(), finding::toString);
    }
  }

  @ParameterizedTest
  @EnumSource
  void aFileOfGarbage_isPassedOver(RecordedMachine recorded) throws IOException {
    recorded.unpack(root);
    List<String> checks = ids(nothingKnown());
    List<Path> files;
    try (Stream<Path> all = Files.walk(root)) {
      files = all.filter(Files::isRegularFile).toList();
    }
    for (Path file : files) {
      byte[] before = Files.readAllBytes(file);
      for (String garbage :
          List.of("", "\0\u00ff[", "-1", "99999999999999999999999", "a:b:c:d:/..")) {
        Files.writeString(file, garbage, StandardCharsets.ISO_8859_1);
        assertEquals(checks, ids(Doctor.diagnose(recorded.read(root))), file::toString);
      }
      Files.write(file, before);
    }
  }

  @Test
  void whereNothingCanBeRead_nothingIsBlamed() {
    assertEquals(Level.SKIP, nothingKnown().worst());
  }

  @Test
  void aGpuThatTellsNothing_isNotBlamed() {
    Diagnosis diagnosis = tuned(Map.of(), RecordedMachine.unknown());
    assertEquals(Level.SKIP, diagnosis.worst(), () -> diagnosis.text(false));
  }

  @Test
  void aDriverOlderThanCuda12Needs_fails() {
    Machine machine = RecordedMachine.TWO_SOCKET_TUNED.unpack(root);
    Driver old = new Driver("NVML", "525.60.11", List.of(RecordedMachine.tuned(0, 0x3b)));
    assertLevel(Level.FAIL, "gpu.driver", Doctor.diagnose(with(machine, Answer.of(old))));
    Driver enough = new Driver("NVML", "525.60.13", List.of(RecordedMachine.tuned(0, 0x3b)));
    assertLevel(Level.OK, "gpu.driver", Doctor.diagnose(with(machine, Answer.of(enough))));
  }

  @Test
  void aDriverThatWasUpdatedUnderARunningKernel_asksForAReboot() {
    Machine machine = RecordedMachine.TWO_SOCKET_TUNED.unpack(root);
    Finding driver =
        find(
            "gpu.driver",
            Doctor.diagnose(
                with(
                    machine, Answer.none("NVML does not start: Driver/library version mismatch"))));
    assertEquals(Level.FAIL, driver.level());
    assertEquals(Optional.of("sudo reboot"), driver.fix());
  }

  @Test
  void nouveauInPlaceOfTheDriver_fails() throws IOException {
    Machine machine = RecordedMachine.LAPTOP.unpack(root);
    Files.createDirectories(root.resolve("sys/module/nouveau"));
    assertLevel(Level.FAIL, "gpu.nouveau", Doctor.diagnose(machine));
  }

  @Test
  void memoryErrorsThatWereNotCorrected_fail() {
    assertLevel(Level.FAIL, "gpu.ecc", tuned(Map.of("eccUncorrected", 3L)));
  }

  @Test
  void aGpuThatNobodyMayUse_fails() {
    assertLevel(Level.FAIL, "gpu.mps", tuned(Map.of("computeMode", ComputeMode.PROHIBITED)));
  }

  @Test
  void aGpuThatIsTooHot_isHeldBack() {
    Diagnosis diagnosis = tuned(Map.of("slowdowns", 0x20L));
    assertLevel(Level.WARN, "gpu.clocks", diagnosis);
    assertTrue(find("gpu.clocks", diagnosis).found().contains("too hot"));
  }

  @Test
  void aSlowLinkOfABusyGpu_isWorthAWarning_notThatOfAnIdleOne() {
    assertLevel(Level.WARN, "gpu.pcie", tuned(Map.of("pcieGeneration", 3)));
    assertLevel(Level.OK, "gpu.pcie", tuned(Map.of("pcieGeneration", 1, "slowdowns", 1L)));
  }

  @Test
  void exclusiveMode_isFineWithMps() throws IOException {
    Map<String, Object> exclusive = Map.of("computeMode", ComputeMode.EXCLUSIVE_PROCESS);
    assertLevel(Level.WARN, "gpu.mps", tuned(exclusive));
    Files.createDirectories(root.resolve("tmp/nvidia-mps"));
    Files.createFile(root.resolve("tmp/nvidia-mps/control"));
    assertLevel(Level.OK, "gpu.mps", read(exclusive));
    Files.writeString(
        root.resolve("proc/self/environ"), "A=b\0CUDA_MPS_ACTIVE_THREAD_PERCENTAGE=25\0");
    assertLevel(Level.WARN, "gpu.mps", read(exclusive));
  }

  @Test
  void memoryForServingAlone_isEnoughUntilPlansAreBuilt() throws IOException {
    RecordedMachine.TWO_SOCKET_TUNED.unpack(root);
    Path limit = root.resolve("sys/fs/cgroup/system.slice/ranker.service/memory.max");
    for (int gibibytes : new int[] {16 + 3, 16 + 5}) {
      Files.writeString(limit, Long.toString((long) gibibytes << 30));
      Finding found = find("container.memory", read(Map.of()));
      assertEquals(Level.OK, found.level());
      assertTrue(found.found().endsWith(": enough to serve, not to build plans"), found::found);
    }
    Files.writeString(limit, Long.toString((16L << 30) + (6L << 30)));
    assertFalse(find("container.memory", read(Map.of())).found().contains("plans"));
  }

  @Test
  void aProcessOnTheOtherNode_isSentToItsGpu() throws IOException {
    RecordedMachine.TWO_SOCKET_TUNED.unpack(root);
    Files.writeString(root.resolve("proc/self/status"), "Cpus_allowed_list:\t4-7\n");
    Files.delete(root.resolve("sys/fs/cgroup/system.slice/ranker.service/cpuset.cpus.effective"));
    Finding numa = find("gpu.numa", read(Map.of()));
    assertEquals(Level.WARN, numa.level());
    assertTrue(numa.fix().orElseThrow().contains("numactl --cpunodebind=0 --membind=0 "));
  }

  @Test
  void aParserThatIsMissing_isWorthAWarning() {
    Machine machine = RecordedMachine.TWO_SOCKET_TUNED.unpack(root);
    Machine without =
        new Machine(
            machine.now(),
            root,
            machine.driver(),
            Answer.of(RecordedMachine.libraries(false)),
            machine.jvm());
    assertLevel(Level.WARN, "libraries.parser", Doctor.diagnose(without));
  }

  @Test
  void hugePagesThatZgcCannotHave_areNotTakenForGranted() throws IOException {
    RecordedMachine.TWO_SOCKET_TUNED.unpack(root);
    Path setting = root.resolve("sys/kernel/mm/transparent_hugepage/shmem_enabled");
    assertLevel(Level.OK, "jvm.huge-pages", read(Map.of()));
    Files.writeString(setting, "always within_size advise [never] deny force\n");
    Finding found = find("jvm.huge-pages", read(Map.of()));
    assertEquals(Level.WARN, found.level());
    assertTrue(found.fix().orElseThrow().endsWith("/shmem_enabled"), found::toString);
    Files.delete(setting); // a kernel that has none, or does not show it
    assertLevel(Level.OK, "jvm.huge-pages", read(Map.of()));
  }

  @Test
  void thisMachine_canBeLookedAt() {
    assertEquals(ids(nothingKnown()), ids(Doctor.diagnose(Machine.here())));
  }

  /** Returns what is said of the tuned machine, whose GPU differs in some components. */
  private Diagnosis tuned(Map<String, Object> changes) {
    RecordedMachine.TWO_SOCKET_TUNED.unpack(root);
    return read(changes);
  }

  private Diagnosis tuned(Map<String, Object> changes, GpuFacts gpu) {
    Machine machine = RecordedMachine.TWO_SOCKET_TUNED.unpack(root);
    return Doctor.diagnose(
        with(machine, Answer.of(new Driver("NVML", "580.82.07", List.of(changed(gpu, changes))))));
  }

  private Diagnosis read(Map<String, Object> changes) {
    GpuFacts gpu = changed(RecordedMachine.tuned(0, 0x3b), changes);
    return Doctor.diagnose(
        with(
            RecordedMachine.TWO_SOCKET_TUNED.read(root),
            Answer.of(new Driver("NVML", "580.82.07", List.of(gpu)))));
  }

  private static GpuFacts changed(GpuFacts gpu, Map<String, Object> changes) {
    Gson gson = new Gson();
    JsonObject json = JsonParser.parseString(Json.write(gpu)).getAsJsonObject();
    changes.forEach((name, value) -> json.add(name, gson.toJsonTree(value)));
    return Json.read(json.toString(), GpuFacts.class);
  }

  private Machine with(Machine machine, Answer<Driver> driver) {
    return new Machine(machine.now(), root, driver, machine.libraries(), machine.jvm());
  }

  private static Diagnosis nothingKnown() {
    return Doctor.diagnose(
        new Machine(
            RecordedMachine.NOW,
            Path.of("/nosuch"),
            Answer.none("no driver"),
            Answer.none("no libraries"),
            new Jvm(17, 4L << 30, Map.of(), true, Optional.empty())));
  }

  private static List<String> ids(Diagnosis diagnosis) {
    return diagnosis.findings().stream().map(Finding::id).toList();
  }

  private static Finding find(String id, Diagnosis diagnosis) {
    return diagnosis.findings().stream()
        .filter(finding -> finding.id().equals(id))
        .findFirst()
        .orElseThrow();
  }

  private static void assertLevel(Level level, String id, Diagnosis diagnosis) {
    assertEquals(level, find(id, diagnosis).level(), () -> find(id, diagnosis).toString());
  }
}
