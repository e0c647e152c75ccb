package dev.rankrt.natives;

/**
 * A native library could not be found, or what was found does not fit this machine. The message
 * lists every place that was tried with its reason, and says what to do.
 */
public class NativeLoadException extends RankRtException {
  private static final long serialVersionUID = 1L;

  /**
   * Creates an exception.
   *
   * @param message what was looked for, every attempt with its reason, and what to do
   */
  public NativeLoadException(String message) {
    super(message);
  }

  /**
   * Creates an exception with its cause.
   *
   * @param message what was looked for, every attempt with its reason, and what to do
   * @param cause the first failure
   */
  public NativeLoadException(String message, Throwable cause) {
    super(message, cause);
  }
}
