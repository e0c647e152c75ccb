package dev.rankrt.examples;

import java.util.Comparator;
import java.util.stream.IntStream;

/** The area under the ROC curve. */
final class Auc {
  private Auc() {}

  /**
   * Returns the chance that a positive is scored above a negative, equal scores counting half.
   *
   * @throws IllegalArgumentException if the lengths differ, a score is no number, or one of the two
   *     classes is empty
   */
  static double of(boolean[] positive, double[] scores) {
    if (positive.length != scores.length) {
      throw new IllegalArgumentException(
          positive.length + " labels for " + scores.length + " scores");
    }
    int[] order =
        IntStream.range(0, scores.length)
            .boxed()
            .sorted(Comparator.comparingDouble(i -> scores[i]))
            .mapToInt(Integer::intValue)
            .toArray();
    long positives = 0;
    double rankSum = 0;
    for (int start = 0, end; start < order.length; start = end) {
      double score = scores[order[start]];
      if (Double.isNaN(score)) {
        throw new IllegalArgumentException("score " + order[start] + " is not a number");
      }
      for (end = start; end < order.length && scores[order[end]] == score; end++) {
        // to the end of the equal scores
      }
      double rank = (start + 1 + end) / 2.0; // ranks count from 1; equal scores share their mean
      for (int i = start; i < end; i++) {
        if (positive[order[i]]) {
          positives++;
          rankSum += rank;
        }
      }
    }
    long negatives = order.length - positives;
    if (positives == 0 || negatives == 0) {
      throw new IllegalArgumentException(
          positives + " positives and " + negatives + " negatives: both are needed");
    }
    return (rankSum - positives * (positives + 1) / 2.0) / ((double) positives * negatives);
  }
}
