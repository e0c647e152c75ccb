package dev.rankrt.streams;

import java.nio.file.Path;
import java.util.Collections;
import java.util.List;
import java.util.Locale;
import java.util.NavigableMap;
import java.util.NavigableSet;
import java.util.Objects;
import java.util.OptionalInt;
import java.util.SortedSet;
import java.util.TreeMap;

/**
 * The machine's NUMA nodes, the CPUs and the NVIDIA GPUs of each, cut down to the CPUs that this
 * process may use. Immutable: a snapshot of the moment it was read.
 *
 * <p>It is read from Linux' {@code /sys} and {@code /proc}. Reading never fails: where a file is
 * missing or odd (a container that hides {@code /sys}, a laptop, another operating system) the
 * topology holds what could be read, and {@link #notes} says in words what could not.
 */
public final class NumaTopology {
  private final CpuSet usable;
  private final NavigableMap<Integer, CpuSet> nodes;
  private final NavigableMap<String, Gpu> gpus;
  private final List<String> notes;

  /** Where a GPU is: its node if known, and the CPUs that are best for it. */
  record Gpu(OptionalInt node, CpuSet cpus) {}

  NumaTopology(
      CpuSet usable,
      NavigableMap<Integer, CpuSet> nodes,
      NavigableMap<String, Gpu> gpus,
      List<String> notes) {
    this.usable = usable;
    this.nodes = new TreeMap<>(nodes);
    this.gpus = new TreeMap<>(gpus);
    this.notes = List.copyOf(notes);
  }

  /**
   * Reads the topology of this machine.
   *
   * @return what is there now
   */
  public static NumaTopology system() {
    return read(Path.of("/"));
  }

  /**
   * Reads a topology from a folder that holds {@code sys} and {@code proc}, such as a recording of
   * another machine.
   *
   * @param root the folder
   * @return what is recorded there
   */
  public static NumaTopology read(Path root) {
    return new SysfsTopology(Objects.requireNonNull(root, "root")).read();
  }

  /**
   * Returns the CPUs that this process may use: those that are online, in its affinity mask and in
   * its control group's cpuset.
   *
   * @return the CPUs; empty only where nothing at all could be read
   */
  public CpuSet cpus() {
    return usable;
  }

  /**
   * Returns the machine's NUMA nodes, those without a usable CPU included.
   *
   * @return their numbers, ascending and unmodifiable
   */
  public SortedSet<Integer> nodes() {
    return unmodifiable(nodes.navigableKeySet());
  }

  /**
   * Returns the CPUs of a node that this process may use.
   *
   * @param node the node's number
   * @return the CPUs, perhaps none
   * @throws IllegalArgumentException if there is no such node
   */
  public CpuSet cpusOfNode(int node) {
    CpuSet cpus = nodes.get(node);
    if (cpus == null) {
      throw new IllegalArgumentException("no NUMA node " + node + ", there are " + nodes.keySet());
    }
    return cpus;
  }

  /**
   * Returns the PCI addresses of the NVIDIA GPUs that the system shows, which may be more than CUDA
   * shows to this process.
   *
   * @return such as {@code 0000:3b:00.0}, ascending and unmodifiable
   */
  public SortedSet<String> gpus() {
    return unmodifiable(gpus.navigableKeySet());
  }

  /**
   * Returns the node that a GPU is attached to.
   *
   * @param gpu the GPU's PCI address, as CUDA or {@code nvidia-smi} write it
   * @return the node's number; empty if the GPU is not listed, or its node is not known
   */
  public OptionalInt nodeOfGpu(String gpu) {
    Gpu found = gpus.get(canonicalAddress(gpu));
    return found == null ? OptionalInt.empty() : found.node();
  }

  /**
   * Returns the CPUs from which a GPU is best reached: those of its node, else those that the
   * system calls local to it, else all that this process may use. So it is for a GPU that is not
   * listed, and where the process may use none of the CPUs that are near.
   *
   * @param gpu the GPU's PCI address, as CUDA or {@code nvidia-smi} write it
   * @return the CPUs; empty only where {@link #cpus} is
   */
  public CpuSet cpusOfGpu(String gpu) {
    Gpu found = gpus.get(canonicalAddress(gpu));
    return found == null ? usable : found.cpus();
  }

  /**
   * Returns what could not be read or was not as expected, and what was assumed instead.
   *
   * @return sentences for a log; empty where everything was as expected
   */
  public List<String> notes() {
    return notes;
  }

  /** Returns an address as sysfs writes it; {@code nvidia-smi} writes a domain of eight digits. */
  static String canonicalAddress(String address) {
    String lower = Objects.requireNonNull(address, "address").strip().toLowerCase(Locale.ROOT);
    return lower.matches("0000[0-9a-f]{4}:.*") ? lower.substring(4) : lower;
  }

  private static <T> SortedSet<T> unmodifiable(NavigableSet<T> set) {
    return Collections.unmodifiableSortedSet(set);
  }

  /** Returns the nodes and the GPUs in one line, for logs. */
  @Override
  public String toString() {
    StringBuilder text = new StringBuilder("usable CPUs ").append(usable);
    nodes.forEach((node, cpus) -> text.append("; node ").append(node).append(": ").append(cpus));
    gpus.forEach(
        (address, gpu) -> {
          text.append("; GPU ").append(address).append(": ");
          gpu.node().ifPresent(node -> text.append("node ").append(node).append(", "));
          text.append("CPUs ").append(gpu.cpus());
        });
    return text.toString();
  }
}
