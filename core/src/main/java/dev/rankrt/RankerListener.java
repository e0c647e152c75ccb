package dev.rankrt;

import java.nio.file.Path;

/**
 * Hears what happens to a {@link Ranker} between requests. Called on several threads, perhaps at
 * once, and with no lock held but the one that makes swaps wait for each other.
 *
 * <p>A call should return soon, since it may be on a thread that has requests to answer. What it
 * throws is logged and otherwise ignored. It may ask for {@link Ranker#stats} and may close the
 * ranker, but not swap its model nor wait for an answer of it.
 */
public interface RankerListener {
  /**
   * Takes note that a device serves no longer. Requests that wait for it go to the others.
   *
   * @param device the device
   * @param failure what its last run threw
   * @param serving how many devices are left; 0 when requests are refused from now on
   */
  default void deviceFailed(Device device, Throwable failure, int serving) {}

  /**
   * Takes note that another model serves. The one before has answered its last request.
   *
   * @param before the file of the model that was replaced
   * @param now the file of the model that serves
   */
  default void swapped(Path before, Path now) {}

  /**
   * Takes note that a swap failed, which leaves the model that serves.
   *
   * @param model the file of the model that does not serve
   * @param failure what {@link Ranker#swap} throws
   */
  default void swapFailed(Path model, Throwable failure) {}
}
