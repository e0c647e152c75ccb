package dev.rankrt.streams;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class AffinityPolicyTest {
  private static final String GPU = "0000:cb:00.0";

  @TempDir Path root;

  @Test
  void none_onAnyMachine_isAnywhere() {
    NumaTopology server = RecordedTree.topology("two-socket-4-gpus", root);
    assertEquals(CpuSet.none(), AffinityPolicy.none().cpus(server, GPU));
  }

  @Test
  void gpuNode_onTwoSockets_isTheGpusSocket() {
    NumaTopology server = RecordedTree.topology("two-socket-4-gpus", root);
    assertEquals(CpuSet.parse("56-111,168-223"), AffinityPolicy.gpuNode().cpus(server, GPU));
  }

  @Test
  void gpuNode_onOneNode_isAnywhere() {
    NumaTopology machine = RecordedTree.topology("vm-one-gpu", root);
    assertEquals(CpuSet.none(), AffinityPolicy.gpuNode().cpus(machine, "0000:00:06.0"));
  }

  @Test
  void gpuNode_ofAGpuThatIsNotListed_isAnywhere() {
    NumaTopology server = RecordedTree.topology("two-socket-4-gpus", root);
    assertEquals(CpuSet.none(), AffinityPolicy.gpuNode().cpus(server, "0000:ff:00.0"));
  }

  @Test
  void cores_thatTheProcessMayUse_areThoseCores() {
    NumaTopology server = RecordedTree.topology("two-socket-4-gpus", root);
    AffinityPolicy policy = AffinityPolicy.cores(CpuSet.of(3, 4));
    assertEquals(CpuSet.of(3, 4), policy.cpus(server, GPU));
    assertEquals("cores 3-4", policy.toString());
  }

  @Test
  void cores_beyondTheCpuset_areRefusedWithBothSets() {
    NumaTopology container = RecordedTree.topology("container-cpuset", root);
    IllegalArgumentException refused =
        assertThrows(
            IllegalArgumentException.class,
            () -> AffinityPolicy.cores(CpuSet.parse("14-17")).cpus(container, GPU));
    assertEquals("asked for cores 14-17, this process may use 0-15,128-143", refused.getMessage());
  }

  @Test
  void cores_whereNothingIsKnown_areTakenAtTheirWord() {
    CpuSet cores = CpuSet.of(2);
    assertEquals(cores, AffinityPolicy.cores(cores).cpus(NumaTopology.read(root), GPU));
  }

  @Test
  void cores_none_isRefused() {
    assertThrows(IllegalArgumentException.class, () -> AffinityPolicy.cores(CpuSet.none()));
  }
}
