package dev.rankrt.natives;

/**
 * The root of every exception that RankRT throws for a reason outside the caller's arguments.
 * Arguments that are wrong in themselves give {@link IllegalArgumentException}, calls at the wrong
 * time {@link IllegalStateException}.
 */
public class RankRtException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  /**
   * Creates an exception.
   *
   * @param message what was asked, the numbers, the limit and what to try
   */
  public RankRtException(String message) {
    super(message);
  }

  /**
   * Creates an exception with its cause.
   *
   * @param message what was asked, the numbers, the limit and what to try
   * @param cause what led to it
   */
  public RankRtException(String message, Throwable cause) {
    super(message, cause);
  }
}
