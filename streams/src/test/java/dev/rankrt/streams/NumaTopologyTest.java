package dev.rankrt.streams;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.OptionalInt;
import java.util.Set;
import java.util.TreeSet;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;

class NumaTopologyTest {
  @TempDir Path root;

  @Test
  void twoSocketServer_everyGpu_isOnItsSocket() {
    NumaTopology server = RecordedTree.topology("two-socket-4-gpus", root);

    assertEquals(Set.of(0, 1), server.nodes());
    assertEquals(CpuSet.parse("0-55,112-167"), server.cpusOfNode(0));
    assertEquals(CpuSet.parse("56-111,168-223"), server.cpusOfNode(1));
    assertEquals(CpuSet.parse("0-223"), server.cpus());
    assertEquals(
        List.of("0000:19:00.0", "0000:3b:00.0", "0000:9b:00.0", "0000:cb:00.0"),
        List.copyOf(server.gpus()));
    assertEquals(OptionalInt.of(0), server.nodeOfGpu("0000:3b:00.0"));
    assertEquals(server.cpusOfNode(0), server.cpusOfGpu("0000:3b:00.0"));
    assertEquals(OptionalInt.of(1), server.nodeOfGpu("0000:cb:00.0"));
    assertEquals(server.cpusOfNode(1), server.cpusOfGpu("0000:cb:00.0"));
    assertEquals(List.of(), server.notes());
  }

  @Test
  void gpuAddress_asNvidiaSmiWritesIt_isTheSameGpu() {
    NumaTopology server = RecordedTree.topology("two-socket-4-gpus", root);
    assertEquals(OptionalInt.of(1), server.nodeOfGpu("00000000:9B:00.0"));
    assertEquals(OptionalInt.of(1), server.nodeOfGpu("0000:9B:00.0"));
  }

  @Test
  void subNumaClusters_gpu_getsItsClusterAlone() {
    NumaTopology server = RecordedTree.topology("two-socket-snc4", root);

    assertEquals(new TreeSet<>(Set.of(0, 1, 2, 3, 4, 5, 6, 7)), server.nodes());
    assertEquals(OptionalInt.of(3), server.nodeOfGpu("0000:3b:00.0"));
    assertEquals(CpuSet.parse("42-55,154-167"), server.cpusOfGpu("0000:3b:00.0"));
    assertEquals(28, server.cpusOfGpu("0000:cb:00.0").size());
    assertEquals(List.of(), server.notes());
  }

  @Test
  void containerWithCpuset_nearGpu_getsTheAllowedPartOfItsNode() {
    NumaTopology container = RecordedTree.topology("container-cpuset", root);

    assertEquals(CpuSet.parse("0-15,128-143"), container.cpus());
    assertEquals(CpuSet.parse("0-15,128-143"), container.cpusOfNode(0));
    assertEquals(CpuSet.none(), container.cpusOfNode(1));
    assertEquals(CpuSet.parse("0-15,128-143"), container.cpusOfGpu("0000:41:00.0"));
  }

  @Test
  void containerWithCpuset_gpuOfTheOtherSocket_getsAllAllowedCpusAndANote() {
    NumaTopology container = RecordedTree.topology("container-cpuset", root);

    assertEquals(OptionalInt.of(1), container.nodeOfGpu("0000:c1:00.0"));
    assertEquals(container.cpus(), container.cpusOfGpu("0000:c1:00.0"));
    assertEquals(
        List.of(
            "GPU 0000:c1:00.0 is near to CPUs 64-127,192-255, this process may use 0-15,128-143"),
        container.notes());
  }

  @Test
  void containerOnCgroupVersion1_groupNamedByTheHostsPath_isFoundAtTheMount() {
    NumaTopology container = RecordedTree.topology("container-cgroup-v1", root);

    assertEquals(CpuSet.parse("8-23"), container.cpus());
    assertEquals(CpuSet.parse("8-15"), container.cpusOfGpu("0000:5e:00.0"));
  }

  @Test
  void oldKernelOnCgroupVersion1_withoutEffectiveCpus_theConfiguredOnesCount() throws IOException {
    RecordedTree.unpack("container-cgroup-v1", root);
    Files.delete(root.resolve("sys/fs/cgroup/cpuset/cpuset.effective_cpus"));
    RecordedTree.write(root, "sys/fs/cgroup/cpuset/docker/5f0c2b1e/cpuset.cpus", "9-10");

    assertEquals(CpuSet.parse("9-10"), NumaTopology.read(root).cpus());
  }

  @Test
  void laptop_withoutNvidiaGpu_isOneNodeAndNoGpu() {
    NumaTopology laptop = RecordedTree.topology("laptop", root);

    assertEquals(Set.of(0), laptop.nodes());
    assertEquals(CpuSet.parse("0-15"), laptop.cpusOfNode(0));
    assertEquals(Set.of(), laptop.gpus());
    assertEquals(List.of(), laptop.notes());
  }

  @Test
  void virtualMachine_gpuThatSaysNoNode_isPlacedByItsLocalCpus() {
    NumaTopology machine = RecordedTree.topology("vm-one-gpu", root);

    assertEquals(OptionalInt.of(0), machine.nodeOfGpu("0000:00:06.0"));
    assertEquals(CpuSet.parse("0-15"), machine.cpusOfGpu("0000:00:06.0"));
    assertEquals(1, machine.notes().size(), machine.notes()::toString);
  }

  @Test
  void gpuThatSaysNoNode_withLocalCpusOfOneSocket_isOnThatSocket() {
    RecordedTree.unpack("two-socket-4-gpus", root);
    RecordedTree.replace(root, "sys/bus/pci/devices/0000:cb:00.0/numa_node", "-1");
    NumaTopology server = NumaTopology.read(root);

    assertEquals(OptionalInt.of(1), server.nodeOfGpu("0000:cb:00.0"));
    assertEquals(CpuSet.parse("56-111,168-223"), server.cpusOfGpu("0000:cb:00.0"));
  }

  @Test
  void gpuThatSaysNeitherNodeNorLocalCpus_isNearToAllCpus() throws IOException {
    RecordedTree.unpack("two-socket-4-gpus", root);
    RecordedTree.replace(root, "sys/bus/pci/devices/0000:cb:00.0/numa_node", "-1");
    Files.delete(root.resolve("sys/bus/pci/devices/0000:cb:00.0/local_cpulist"));
    NumaTopology server = NumaTopology.read(root);

    assertEquals(OptionalInt.empty(), server.nodeOfGpu("0000:cb:00.0"));
    assertEquals(server.cpus(), server.cpusOfGpu("0000:cb:00.0"));
  }

  @Test
  void gpuOnANodeOfMemoryAlone_getsItsLocalCpus() {
    RecordedTree.unpack("two-socket-4-gpus", root);
    RecordedTree.write(root, "sys/devices/system/node/node2/cpulist", "");
    RecordedTree.replace(root, "sys/bus/pci/devices/0000:cb:00.0/numa_node", "2");
    NumaTopology server = NumaTopology.read(root);

    assertEquals(CpuSet.none(), server.cpusOfNode(2));
    assertEquals(OptionalInt.of(2), server.nodeOfGpu("0000:cb:00.0"));
    assertEquals(CpuSet.parse("56-111,168-223"), server.cpusOfGpu("0000:cb:00.0"));
  }

  @Test
  void affinityMask_narrowerThanTheCpuset_counts() {
    RecordedTree.unpack("two-socket-4-gpus", root);
    RecordedTree.replace(root, "proc/self/status", "Cpus_allowed_list:\t50-60");
    NumaTopology server = NumaTopology.read(root);

    assertEquals(CpuSet.parse("50-60"), server.cpus());
    assertEquals(CpuSet.parse("50-55"), server.cpusOfNode(0));
    assertEquals(CpuSet.parse("56-60"), server.cpusOfGpu("0000:9b:00.0"));
  }

  @Test
  void cpuset_nearestGroupWithTheFile_counts() {
    RecordedTree.unpack("two-socket-4-gpus", root);
    RecordedTree.write(
        root, "sys/fs/cgroup/system.slice/ranker.service/cpuset.cpus.effective", "4-7");
    assertEquals(CpuSet.parse("4-7"), NumaTopology.read(root).cpus());
  }

  @Test
  void cgroupOutsideOfTheNamespace_isReadAtTheMount() {
    RecordedTree.unpack("container-cpuset", root);
    RecordedTree.replace(root, "proc/self/cgroup", "0::/../../other");
    RecordedTree.write(root, "sys/fs/other/cpuset.cpus.effective", "3");
    assertEquals(CpuSet.parse("0-15,128-143"), NumaTopology.read(root).cpus());
  }

  @Test
  void limitThatLeavesNothing_isNotApplied() {
    RecordedTree.unpack("laptop", root);
    RecordedTree.replace(root, "sys/fs/cgroup/cpuset.cpus.effective", "100-101");
    NumaTopology laptop = NumaTopology.read(root);

    assertEquals(CpuSet.parse("0-15"), laptop.cpus());
    assertEquals(
        List.of("the control group's cpuset 100-101 shares no CPU with 0-15: not applied"),
        laptop.notes());
  }

  @Test
  void emptyTree_isOneNodeOfUnknownCpusAndSaysSo() {
    NumaTopology nothing = NumaTopology.read(root);

    assertEquals(Set.of(0), nothing.nodes());
    assertEquals(CpuSet.none(), nothing.cpus());
    assertEquals(CpuSet.none(), nothing.cpusOfGpu("0000:3b:00.0"));
    assertEquals(OptionalInt.empty(), nothing.nodeOfGpu("0000:3b:00.0"));
    assertTrue(nothing.notes().toString().contains("affinity mask"), nothing.notes()::toString);
    assertTrue(nothing.notes().toString().contains("one node"), nothing.notes()::toString);
  }

  @Test
  void maskedSys_withProcAlone_isOneNodeOfTheAllowedCpus() {
    RecordedTree.write(root, "proc/self/status", "Cpus_allowed_list:\t2-5");
    NumaTopology container = NumaTopology.read(root);

    assertEquals(CpuSet.parse("2-5"), container.cpus());
    assertEquals(CpuSet.parse("2-5"), container.cpusOfNode(0));
    assertEquals(CpuSet.parse("2-5"), container.cpusOfGpu("0000:3b:00.0"));
  }

  @Test
  void everyFileOfATree_inTurnNonsense_neverThrows() throws IOException {
    List<String> nonsense =
        List.of(
            "",
            "-1",
            "0-",
            "\u0000\u0001",
            "99999999999",
            "0::/\u0000",
            "a:b:c:d",
            "x".repeat(9000));
    RecordedTree.unpack("container-cpuset", root);
    List<Path> files;
    try (var walk = Files.walk(root)) {
      files = walk.filter(Files::isRegularFile).toList();
    }
    assertFalse(files.isEmpty());
    for (Path file : files) {
      byte[] recorded = Files.readAllBytes(file);
      for (String content : nonsense) {
        Files.writeString(file, content);
        assertSane(NumaTopology.read(root));
      }
      Files.write(file, new byte[] {(byte) 0xff, (byte) 0xfe});
      assertSane(NumaTopology.read(root));
      Files.delete(file);
      assertSane(NumaTopology.read(root));
      Files.createDirectory(file);
      assertSane(NumaTopology.read(root));
      Files.delete(file);
      Files.write(file, recorded);
    }
    assertEquals(CpuSet.parse("0-15,128-143"), NumaTopology.read(root).cpus());
  }

  private static void assertSane(NumaTopology topology) {
    assertFalse(topology.cpus().isEmpty());
    assertFalse(topology.nodes().isEmpty());
    for (int node : topology.nodes()) {
      assertTrue(topology.cpus().containsAll(topology.cpusOfNode(node)), topology::toString);
    }
    for (String gpu : topology.gpus()) {
      assertFalse(topology.cpusOfGpu(gpu).isEmpty(), topology::toString);
      assertTrue(topology.cpus().containsAll(topology.cpusOfGpu(gpu)), topology::toString);
    }
  }

  @Test
  void cpusOfNode_unknownNode_isRefusedWithThoseThereAre() {
    NumaTopology laptop = RecordedTree.topology("laptop", root);
    IllegalArgumentException refused =
        assertThrows(IllegalArgumentException.class, () -> laptop.cpusOfNode(1));
    assertEquals("no NUMA node 1, there are [0]", refused.getMessage());
  }

  @Test
  void toString_tellsNodesAndGpusInOneLine() {
    assertEquals(
        "usable CPUs 0-15; node 0: 0-15; GPU 0000:00:06.0: node 0, CPUs 0-15",
        RecordedTree.topology("vm-one-gpu", root).toString());
  }

  @Test
  @EnabledOnOs(OS.LINUX)
  void system_onLinux_holdsTheMaskOfThisProcess() throws IOException {
    String status =
        new String(Files.readAllBytes(Path.of("/proc/self/status")), StandardCharsets.ISO_8859_1);
    String mask =
        status
            .lines()
            .filter(line -> line.startsWith("Cpus_allowed_list:"))
            .map(line -> line.substring("Cpus_allowed_list:".length()))
            .findFirst()
            .orElseThrow();
    NumaTopology here = NumaTopology.system();
    assertFalse(here.cpus().isEmpty());
    assertTrue(CpuSet.parse(mask).containsAll(here.cpus()), here::toString);
  }
}
