package dev.rankrt;

import dev.rankrt.natives.RankRtException;
import java.util.Objects;

/**
 * A {@link Ranker} did not run a request, whose values are as good as before: nothing is wrong with
 * them. It carries no stack trace, so that refusing costs little when there is the least to spare.
 */
public class RequestRefusedException extends RankRtException {
  private static final long serialVersionUID = 1L;

  /** Why requests are refused. Immutable. */
  public enum Reason {
    /** As many rows wait as the queue may hold. */
    QUEUE_FULL,
    /** The deadline might pass, or has passed, before the answer is there. */
    DEADLINE,
    /** The ranker is closed. */
    CLOSED,
    /** No device is left that runs the model. */
    NO_DEVICE
  }

  private final Reason reason;

  /**
   * Creates an exception.
   *
   * @param reason why
   * @param message what was asked, the numbers, the limit and what to try
   */
  public RequestRefusedException(Reason reason, String message) {
    this(reason, message, null);
  }

  /**
   * Creates an exception with its cause.
   *
   * @param reason why
   * @param message what was asked, the numbers, the limit and what to try
   * @param cause what led to it; null if nothing did
   */
  public RequestRefusedException(Reason reason, String message, Throwable cause) {
    super(message, cause);
    this.reason = Objects.requireNonNull(reason, "reason");
  }

  /**
   * Returns why the request was refused.
   *
   * @return what a caller may act on: try elsewhere, later, or not at all
   */
  public Reason reason() {
    return reason;
  }

  /** Does nothing: a walk through a deep stack would cost more than the refusal. */
  @Override
  public synchronized Throwable fillInStackTrace() {
    return this;
  }
}
