package dev.rankrt.natives.internal;

import java.util.List;

/** Closes several things: all of them, whatever fails. */
public final class Closing {
  private Closing() {}

  /** Runs every step in order, and throws the first failure with the others suppressed. */
  public static void all(List<Runnable> steps) {
    Throwable first = null;
    for (Runnable step : steps) {
      try {
        step.run();
      } catch (RuntimeException | Error e) {
        if (first == null) {
          first = e;
        } else {
          first.addSuppressed(e);
        }
      }
    }
    if (first instanceof Error error) {
      throw error;
    }
    if (first != null) {
      throw (RuntimeException) first;
    }
  }

  /** Undoes something after a failure, which stays the one that is thrown. */
  public static void after(Throwable failure, Runnable undo) {
    try {
      undo.run();
    } catch (RuntimeException | Error e) {
      failure.addSuppressed(e);
    }
  }
}
