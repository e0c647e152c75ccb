package dev.rankrt.examples;

import java.util.Comparator;
import java.util.List;
import java.util.stream.IntStream;

/** The order that scores give. */
final class Ranking {
  private Ranking() {}

  /**
   * Returns the places of the highest scores, the highest first; of equal ones the earlier first.
   *
   * @param count how many are wanted; fewer come back where there are fewer scores
   */
  static List<Integer> highest(float[] scores, int count) {
    return IntStream.range(0, scores.length)
        .boxed()
        .sorted(Comparator.comparing((Integer place) -> scores[place]).reversed())
        .limit(count)
        .toList();
  }
}
