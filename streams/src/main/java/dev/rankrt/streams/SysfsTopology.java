package dev.rankrt.streams;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.DirectoryIteratorException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.NavigableMap;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Reads a {@link NumaTopology} from {@code /sys} and {@code /proc}. One thread, one reading. */
final class SysfsTopology {
  private static final String NODES = "sys/devices/system/node";
  private static final String PCI = "sys/bus/pci/devices";
  private static final String CGROUPS = "sys/fs/cgroup";
  private static final Pattern NODE = Pattern.compile("node([0-9]{1,5})");
  private static final String NVIDIA = "0x10de";

  /** PCI's base class of display controllers: 0x0300 is a card with outputs, 0x0302 one without. */
  private static final String DISPLAY = "0x03";

  private final Path root;
  private final List<String> notes = new ArrayList<>();

  SysfsTopology(Path root) {
    this.root = root;
  }

  NumaTopology read() {
    NavigableMap<Integer, CpuSet> all = readNodes();
    CpuSet usable = readUsable(all);
    NavigableMap<Integer, CpuSet> nodes = new TreeMap<>();
    all.forEach((node, cpus) -> nodes.put(node, cpus.intersect(usable)));
    if (nodes.isEmpty()) {
      notes.add("no NUMA node under /" + NODES + ": taken for one node");
      all.put(0, usable);
      nodes.put(0, usable);
    }
    return new NumaTopology(usable, nodes, readGpus(all, usable), notes);
  }

  private NavigableMap<Integer, CpuSet> readNodes() {
    NavigableMap<Integer, CpuSet> nodes = new TreeMap<>();
    for (Path folder : list(NODES)) {
      Matcher node = NODE.matcher(folder.getFileName().toString());
      if (node.matches()) {
        // A node that holds memory alone, such as a CXL expander, has an empty list.
        Optional<CpuSet> cpus = readCpus(folder.resolve("cpulist"));
        if (cpus.isEmpty()) {
          notes.add("no CPUs known of " + shown(folder));
        }
        nodes.put(Integer.valueOf(node.group(1)), cpus.orElse(CpuSet.none()));
      }
    }
    return nodes;
  }

  // ---- What this process may use -------------------------------------------------------------

  private CpuSet readUsable(NavigableMap<Integer, CpuSet> nodes) {
    CpuSet usable = readCpus(root.resolve("sys/devices/system/cpu/online")).orElse(CpuSet.none());
    if (usable.isEmpty()) {
      usable = nodes.values().stream().reduce(CpuSet.none(), CpuSet::union);
    }
    Optional<CpuSet> mask = readAffinityMask();
    if (mask.isEmpty()) {
      notes.add("no affinity mask in /proc/self/status: taken for no limit");
    }
    usable = narrow(usable, mask, "the affinity mask");
    return narrow(usable, readCpuset(), "the control group's cpuset");
  }

  /** A limit that would leave nothing cannot be right, since this process is running somewhere. */
  private CpuSet narrow(CpuSet usable, Optional<CpuSet> limit, String what) {
    if (limit.isEmpty() || limit.get().isEmpty()) {
      return usable;
    }
    if (usable.isEmpty()) {
      return limit.get();
    }
    CpuSet narrowed = usable.intersect(limit.get());
    if (narrowed.isEmpty()) {
      notes.add(what + " " + limit.get() + " shares no CPU with " + usable + ": not applied");
      return usable;
    }
    return narrowed;
  }

  private Optional<CpuSet> readAffinityMask() {
    String key = "Cpus_allowed_list:";
    for (String line : readLines(root.resolve("proc/self/status"))) {
      if (line.startsWith(key)) {
        return parse(line.substring(key.length()), "/proc/self/status");
      }
    }
    return Optional.empty();
  }

  /**
   * The cpuset of version 2 of control groups, else of version 1. The process' own group may lack
   * the file (its parent did not hand the controller on), or may not be visible (a container sees
   * its own group as the root, under the path that it has on the host): the nearest visible
   * ancestor is the one that counts.
   */
  private Optional<CpuSet> readCpuset() {
    Map<String, String> paths = new HashMap<>();
    for (String line : readLines(root.resolve("proc/self/cgroup"))) {
      // number:controllers:path, with no controllers in version 2
      String[] parts = line.split(":", 3);
      if (parts.length == 3) {
        for (String controller : parts[1].split(",", -1)) {
          paths.put(controller, parts[2]);
        }
      }
    }
    Path version2 = root.resolve(CGROUPS);
    Path version1 = version2.resolve("cpuset");
    return nearest(version2, paths.get(""), "cpuset.cpus.effective")
        .or(() -> nearest(version1, paths.get("cpuset"), "cpuset.effective_cpus"))
        .or(() -> nearest(version1, paths.get("cpuset"), "cpuset.cpus"));
  }

  private Optional<CpuSet> nearest(Path mount, String path, String file) {
    Path base = mount.normalize();
    Path group = base;
    if (path != null) {
      try {
        Path asked = base.resolve(path.replaceFirst("^/+", "")).normalize();
        // A group outside of the container's namespace reads as /../..
        group = asked.startsWith(base) ? asked : base;
      } catch (InvalidPathException e) {
        notes.add("not a path, in /proc/self/cgroup: " + path);
      }
    }
    for (; group != null && group.startsWith(base); group = group.getParent()) {
      Optional<CpuSet> cpus = readCpus(group.resolve(file));
      if (cpus.isPresent()) {
        return cpus;
      }
    }
    return Optional.empty();
  }

  // ---- GPUs ----------------------------------------------------------------------------------

  private NavigableMap<String, NumaTopology.Gpu> readGpus(
      NavigableMap<Integer, CpuSet> nodes, CpuSet usable) {
    NavigableMap<String, NumaTopology.Gpu> gpus = new TreeMap<>();
    for (Path device : list(PCI)) {
      if (readText(device.resolve("vendor")).filter(NVIDIA::equals).isPresent()
          && readText(device.resolve("class")).filter(c -> c.startsWith(DISPLAY)).isPresent()) {
        String address = NumaTopology.canonicalAddress(device.getFileName().toString());
        gpus.put(address, readGpu(address, device, nodes, usable));
      }
    }
    return gpus;
  }

  private NumaTopology.Gpu readGpu(
      String address, Path device, NavigableMap<Integer, CpuSet> nodes, CpuSet usable) {
    OptionalInt node = readNode(device, nodes);
    Optional<CpuSet> local = readCpus(device.resolve("local_cpulist")).filter(c -> !c.isEmpty());
    CpuSet near = node.isPresent() ? nodes.get(node.getAsInt()) : CpuSet.none();
    if (near.isEmpty()) {
      near = local.orElse(usable);
      notes.add(
          "GPU "
              + address
              + " does not say a node that has CPUs: "
              + (local.isPresent() ? "its local CPUs are " + near : "taken for near to all CPUs"));
      if (node.isEmpty()) {
        node = onlyNodeAround(near, nodes);
      }
    }
    CpuSet cpus = near.intersect(usable);
    if (cpus.isEmpty()) {
      notes.add("GPU " + address + " is near to CPUs " + near + ", this process may use " + usable);
      cpus = usable;
    }
    return new NumaTopology.Gpu(node, cpus);
  }

  private OptionalInt readNode(Path device, NavigableMap<Integer, CpuSet> nodes) {
    try {
      // -1 where the firmware does not say, as in most virtual machines.
      int node = Integer.parseInt(readText(device.resolve("numa_node")).orElse("-1"));
      return nodes.containsKey(node) ? OptionalInt.of(node) : OptionalInt.empty();
    } catch (NumberFormatException e) {
      return OptionalInt.empty();
    }
  }

  private static OptionalInt onlyNodeAround(CpuSet cpus, NavigableMap<Integer, CpuSet> nodes) {
    return cpus.isEmpty()
        ? OptionalInt.empty()
        : nodes.entrySet().stream()
            .filter(node -> node.getValue().containsAll(cpus))
            .mapToInt(node -> node.getKey())
            .findFirst();
  }

  // ---- Files ---------------------------------------------------------------------------------

  private List<Path> list(String folder) {
    List<Path> entries = new ArrayList<>();
    try (DirectoryStream<Path> stream = Files.newDirectoryStream(root.resolve(folder))) {
      stream.forEach(entries::add);
    } catch (IOException | DirectoryIteratorException e) {
      notes.add("cannot list /" + folder + ": " + e.getClass().getSimpleName());
    }
    entries.sort(null);
    return entries;
  }

  private Optional<CpuSet> readCpus(Path file) {
    return readText(file).flatMap(text -> parse(text, shown(file)));
  }

  private Optional<CpuSet> parse(String cpulist, String where) {
    try {
      return Optional.of(CpuSet.parse(cpulist));
    } catch (IllegalArgumentException e) {
      notes.add(where + ": " + e.getMessage());
      return Optional.empty();
    }
  }

  private List<String> readLines(Path file) {
    return readText(file).map(text -> text.lines().toList()).orElse(List.of());
  }

  /** Missing files are ordinary, and whoever asked says what that means. */
  private static Optional<String> readText(Path file) {
    try {
      // Every byte is a character in Latin-1, so that no content can fail to decode.
      return Optional.of(new String(Files.readAllBytes(file), StandardCharsets.ISO_8859_1).strip());
    } catch (IOException e) {
      return Optional.empty();
    }
  }

  private String shown(Path file) {
    return "/" + root.relativize(file);
  }
}
