package dev.rankrt.streams;

import com.sun.jna.Function;
import com.sun.jna.LastErrorException;
import com.sun.jna.NativeLibrary;
import com.sun.jna.NativeLong;
import java.util.Optional;

/** Linux' {@code sched_setaffinity}, through JNA. Safe for use by several threads. */
final class SchedAffinity implements Affinity {
  private static final int CALLING_THREAD = 0;

  private final Function setAffinity =
      NativeLibrary.getInstance("c").getFunction("sched_setaffinity", Function.THROW_LAST_ERROR);

  @Override
  public Optional<String> bind(CpuSet cpus) {
    // The kernel takes a mask of any length; a fixed cpu_set_t would end at 1024 CPUs.
    long[] mask = cpus.toMask();
    NativeLong bytes = new NativeLong((long) mask.length * Long.BYTES);
    try {
      setAffinity.invokeInt(new Object[] {CALLING_THREAD, bytes, mask});
      return Optional.empty();
    } catch (LastErrorException e) {
      // EINVAL: none of the CPUs is in the cpuset. EPERM: a sandbox forbids the call.
      return Optional.of("sched_setaffinity failed: " + e.getMessage());
    }
  }
}
