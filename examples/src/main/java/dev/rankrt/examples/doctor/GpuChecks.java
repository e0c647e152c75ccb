package dev.rankrt.examples.doctor;

import dev.rankrt.examples.gpu.GpuFacts;
import dev.rankrt.examples.gpu.GpuFacts.ComputeMode;
import dev.rankrt.streams.CpuSet;
import dev.rankrt.streams.NumaTopology;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.Function;
import java.util.function.Predicate;

/** How is each GPU set up, and how is it reached? */
final class GpuChecks {
  private static final Check PERSISTENCE =
      new Check(
          Group.GPU,
          "persistence",
          "persistence mode",
          "Without it the driver lets go of an unused GPU, and the next start waits a second or"
              + " more for each.");
  private static final Check ECC =
      new Check(
          Group.GPU,
          "ecc",
          "ECC",
          "Without it a flipped bit is a wrong score that nobody sees; with HBM it costs nothing.");
  private static final Check CLOCKS =
      new Check(
          Group.GPU,
          "clocks",
          "clocks",
          "A GPU that clocks down answers slowly, also the first calls after a pause.");
  private static final Check POWER =
      new Check(
          Group.GPU,
          "power",
          "power limit",
          "Below the default limit the clock falls as soon as there is much to do.");
  private static final Check PCIE =
      new Check(
          Group.GPU,
          "pcie",
          "PCIe link",
          "Inputs and outputs cross it in every call; half the lanes take twice the time.");
  private static final Check MIG =
      new Check(
          Group.GPU,
          "mig",
          "MIG",
          "A process sees one instance, which has a fixed part of the multiprocessors and memory.");
  private static final Check MPS =
      new Check(
          Group.GPU,
          "mps",
          "MPS, compute mode",
          "Processes that share a GPU take turns without MPS; with it they run side by side, and a"
              + " fault in one ends all.");
  private static final Check NUMA =
      new Check(
          Group.GPU,
          "numa",
          "NUMA node",
          "Across the sockets a launch takes longer, and copies go at half speed.");

  private static final long IDLE = 0x1;

  /** The reasons of {@code nvmlClocksThrottleReason} that somebody should look into. */
  private enum Slowdown {
    POWER_CAP(0x4, "power cap"),
    HARDWARE(0x8, "hardware slowdown"),
    THERMAL(0x20, "too hot"),
    HARDWARE_THERMAL(0x40, "far too hot"),
    POWER_BRAKE(0x80, "power brake");

    private final long bit;
    private final String words;

    Slowdown(long bit, String words) {
      this.bit = bit;
      this.words = words;
    }
  }

  private final Machine machine;
  private final List<GpuFacts> gpus;

  private GpuChecks(Machine machine) {
    this.machine = machine;
    this.gpus = machine.gpus();
  }

  static List<Finding> of(Machine machine) {
    GpuChecks checks = new GpuChecks(machine);
    List<Finding> findings = new ArrayList<>();
    List<Check> all = List.of(PERSISTENCE, ECC, CLOCKS, POWER, PCIE, MIG, MPS);
    if (checks.gpus.isEmpty()) {
      String reason = machine.hasGpu() ? "the driver does not answer" : "no GPU";
      all.forEach(check -> findings.add(check.skip(reason)));
    } else {
      findings.add(checks.persistence());
      findings.add(checks.ecc());
      findings.add(checks.clocks());
      findings.add(checks.power());
      findings.add(checks.pcie());
      findings.add(checks.mig());
      findings.add(checks.mps());
    }
    findings.add(checks.numa());
    return findings;
  }

  private Finding persistence() {
    List<GpuFacts> off = with(GpuFacts::persistence, on -> !on);
    if (!off.isEmpty()) {
      return PERSISTENCE.warn(
          "off: " + Gpus.names(off),
          "sudo systemctl enable --now nvidia-persistenced; where there is no such service: sudo"
              + " nvidia-smi -pm 1");
    }
    return known(PERSISTENCE, GpuFacts::persistence, "on");
  }

  private Finding ecc() {
    List<GpuFacts> broken = with(GpuFacts::eccUncorrected, errors -> errors > 0);
    if (!broken.isEmpty()) {
      return ECC.fail(
          "uncorrected errors: "
              + Gpus.each(broken, gpu -> gpu.eccUncorrected().orElseThrow().toString()),
          "stop what uses it, then sudo nvidia-smi --gpu-reset -i "
              + Gpus.numbers(broken)
              + "; replace a GPU where they come back");
    }
    List<GpuFacts> off = with(GpuFacts::ecc, on -> !on);
    if (!off.isEmpty()) {
      return ECC.warn(
          "off: " + Gpus.names(off),
          "sudo nvidia-smi -i " + Gpus.numbers(off) + " -e 1; then reboot");
    }
    List<GpuFacts> ending = with(GpuFacts::eccPending, on -> !on);
    if (!ending.isEmpty()) {
      return ECC.warn(
          "on, off after the next reboot: " + Gpus.names(ending),
          "sudo nvidia-smi -i " + Gpus.numbers(ending) + " -e 1");
    }
    return known(ECC, GpuFacts::ecc, "on, no uncorrected errors");
  }

  private Finding clocks() {
    List<GpuFacts> slowed = with(GpuFacts::slowdowns, bits -> !slowdowns(bits).isEmpty());
    if (!slowed.isEmpty()) {
      return CLOCKS.warn(
          "held back: "
              + Gpus.each(
                  slowed, gpu -> clock(gpu) + ", " + slowdowns(gpu.slowdowns().orElseThrow())),
          "nvidia-smi -q -d PERFORMANCE,TEMPERATURE,POWER; then mind cooling and power supply");
    }
    List<GpuFacts> low =
        gpus.stream()
            .filter(
                gpu ->
                    gpu.smClockMhz()
                        .flatMap(now -> gpu.smClockMaxMhz().map(max -> now < max / 2))
                        .orElse(false))
            .toList();
    if (!low.isEmpty()) {
      return CLOCKS.warn(
          "low: " + Gpus.each(low, gpu -> clock(gpu) + (idle(gpu) ? ", idle" : "")),
          "sudo nvidia-smi -i "
              + Gpus.numbers(low)
              + " -lgc "
              + low.get(0).smClockMaxMhz().orElseThrow()
              + ", which also keeps an idle GPU awake; back with -rgc");
    }
    return gpus.stream().anyMatch(gpu -> gpu.smClockMhz().isPresent())
        ? CLOCKS.ok(Gpus.each(gpus, GpuChecks::clock))
        : CLOCKS.skip("the driver does not tell");
  }

  private static String clock(GpuFacts gpu) {
    return shown(gpu.smClockMhz()) + " of " + shown(gpu.smClockMaxMhz()) + " MHz";
  }

  private static List<String> slowdowns(long bits) {
    List<String> words = new ArrayList<>();
    for (Slowdown slowdown : Slowdown.values()) {
      if ((bits & slowdown.bit) != 0) {
        words.add(slowdown.words);
      }
    }
    return words;
  }

  private static boolean idle(GpuFacts gpu) {
    return gpu.slowdowns().filter(bits -> (bits & IDLE) != 0).isPresent();
  }

  private Finding power() {
    List<GpuFacts> limited =
        gpus.stream()
            .filter(
                gpu ->
                    gpu.powerLimitWatts()
                        .flatMap(limit -> gpu.powerDefaultWatts().map(usual -> limit < usual))
                        .orElse(false))
            .toList();
    if (!limited.isEmpty()) {
      return POWER.warn(
          "below the default: "
              + Gpus.each(
                  limited,
                  gpu -> watts(gpu.powerLimitWatts()) + " of " + watts(gpu.powerDefaultWatts())),
          String.format(
              Locale.ROOT,
              "sudo nvidia-smi -i %s -pl %.0f",
              Gpus.numbers(limited),
              limited.get(0).powerDefaultWatts().orElseThrow()));
    }
    return gpus.stream().anyMatch(gpu -> gpu.powerLimitWatts().isPresent())
        ? POWER.ok(Gpus.each(gpus, gpu -> watts(gpu.powerLimitWatts())))
        : POWER.skip("the driver does not tell");
  }

  private Finding pcie() {
    List<GpuFacts> narrow =
        gpus.stream().filter(gpu -> less(gpu.pcieLanes(), gpu.pcieLanesMax())).toList();
    String look = "sudo lspci -vv -s " + gpus.get(0).pciAddress() + " | grep -E 'LnkCap|LnkSta'";
    if (!narrow.isEmpty()) {
      return PCIE.warn(
          "fewer lanes than it has: " + Gpus.each(narrow, GpuChecks::link),
          look + "; reseat the card, and mind the slot's lanes in the firmware's settings");
    }
    // An idle link slows down, and says nothing about one that is used.
    List<GpuFacts> slow =
        gpus.stream()
            .filter(gpu -> less(gpu.pcieGeneration(), gpu.pcieGenerationMax()) && !idle(gpu))
            .toList();
    if (!slow.isEmpty()) {
      return PCIE.warn(
          "slower than it could be: " + Gpus.each(slow, GpuChecks::link),
          look + "; mind the slot's speed in the firmware's settings");
    }
    return gpus.stream().anyMatch(gpu -> gpu.pcieLanes().isPresent())
        ? PCIE.ok(Gpus.each(gpus, GpuChecks::link))
        : PCIE.skip("the driver does not tell");
  }

  private static boolean less(Optional<Integer> now, Optional<Integer> max) {
    return now.flatMap(n -> max.map(m -> n < m)).orElse(false);
  }

  private static String link(GpuFacts gpu) {
    return "generation "
        + shown(gpu.pcieGeneration())
        + " of "
        + shown(gpu.pcieGenerationMax())
        + (idle(gpu) ? " (idle)" : "")
        + ", "
        + shown(gpu.pcieLanes())
        + " of "
        + shown(gpu.pcieLanesMax())
        + " lanes";
  }

  private Finding mig() {
    List<GpuFacts> cut = with(GpuFacts::mig, on -> on);
    if (!cut.isEmpty()) {
      return MIG.warn(
          "on: " + Gpus.names(cut),
          "nvidia-smi -L lists the instances; where a process should have all of the GPU: sudo"
              + " nvidia-smi -i "
              + Gpus.numbers(cut)
              + " -mig 0");
    }
    return known(MIG, GpuFacts::mig, "off");
  }

  private Finding mps() {
    boolean running = mpsRunning();
    List<GpuFacts> closed = with(GpuFacts::computeMode, ComputeMode.PROHIBITED::equals);
    if (!closed.isEmpty()) {
      return MPS.fail(
          "no process may compute: " + Gpus.names(closed),
          "sudo nvidia-smi -i " + Gpus.numbers(closed) + " -c DEFAULT");
    }
    List<GpuFacts> exclusive = with(GpuFacts::computeMode, ComputeMode.EXCLUSIVE_PROCESS::equals);
    if (!exclusive.isEmpty() && !running) {
      return MPS.warn(
          "one process at a time, and no MPS: " + Gpus.names(exclusive),
          "sudo nvidia-smi -i "
              + Gpus.numbers(exclusive)
              + " -c DEFAULT, or nvidia-cuda-mps-control -d for several processes");
    }
    Optional<String> share = machine.environment("CUDA_MPS_ACTIVE_THREAD_PERCENTAGE");
    if (running && share.isPresent() && !share.get().equals("100")) {
      return MPS.warn(
          "MPS is running, and gives this process " + share.get() + " % of the GPU",
          "unset CUDA_MPS_ACTIVE_THREAD_PERCENTAGE");
    }
    return MPS.ok(running ? "MPS is running" : "no MPS, open to all processes");
  }

  /** The daemon's pipe is seen by its clients; its process only outside of a container. */
  private boolean mpsRunning() {
    Tree tree = machine.tree();
    String pipes = machine.environment("CUDA_MPS_PIPE_DIRECTORY").orElse("/tmp/nvidia-mps");
    return tree.exists(pipes.replaceFirst("^/+", "") + "/control")
        || tree.list("proc").stream()
            .filter(name -> name.matches("[0-9]+"))
            .anyMatch(
                // cut at 15 characters by the kernel
                pid -> tree.text("proc/" + pid + "/comm").equals(Optional.of("nvidia-cuda-mps")));
  }

  // ---- Where it is ---------------------------------------------------------------------------

  private Finding numa() {
    NumaTopology topology = machine.topology();
    List<String> addresses =
        gpus.isEmpty()
            ? List.copyOf(topology.gpus())
            : gpus.stream().map(GpuFacts::pciAddress).toList();
    if (addresses.isEmpty()) {
      return NUMA.skip("no GPU");
    }
    if (topology.nodes().size() < 2) {
      return NUMA.ok("the machine has one node");
    }
    CpuSet mine = topology.cpus();
    Set<Integer> nodes = new TreeSet<>();
    for (String address : addresses) {
      OptionalInt node = topology.nodeOfGpu(address);
      if (node.isEmpty()) {
        return NUMA.warn(
            "the system does not say which node " + address + " is near to",
            "nvidia-smi topo -m; in a virtual machine, hand the node's number on");
      }
      nodes.add(node.getAsInt());
      if (topology.cpusOfNode(node.getAsInt()).isEmpty()) {
        return NUMA.warn(
            address
                + " is on node "
                + node.getAsInt()
                + ", where this process may not run: "
                + mine,
            bind(node.getAsInt()));
      }
    }
    String found = String.join(", ", addresses) + " on node " + join(nodes);
    int first = nodes.iterator().next();
    if (topology.cpusOfNode(first).size() < mine.size()) {
      return NUMA.warn(found + ", this process may run on CPUs " + mine, bind(first));
    }
    return NUMA.ok(found + ", as is this process");
  }

  private static String bind(int node) {
    return String.format(
        "a process for each node: numactl --cpunodebind=%d --membind=%d java ..., in a container"
            + " --cpuset-cpus and --cpuset-mems; or threads of RankRT's AffinityThreadFactory",
        node, node);
  }

  private static String join(Set<Integer> nodes) {
    return String.join(",", nodes.stream().map(String::valueOf).toList());
  }

  // ---- Words ---------------------------------------------------------------------------------

  private <T> List<GpuFacts> with(Function<GpuFacts, Optional<T>> fact, Predicate<T> wanted) {
    return gpus.stream().filter(gpu -> fact.apply(gpu).filter(wanted).isPresent()).toList();
  }

  private <T> Finding known(Check check, Function<GpuFacts, Optional<T>> fact, String found) {
    List<GpuFacts> known = with(fact, value -> true);
    if (known.isEmpty()) {
      return check.skip("these GPUs have none, or the driver does not tell");
    }
    return check.ok(known.size() == gpus.size() ? found : found + ": " + Gpus.names(known));
  }

  private static String shown(Optional<Integer> number) {
    return number.map(String::valueOf).orElse("?");
  }

  private static String watts(Optional<Double> watts) {
    return watts.map(w -> String.format(Locale.ROOT, "%.0f W", w)).orElse("? W");
  }
}
