package dev.rankrt;

import dev.rankrt.natives.RankRtException;

/**
 * A model cannot be read, built or loaded. The message names the file and gives the backend's own
 * words.
 */
public class ModelException extends RankRtException {
  private static final long serialVersionUID = 1L;

  /**
   * Creates an exception.
   *
   * @param message what was asked, the numbers, the limit and what to try
   */
  public ModelException(String message) {
    super(message);
  }

  /**
   * Creates an exception with its cause.
   *
   * @param message what was asked, the numbers, the limit and what to try
   * @param cause what led to it
   */
  public ModelException(String message, Throwable cause) {
    super(message, cause);
  }
}
