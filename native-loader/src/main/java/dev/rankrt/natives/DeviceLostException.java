package dev.rankrt.natives;

/**
 * This process can no longer use the GPU: its CUDA context is gone, and every later call fails the
 * same way. Only a new process helps; an engine on another device, or on the CPU, is not affected.
 */
public class DeviceLostException extends CudaException {
  private static final long serialVersionUID = 1L;

  /**
   * Creates an exception.
   *
   * @param message what was asked and what CUDA said
   * @param code the {@code cudaError_t}
   * @param errorName the name of the error, such as {@code cudaErrorIllegalAddress}
   */
  public DeviceLostException(String message, int code, String errorName) {
    super(message, code, errorName);
  }
}
