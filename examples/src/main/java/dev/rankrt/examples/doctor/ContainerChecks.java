package dev.rankrt.examples.doctor;

import java.text.DecimalFormat;
import java.text.DecimalFormatSymbols;
import java.util.List;
import java.util.Locale;
import java.util.Optional;

/** What may this process take, whatever the machine has? */
final class ContainerChecks {
  private static final Check CPU =
      new Check(
          Group.CONTAINER,
          "cpu",
          "CPU quota",
          "A group that has used up its quota stands still for the rest of 100 ms, spinning and"
              + " collecting threads included.");
  private static final Check MEMORY =
      new Check(
          Group.CONTAINER,
          "memory",
          "memory limit",
          "Heap, pinned memory, CUDA's and TensorRT's own all count; at the limit the kernel kills"
              + " the process.");

  /** What CUDA, TensorRT, the JVM beside its heap, and some sessions take. */
  private static final long TO_SERVE = 3L << 30;

  /** With TensorRT's builder, which makes a process 4.6 GiB larger. */
  private static final long TO_BUILD = 6L << 30;

  private ContainerChecks() {}

  static List<Finding> of(Machine machine) {
    Cgroups groups = new Cgroups(machine.tree());
    Optional<Integer> version = groups.version();
    if (version.isEmpty()) {
      return List.of(CPU.skip("no control groups shown"), MEMORY.skip("no control groups shown"));
    }
    String in = " (cgroup v" + version.get() + ")";
    return List.of(cpu(groups, in), memory(machine, groups, in));
  }

  private static Finding cpu(Cgroups groups, String in) {
    Optional<Double> processors = groups.processors();
    if (processors.isEmpty()) {
      return CPU.ok("none" + in);
    }
    return CPU.warn(
        new DecimalFormat("0.##", DecimalFormatSymbols.getInstance(Locale.ROOT))
                .format(processors.get())
            + " CPUs' time"
            + groups
                .throttledPeriods()
                .map(periods -> ", stopped in " + periods + " periods so far")
                .orElse("")
            + in,
        "whole CPUs in its place: docker run --cpuset-cpus without --cpus; Kubernetes: integer"
            + " requests equal to limits, with the static CPU manager policy; systemd: AllowedCPUs"
            + " without CPUQuota");
  }

  private static Finding memory(Machine machine, Cgroups groups, String in) {
    long heap = machine.jvm().maxHeap();
    Optional<Long> limit = groups.memoryLimit();
    if (limit.isEmpty()) {
      return MEMORY.ok("none" + in);
    }
    String found = Bytes.text(limit.get()) + ", the heap may take " + Bytes.text(heap) + in;
    String fix =
        "docker run --memory (systemd: MemoryMax) of at least "
            + Bytes.text(heap + TO_SERVE)
            + ", where plans are built of "
            + Bytes.text(heap + TO_BUILD)
            + ", or a smaller -Xmx";
    if (heap >= limit.get()) {
      return MEMORY.fail(found, fix);
    }
    long rest = limit.get() - heap;
    if (rest < TO_SERVE) {
      return MEMORY.warn(found + ": " + Bytes.text(rest) + " for the rest", fix);
    }
    Optional<Long> high = groups.memoryHigh().filter(bytes -> bytes < heap + TO_SERVE);
    return high.isPresent()
        ? MEMORY.warn(
            found + ", slowed down from " + Bytes.text(high.get()),
            "systemd: no MemoryHigh, or at least " + Bytes.text(heap + TO_SERVE))
        : MEMORY.ok(found + (rest < TO_BUILD ? ": enough to serve, not to build plans" : ""));
  }
}
