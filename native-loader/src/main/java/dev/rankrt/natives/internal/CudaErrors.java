package dev.rankrt.natives.internal;

import dev.rankrt.natives.CudaException;
import dev.rankrt.natives.DeviceLostException;

/**
 * Turns what CUDA answers into exceptions, the same for the real CUDA and for fakes of it. Safe for
 * use by several threads.
 */
public final class CudaErrors {
  /** {@code cudaSuccess}. */
  public static final int SUCCESS = 0;

  /** {@code cudaErrorMemoryAllocation}. */
  public static final int MEMORY_ALLOCATION = 2;

  /** {@code cudaErrorNotReady}: the answer of a query, not a failure. */
  public static final int NOT_READY = 600;

  private CudaErrors() {}

  /**
   * Returns whether an error ends this process's use of the device: CUDA documents these as leaving
   * the context, or the device, in a state that only a new process recovers from.
   */
  public static boolean isFatal(int code) {
    return switch (code) {
      case 46, // cudaErrorDevicesUnavailable
          214, // cudaErrorECCUncorrectable
          220, // cudaErrorNvlinkUncorrectable
          226, // cudaErrorContained
          700, // cudaErrorIllegalAddress
          702, // cudaErrorLaunchTimeout
          709, // cudaErrorContextIsDestroyed
          710, // cudaErrorAssert
          714, // cudaErrorHardwareStackError
          715, // cudaErrorIllegalInstruction
          716, // cudaErrorMisalignedAddress
          717, // cudaErrorInvalidAddressSpace
          718, // cudaErrorInvalidPc
          719, // cudaErrorLaunchFailure
          721, // cudaErrorTensorMemoryLeak
          810 -> // cudaErrorMpsClientTerminated
          true;
      default -> false;
    };
  }

  /**
   * Returns the exception for an error.
   *
   * @param call the function that reported it, and its numbers
   * @param code the {@code cudaError_t}
   * @param name such as {@code cudaErrorMemoryAllocation}
   * @param text what {@code cudaGetErrorString} says
   * @param advice what to try, or empty
   */
  public static CudaException exception(
      String call, int code, String name, String text, String advice) {
    boolean fatal = isFatal(code);
    String reported = call + " reported " + name + " (" + code + "): " + text;
    String what =
        fatal
            ? "; this process can no longer use the device, start a new one"
            : advice.isEmpty() ? "" : "; " + advice;
    return fatal
        ? new DeviceLostException(reported + what, code, name)
        : new CudaException(reported + what, code, name);
  }
}
