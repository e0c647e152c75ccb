package dev.rankrt.streams;

import java.util.Locale;
import java.util.Optional;

/** Binds the calling thread to CPUs, if it can. Safe for use by several threads. */
interface Affinity {
  /**
   * Binds the calling thread. Never throws: where threads run is a matter of speed alone.
   *
   * @param cpus at least one CPU
   * @return nothing, or why the thread is not bound
   */
  Optional<String> bind(CpuSet cpus);

  /**
   * Returns the way that works here.
   *
   * <p>JNA, called directly, was chosen over OpenHFT's Affinity, which makes the same system call
   * through the same JNA: it adds two jars and an old JNA to the one that is needed, reads the
   * machine's layout into static state, and has no module name that a published module could
   * require. The call itself is one line.
   */
  static Affinity system() {
    String system = System.getProperty("os.name", "an unknown system");
    if (!system.toLowerCase(Locale.ROOT).startsWith("linux")) {
      return new NoAffinity("binding is not supported on " + system);
    }
    try {
      return new SchedAffinity();
    } catch (NoClassDefFoundError e) {
      return new NoAffinity(
          "JNA is missing, add net.java.dev.jna:jna (and --add-modules com.sun.jna in a modular"
              + " application)");
    } catch (RuntimeException | LinkageError e) {
      return new NoAffinity("JNA does not work here: " + e);
    }
  }
}
