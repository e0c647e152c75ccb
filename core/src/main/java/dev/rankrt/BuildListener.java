package dev.rankrt;

/**
 * Hears how the building of an engine goes on, which takes from seconds to minutes. Called on
 * several threads, one call at a time or not; what it throws is logged and otherwise ignored. Other
 * builds of this process wait meanwhile: a listener must not open an engine, nor wait for a thread
 * that does.
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
