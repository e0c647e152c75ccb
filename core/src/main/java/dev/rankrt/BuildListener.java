package dev.rankrt;

/**
 * Hears how the building of an engine goes on, which takes from seconds to minutes. Called on
 * several threads, one call at a time or not, while no lock is held; what it throws is logged and
 * otherwise ignored.
 */
@FunctionalInterface
public interface BuildListener {
  /**
   * Takes note of a step.
   *
   * @param message what is being done, in words
   */
  void progress(String message);
}
