package dev.rankrt.examples.doctor;

import com.sun.management.HotSpotDiagnosticMXBean;
import java.lang.management.ManagementFactory;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;

/**
 * A Java virtual machine and how it was started.
 *
 * @param feature such as 17
 * @param maxHeap the most bytes that its heap may have
 * @param flags what HotSpot says of its flags; other machines say nothing
 * @param nativeAccess whether the class path may call native code without a warning
 * @param javacppLimit {@code org.bytedeco.javacpp.maxPhysicalBytes}, as it was set
 */
record Jvm(
    int feature,
    long maxHeap,
    Map<String, String> flags,
    boolean nativeAccess,
    Optional<String> javacppLimit) {

  private static final String[] FLAGS = {
    "AlwaysPreTouch",
    "InitialHeapSize",
    "MaxGCPauseMillis",
    "UseG1GC",
    "UseLargePages",
    "UseParallelGC",
    "UseSerialGC",
    "UseShenandoahGC",
    "UseTransparentHugePages",
    "UseZGC"
  };

  Jvm {
    flags = Map.copyOf(flags);
  }

  /** Returns the one that runs this. */
  static Jvm running() {
    HotSpotDiagnosticMXBean hotSpot =
        ManagementFactory.getPlatformMXBean(HotSpotDiagnosticMXBean.class);
    Map<String, String> flags = new TreeMap<>();
    for (String flag : FLAGS) {
      try {
        flags.put(flag, hotSpot.getVMOption(flag).getValue());
      } catch (IllegalArgumentException e) {
        // This build has no such flag.
      }
    }
    return new Jvm(
        Runtime.version().feature(),
        Runtime.getRuntime().maxMemory(),
        flags,
        mayCallNativeCode(),
        Optional.ofNullable(System.getProperty("org.bytedeco.javacpp.maxPhysicalBytes")));
  }

  boolean on(String flag) {
    return "true".equals(flags.get(flag));
  }

  Optional<Long> number(String flag) {
    return Optional.ofNullable(flags.get(flag)).map(Long::valueOf);
  }

  /** Java 22 and newer know; those before do not ask. */
  private static boolean mayCallNativeCode() {
    try {
      return (boolean)
          Module.class.getMethod("isNativeAccessEnabled").invoke(Jvm.class.getModule());
    } catch (ReflectiveOperationException e) {
      return true;
    }
  }
}
