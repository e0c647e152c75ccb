package dev.rankrt.examples.doctor;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.function.Function;
import java.util.stream.Stream;

/**
 * The limits of this process's control groups, version 1 or 2.
 *
 * <p>A limit holds for everything below it, so the smallest from the process's own group up to the
 * visible root counts. In a container the path in {@code /proc/self/cgroup} may be the host's, with
 * only its end, or nothing of it, to be seen: what is not there is passed over.
 */
final class Cgroups {
  private static final String MOUNT = "sys/fs/cgroup";

  /** Version 1 says "no limit" with the largest multiple of the page size. */
  private static final long UNLIMITED = Long.MAX_VALUE >> 1;

  private final Tree tree;
  private final boolean version2;
  private final Map<String, String> paths = new TreeMap<>();

  Cgroups(Tree tree) {
    this.tree = tree;
    this.version2 = tree.exists(MOUNT + "/cgroup.controllers");
    for (String line : tree.lines("proc/self/cgroup")) {
      // number:controllers:path, with no controllers in version 2
      String[] parts = line.split(":", 3);
      if (parts.length == 3) {
        for (String controller : parts[1].split(",", -1)) {
          paths.put(controller, parts[2]);
        }
      }
    }
  }

  /** Returns 1 or 2, or nothing where no control groups are mounted. */
  Optional<Integer> version() {
    if (version2) {
      return Optional.of(2);
    }
    return tree.exists(MOUNT + "/memory") || tree.exists(MOUNT + "/cpu")
        ? Optional.of(1)
        : Optional.empty();
  }

  /** Returns how many processors' worth of time the process may use. */
  Optional<Double> processors() {
    return smallest("cpu", this::quota);
  }

  private Optional<Double> quota(String group) {
    if (!version2) {
      Optional<Long> quota = tree.number(group + "/cpu.cfs_quota_us").filter(us -> us > 0);
      Optional<Long> period = tree.number(group + "/cpu.cfs_period_us").filter(us -> us > 0);
      return quota.flatMap(used -> period.map(of -> (double) used / of));
    }
    String[] quotaAndPeriod = tree.text(group + "/cpu.max").orElse("max").split("\\s+", 2);
    try {
      return quotaAndPeriod.length == 2 && !quotaAndPeriod[0].equals("max")
          ? Optional.of(Double.parseDouble(quotaAndPeriod[0]) / Long.parseLong(quotaAndPeriod[1]))
          : Optional.empty();
    } catch (NumberFormatException e) {
      return Optional.empty();
    }
  }

  /** Returns in how many periods the process's group has been stopped. */
  Optional<Long> throttledPeriods() {
    return groups("cpu")
        .flatMap(group -> tree.number(group + "/cpu.stat", "nr_throttled ").stream())
        .findFirst();
  }

  /** Returns how many bytes the process and its neighbours may have before one is killed. */
  Optional<Long> memoryLimit() {
    String file = version2 ? "/memory.max" : "/memory.limit_in_bytes";
    return smallest(
        "memory", group -> tree.number(group + file).filter(limit -> limit < UNLIMITED));
  }

  /** Returns how many bytes they may have before they are slowed down. */
  Optional<Long> memoryHigh() {
    return smallest("memory", group -> tree.number(group + "/memory.high"));
  }

  /** Tells whether the group may not swap, whatever the machine does. */
  boolean swapForbidden() {
    return version2
        && groups("memory")
            .anyMatch(group -> tree.number(group + "/memory.swap.max").equals(Optional.of(0L)));
  }

  private <T extends Comparable<T>> Optional<T> smallest(
      String controller, Function<String, Optional<T>> limit) {
    return groups(controller)
        .flatMap(group -> limit.apply(group).stream())
        .min(Comparator.naturalOrder());
  }

  /** Returns the process's group and those around it, outwards. */
  private Stream<String> groups(String controller) {
    String mount = version2 ? MOUNT : MOUNT + "/" + controller;
    String path = paths.getOrDefault(version2 ? "" : controller, "/");
    List<String> groups = new ArrayList<>();
    // A group outside of the container's namespace reads as /../..
    while (!path.contains("..") && path.length() > 1) {
      groups.add(mount + path);
      path = path.substring(0, path.lastIndexOf('/'));
    }
    groups.add(mount);
    return groups.stream();
  }
}
