package dev.rankrt.natives;

/**
 * A CUDA call reported an error. CUDA reports late, so the call that is named may not be the one
 * that failed: earlier work on the same device may have.
 */
public class CudaException extends RankRtException {
  private static final long serialVersionUID = 1L;

  /** The error's number. */
  private final int code;

  /** The error's name. */
  private final String errorName;

  /**
   * Creates an exception.
   *
   * @param message what was asked and what CUDA said
   * @param code the {@code cudaError_t}
   * @param errorName the name of the error, such as {@code cudaErrorMemoryAllocation}
   */
  public CudaException(String message, int code, String errorName) {
    super(message);
    this.code = code;
    this.errorName = errorName;
  }

  /**
   * Returns the {@code cudaError_t}.
   *
   * @return the error's number
   */
  public int code() {
    return code;
  }

  /**
   * Returns the error's name.
   *
   * @return such as {@code cudaErrorMemoryAllocation}
   */
  public String errorName() {
    return errorName;
  }
}
