package dev.rankrt.streams;

import java.util.Objects;

/**
 * Where the threads that feed a GPU should run: anywhere, on the GPU's NUMA node, or on chosen
 * cores. Immutable.
 *
 * <p>On a machine with several nodes, a thread on the wrong one reaches the GPU and its pinned
 * memory across the link between the sockets, which other traffic shares.
 */
public final class AffinityPolicy {
  private static final AffinityPolicy NONE = new AffinityPolicy("anywhere", null);
  private static final AffinityPolicy GPU_NODE = new AffinityPolicy("the GPU's node", null);

  private final String name;
  private final CpuSet cores;

  private AffinityPolicy(String name, CpuSet cores) {
    this.name = name;
    this.cores = cores;
  }

  /**
   * Threads run wherever the system puts them.
   *
   * @return the policy
   */
  public static AffinityPolicy none() {
    return NONE;
  }

  /**
   * Threads run on the CPUs of the GPU's NUMA node, as far as this process may use them.
   *
   * @return the policy
   */
  public static AffinityPolicy gpuNode() {
    return GPU_NODE;
  }

  /**
   * Threads run on chosen cores, whichever GPU they feed.
   *
   * @param cores the cores, at least one
   * @return the policy
   * @throws IllegalArgumentException if there is no core in the set
   */
  public static AffinityPolicy cores(CpuSet cores) {
    if (cores.isEmpty()) {
      throw new IllegalArgumentException("no core to run on; AffinityPolicy.none() is anywhere");
    }
    return new AffinityPolicy("cores " + cores, cores);
  }

  /**
   * Returns where threads for a GPU run on a machine.
   *
   * @param topology the machine
   * @param gpu the GPU's PCI address, as CUDA or {@code nvidia-smi} write it
   * @return the CPUs; empty for anywhere, which is also the answer for a GPU that is equally near
   *     to all CPUs
   * @throws IllegalArgumentException if a chosen core is not one that this process may use
   */
  public CpuSet cpus(NumaTopology topology, String gpu) {
    Objects.requireNonNull(gpu, "gpu");
    CpuSet usable = topology.cpus();
    if (cores != null) {
      if (!usable.isEmpty() && !usable.containsAll(cores)) {
        throw new IllegalArgumentException(
            "asked for cores " + cores + ", this process may use " + usable);
      }
      return cores;
    }
    CpuSet near = this == GPU_NODE ? topology.cpusOfGpu(gpu) : CpuSet.none();
    return near.equals(usable) ? CpuSet.none() : near;
  }

  /** Returns where threads run, in words. */
  @Override
  public String toString() {
    return name;
  }
}
