package dev.rankrt.examples.doctor;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/** Which flags of the JVM cost latency? */
final class JvmChecks {
  private static final Check HEAP =
      new Check(
          Group.JVM,
          "heap",
          "heap",
          "A heap that grows does so in a pause; one that does not fit the machine swaps.");
  private static final Check COLLECTOR =
      new Check(
          Group.JVM,
          "collector",
          "collector",
          "RankRT allocates nothing per call, the service around it does; a pause is a late answer"
              + " to everybody.");
  private static final Check PRETOUCH =
      new Check(
          Group.JVM,
          "pretouch",
          "AlwaysPreTouch",
          "Otherwise the heap's pages are fetched from the kernel when they are first used, in some"
              + " call.");
  private static final Check HUGE_PAGES =
      new Check(
          Group.JVM,
          "huge-pages",
          "huge pages for the heap",
          "A large heap in pages of 4 KiB misses the TLB.");
  private static final Check NATIVE_ACCESS =
      new Check(
          Group.JVM,
          "native-access",
          "native access",
          "Java 24 and newer warn about native code that nobody allowed, a later one will refuse"
              + " it.");
  private static final Check JAVACPP =
      new Check(
          Group.JVM,
          "javacpp",
          "JavaCPP's memory limit",
          "A process that is larger than this, pinned memory included, builds and opens no model.");

  private static final String ADVISE_ZGC =
      "echo advise | sudo tee /sys/kernel/mm/transparent_hugepage/shmem_enabled";
  private static final long LONG_PAUSE_MILLIS = 50;

  private final Machine machine;
  private final Jvm jvm;

  private JvmChecks(Machine machine) {
    this.machine = machine;
    this.jvm = machine.jvm();
  }

  static List<Finding> of(Machine machine) {
    JvmChecks checks = new JvmChecks(machine);
    List<Finding> findings = new ArrayList<>();
    findings.add(checks.heap());
    if (checks.jvm.flags().isEmpty()) {
      for (Check check : List.of(COLLECTOR, PRETOUCH, HUGE_PAGES)) {
        findings.add(check.skip("not HotSpot, which tells its flags"));
      }
    } else {
      findings.add(checks.collector());
      findings.add(checks.pretouch());
      findings.add(checks.hugePages());
    }
    findings.add(checks.nativeAccess());
    findings.add(checks.javacpp());
    return findings;
  }

  private Finding heap() {
    String found = "at most " + Bytes.text(jvm.maxHeap());
    Optional<Long> physical =
        machine.tree().number("proc/meminfo", "MemTotal:").map(kib -> kib * 1024);
    if (physical.filter(bytes -> jvm.maxHeap() > bytes).isPresent()) {
      return HEAP.fail(found + ", the machine has " + Bytes.text(physical.get()), "a smaller -Xmx");
    }
    Optional<Long> initial = jvm.number("InitialHeapSize");
    String mebibytes = (jvm.maxHeap() >> 20) + "m";
    // The largest heap is rounded, and one collector does not count a survivor space.
    return initial.filter(bytes -> bytes < jvm.maxHeap() / 10 * 9).isPresent()
        ? HEAP.warn(
            found + ", begins with " + Bytes.text(initial.get()),
            "java -Xms" + mebibytes + " -Xmx" + mebibytes)
        : HEAP.ok(found);
  }

  private Finding collector() {
    if (jvm.on("UseZGC")) {
      return COLLECTOR.ok("ZGC");
    }
    if (jvm.on("UseShenandoahGC")) {
      return COLLECTOR.ok("Shenandoah");
    }
    String fix =
        jvm.feature() >= 21 && jvm.feature() < 23
            ? "java -XX:+UseZGC -XX:+ZGenerational"
            : "java -XX:+UseZGC";
    if (!jvm.on("UseG1GC")) {
      String name = jvm.on("UseSerialGC") ? "Serial" : jvm.on("UseParallelGC") ? "Parallel" : "?";
      return COLLECTOR.warn(name + ", which stops all threads for each collection", fix);
    }
    Optional<Long> target = jvm.number("MaxGCPauseMillis");
    String found =
        "G1" + target.map(millis -> ", pauses of up to " + millis + " ms aimed at").orElse("");
    return target.filter(millis -> millis > LONG_PAUSE_MILLIS).isPresent()
        ? COLLECTOR.warn(found, fix + ", or -XX:MaxGCPauseMillis=10")
        : COLLECTOR.ok(found);
  }

  private Finding pretouch() {
    return jvm.on("AlwaysPreTouch")
        ? PRETOUCH.ok("on")
        : PRETOUCH.warn("off", "java -XX:+AlwaysPreTouch");
  }

  private Finding hugePages() {
    if (jvm.on("UseTransparentHugePages")) {
      return zgcGetsNone()
          ? HUGE_PAGES.warn(
              "none: ZGC's heap is shared memory, for which transparent ones are off", ADVISE_ZGC)
          : HUGE_PAGES.ok("transparent ones");
    }
    return jvm.on("UseLargePages")
        ? HUGE_PAGES.ok("reserved ones")
        : HUGE_PAGES.warn(
            "none",
            (zgcGetsNone() ? ADVISE_ZGC + ", and " : "") + "java -XX:+UseTransparentHugePages");
  }

  /** Shared memory has a setting of its own, which is off by default. */
  private boolean zgcGetsNone() {
    return jvm.on("UseZGC")
        && machine
            .tree()
            .chosen("sys/kernel/mm/transparent_hugepage/shmem_enabled")
            .filter(Set.of("never", "deny")::contains)
            .isPresent();
  }

  private Finding nativeAccess() {
    if (jvm.feature() < 24) {
      return NATIVE_ACCESS.ok("Java " + jvm.feature() + " does not ask");
    }
    return jvm.nativeAccess()
        // The tool's own manifest asks for it, which does nothing for the service.
        ? NATIVE_ACCESS.ok("allowed here; a service needs --enable-native-access=ALL-UNNAMED")
        : NATIVE_ACCESS.warn("not allowed", "java --enable-native-access=ALL-UNNAMED");
  }

  private Finding javacpp() {
    if (jvm.javacppLimit().isPresent()) {
      String limit = jvm.javacppLimit().get();
      return JAVACPP.ok(limit.equals("0") ? "none" : limit + ", as it was set");
    }
    return JAVACPP.ok(
        "none; " + Bytes.text(4 * jvm.maxHeap()) + " where other code used JavaCPP before RankRT");
  }
}
