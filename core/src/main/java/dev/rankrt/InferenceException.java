package dev.rankrt;

import dev.rankrt.natives.RankRtException;

/**
 * A run failed after its request had passed every check. The session that threw it works on with
 * the next call.
 */
public class InferenceException extends RankRtException {
  private static final long serialVersionUID = 1L;

  /**
   * Creates an exception.
   *
   * @param message what was asked, the numbers, the limit and what to try
   */
  public InferenceException(String message) {
    super(message);
  }

  /**
   * Creates an exception with its cause.
   *
   * @param message what was asked, the numbers, the limit and what to try
   * @param cause what led to it
   */
  public InferenceException(String message, Throwable cause) {
    super(message, cause);
  }
}
