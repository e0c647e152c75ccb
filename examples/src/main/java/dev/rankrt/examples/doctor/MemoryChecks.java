package dev.rankrt.examples.doctor;

import java.util.List;
import java.util.Optional;

/** Pages: how large, how many may be locked, and may they go to disk? */
final class MemoryChecks {
  private static final Check TRANSPARENT =
      new Check(
          Group.MEMORY,
          "transparent-huge-pages",
          "transparent huge pages",
          "Given to everybody, they make any thread wait while the kernel clears and compacts;"
              + " asked for, they spare the heap's TLB misses.");
  private static final Check EXPLICIT =
      new Check(
          Group.MEMORY,
          "huge-pages",
          "reserved huge pages",
          "Memory that is set aside for them serves nothing else.");
  private static final Check LOCKED =
      new Check(
          Group.MEMORY,
          "memlock",
          "memlock limit",
          "CUDA's pinned memory is not held against it by today's drivers; locked huge pages and"
              + " GPUDirect are, and NVIDIA asks for no limit.");
  private static final Check SWAP =
      new Check(
          Group.MEMORY,
          "swap",
          "swap",
          "A heap page that comes back from disk takes longer than ten calls.");

  private static final long KIB = 1024;
  private static final long ENOUGH_LOCKED = 1L << 30;

  private MemoryChecks() {}

  static List<Finding> of(Machine machine) {
    return List.of(
        transparent(machine), explicit(machine), locked(machine.tree()), swap(machine.tree()));
  }

  private static Finding transparent(Machine machine) {
    Optional<String> mode = machine.tree().chosen("sys/kernel/mm/transparent_hugepage/enabled");
    if (mode.isEmpty()) {
      return TRANSPARENT.skip("not shown");
    }
    String found =
        mode.get()
            + machine
                .tree()
                .chosen("sys/kernel/mm/transparent_hugepage/defrag")
                .map(defrag -> ", defrag " + defrag)
                .orElse("");
    boolean asked = machine.jvm().on("UseTransparentHugePages");
    String madvise =
        "echo madvise | sudo tee /sys/kernel/mm/transparent_hugepage/{enabled,defrag}, and java"
            + " -XX:+UseTransparentHugePages";
    return switch (mode.get()) {
      case "always" -> TRANSPARENT.warn(found, madvise);
      case "never" ->
          asked
              ? TRANSPARENT.warn(found + ": -XX:+UseTransparentHugePages does nothing", madvise)
              : TRANSPARENT.ok(found);
      default -> TRANSPARENT.ok(found);
    };
  }

  private static Finding explicit(Machine machine) {
    Tree tree = machine.tree();
    Optional<Long> pages = tree.number("proc/meminfo", "HugePages_Total:");
    if (pages.isEmpty()) {
      return EXPLICIT.skip("not shown");
    }
    long size = tree.number("proc/meminfo", "Hugepagesize:").orElse(0L) * KIB;
    long free = tree.number("proc/meminfo", "HugePages_Free:").orElse(0L);
    String found =
        pages.get() == 0 ? "none" : pages.get() + " of " + Bytes.text(size) + ", " + free + " free";
    // Asking for transparent ones turns both flags on.
    boolean asked =
        machine.jvm().on("UseLargePages") && !machine.jvm().on("UseTransparentHugePages");
    if (asked && pages.get() * size < machine.jvm().maxHeap()) {
      return EXPLICIT.warn(
          found + "; -XX:+UseLargePages wants " + Bytes.text(machine.jvm().maxHeap()),
          "sudo sysctl vm.nr_hugepages="
              + (machine.jvm().maxHeap() / Math.max(size, 1) + 1)
              + ", or -XX:+UseTransparentHugePages in its place");
    }
    return pages.get() > 0 && pages.get() == free
        ? EXPLICIT.warn(
            found + ": nobody uses them",
            "sudo sysctl vm.nr_hugepages=0, or java -XX:+UseLargePages")
        : EXPLICIT.ok(found);
  }

  private static Finding locked(Tree tree) {
    String key = "Max locked memory";
    if (tree.value("proc/self/limits", key).filter(l -> l.startsWith("unlimited")).isPresent()) {
      return LOCKED.ok("no limit");
    }
    return tree.number("proc/self/limits", key)
        .map(
            limit ->
                limit >= ENOUGH_LOCKED
                    ? LOCKED.ok(Bytes.text(limit))
                    : LOCKED.warn(
                        Bytes.text(limit),
                        "docker run --ulimit memlock=-1; systemd: LimitMEMLOCK=infinity; a login:"
                            + " '* - memlock unlimited' in /etc/security/limits.d"))
        .orElseGet(() -> LOCKED.skip("not shown"));
  }

  private static Finding swap(Tree tree) {
    Optional<Long> total = tree.number("proc/meminfo", "SwapTotal:");
    if (total.isEmpty()) {
      return SWAP.skip("not shown");
    }
    if (total.get() == 0) {
      return SWAP.ok("none");
    }
    String size = Bytes.text(total.get() * KIB);
    if (new Cgroups(tree).swapForbidden()) {
      return SWAP.ok(size + ", which this process may not use");
    }
    Optional<Long> swappiness = tree.number("proc/sys/vm/swappiness");
    String found = size + swappiness.map(value -> ", swappiness " + value).orElse("");
    return swappiness.filter(value -> value <= 1).isPresent()
        ? SWAP.ok(found)
        : SWAP.warn(
            found,
            "sudo swapoff -a, or sudo sysctl vm.swappiness=1; in a container --memory-swap equal to"
                + " --memory");
  }
}
