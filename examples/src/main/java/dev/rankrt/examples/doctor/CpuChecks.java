package dev.rankrt.examples.doctor;

import dev.rankrt.streams.NumaTopology;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/** Do the processors run at full speed, and does the kernel leave memory where it is? */
final class CpuChecks {
  private static final Check GOVERNOR =
      new Check(
          Group.CPU,
          "governor",
          "frequency governor",
          "A core that has clocked down while it waited launches the next call late.");
  private static final Check BALANCING =
      new Check(
          Group.CPU,
          "numa-balancing",
          "NUMA balancing",
          "The kernel unmaps pages to see who uses them, and moves them: page faults in any call.");

  private static final String TUNED =
      "RHEL: sudo tuned-adm profile latency-performance; elsewhere: sudo cpupower frequency-set -g"
          + " performance";

  private CpuChecks() {}

  static List<Finding> of(Machine machine) {
    return List.of(governor(machine), balancing(machine));
  }

  private static Finding governor(Machine machine) {
    Map<String, Integer> cpusOf = new TreeMap<>();
    machine.topology().cpus().stream()
        .forEach(
            cpu ->
                machine
                    .tree()
                    .text("sys/devices/system/cpu/cpu" + cpu + "/cpufreq/scaling_governor")
                    .ifPresent(governor -> cpusOf.merge(governor, 1, Integer::sum)));
    if (cpusOf.isEmpty()) {
      return GOVERNOR.skip("not shown: a virtual machine, or a container that hides it");
    }
    StringBuilder found = new StringBuilder();
    cpusOf.forEach(
        (governor, cpus) ->
            found
                .append(found.isEmpty() ? "" : ", ")
                .append(governor)
                .append(" on ")
                .append(cpus)
                .append(cpus == 1 ? " CPU" : " CPUs"));
    return cpusOf.keySet().stream().allMatch("performance"::equals)
        ? GOVERNOR.ok(found.toString())
        : GOVERNOR.warn(found.toString(), TUNED);
  }

  private static Finding balancing(Machine machine) {
    NumaTopology topology = machine.topology();
    if (topology.nodes().size() < 2) {
      return BALANCING.ok("the machine has one node");
    }
    return machine
        .tree()
        .number("proc/sys/kernel/numa_balancing")
        .map(
            on ->
                on == 0
                    ? BALANCING.ok("off")
                    : BALANCING.warn("on", "sudo sysctl kernel.numa_balancing=0"))
        .orElseGet(() -> BALANCING.skip("not shown"));
  }
}
