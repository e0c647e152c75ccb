package dev.rankrt.examples.gpu;

/** The driver cannot be asked about its GPUs. The message says what was tried, and why not. */
public final class NvmlUnavailableException extends Exception {
  private static final long serialVersionUID = 1;

  /** Creates an exception with what was tried. */
  public NvmlUnavailableException(String message, Throwable cause) {
    super(message, cause);
  }
}
