package dev.rankrt.natives.internal;

import dev.rankrt.natives.NativeLoadException;
import java.util.Locale;
import java.util.Optional;
import org.bytedeco.javacpp.Pointer;

/**
 * JavaCPP's limit on the resident memory of the whole process, beyond which it makes no object that
 * owns memory. Safe for use by several threads.
 *
 * <p>By default it is four times the heap's, so that the collector frees what Java objects own
 * before there is too much of it. TensorRT's memory belongs to none: its builder alone takes some
 * five gigabytes, and with a heap of one no model could be built, though a build makes but a few
 * small objects.
 */
public final class MemoryLimit {
  private static final String PROPERTY = "org.bytedeco.javacpp.maxPhysicalBytes";

  private MemoryLimit() {}

  /**
   * Initialises JavaCPP without the limit, unless the host has set one, or was first. How much
   * memory Java objects may own stays limited as before.
   */
  static void lift() {
    for (String name : new String[] {PROPERTY, PROPERTY.toLowerCase(Locale.ROOT)}) {
      if (System.getProperty(name) != null) {
        return;
      }
    }
    System.setProperty(PROPERTY, "0");
    try {
      Pointer.maxPhysicalBytes(); // JavaCPP reads the property once
    } finally {
      System.clearProperty(PROPERTY);
    }
  }

  /** Returns what to tell of an error, if it is JavaCPP's and the limit that was left is why. */
  public static Optional<NativeLoadException> explain(OutOfMemoryError error) {
    long limit = Pointer.maxPhysicalBytes();
    boolean javacpps = String.valueOf(error.getMessage()).contains("physicalBytes");
    long held = javacpps && limit > 0 ? Pointer.physicalBytes() : 0;
    return held > limit
        ? Optional.of(
            new NativeLoadException(
                "JavaCPP makes no more native objects: found a process that holds "
                    + (held >> 20)
                    + " MiB, wanted one of at most "
                    + (limit >> 20)
                    + " MiB; start Java with -D"
                    + PROPERTY
                    + "=0, which is no limit, or use RankRT before other code uses JavaCPP",
                error))
        : Optional.empty();
  }
}
