package dev.rankrt;

import java.util.Arrays;

/**
 * The best of some candidates, best first. Immutable.
 *
 * <p>A candidate is known by its place among all that were scored. Of equal scores the one that
 * came first is the better; a score that is no number is worse than any.
 */
public final class Ranking {
  private final int[] candidates;
  private final float[] scores;

  private Ranking(int[] candidates, float[] all) {
    this.candidates = candidates;
    this.scores = new float[candidates.length];
    for (int place = 0; place < candidates.length; place++) {
      scores[place] = all[candidates[place]];
    }
  }

  /**
   * Picks the best candidates without sorting the others.
   *
   * @param scores one for each candidate
   * @param k how many to pick; all of them where there are no more
   * @return the best, in order
   * @throws IllegalArgumentException if {@code k} is less than 1
   */
  public static Ranking top(float[] scores, int k) {
    if (k < 1) {
      throw new IllegalArgumentException("at least the best one must be asked for: " + k);
    }
    // A heap with the worst of the best on top, so that most candidates cost one comparison.
    int[] heap = new int[Math.min(k, scores.length)];
    for (int candidate = 0; candidate < heap.length; candidate++) {
      heap[candidate] = candidate;
    }
    for (int at = heap.length / 2 - 1; at >= 0; at--) {
      sink(heap, heap.length, at, scores);
    }
    for (int candidate = heap.length; candidate < scores.length; candidate++) {
      if (isBetter(candidate, heap[0], scores)) {
        heap[0] = candidate;
        sink(heap, heap.length, 0, scores);
      }
    }
    for (int left = heap.length - 1; left > 0; left--) {
      int worst = heap[0];
      heap[0] = heap[left];
      heap[left] = worst;
      sink(heap, left, 0, scores);
    }
    return new Ranking(heap, scores);
  }

  private static void sink(int[] heap, int size, int from, float[] scores) {
    int at = from;
    int moved = heap[at];
    for (int child = 2 * at + 1; child < size; child = 2 * at + 1) {
      if (child + 1 < size && isBetter(heap[child], heap[child + 1], scores)) {
        child++;
      }
      if (!isBetter(moved, heap[child], scores)) {
        break;
      }
      heap[at] = heap[child];
      at = child;
    }
    heap[at] = moved;
  }

  private static boolean isBetter(int one, int other, float[] scores) {
    float a = scores[one];
    float b = scores[other];
    if (a > b || a < b) {
      return a > b;
    }
    boolean none = Float.isNaN(a);
    return none == Float.isNaN(b) ? one < other : !none;
  }

  /**
   * Returns how many candidates were picked.
   *
   * @return as many as were asked for, or all that there were
   */
  public int size() {
    return candidates.length;
  }

  /**
   * Returns which candidate has a place.
   *
   * @param place from 0, the best
   * @return the candidate's index among the scores
   * @throws IndexOutOfBoundsException if there is no such place
   */
  public int candidate(int place) {
    return candidates[place];
  }

  /**
   * Returns the score of the candidate that has a place.
   *
   * @param place from 0, the best
   * @return its score
   * @throws IndexOutOfBoundsException if there is no such place
   */
  public float score(int place) {
    return scores[place];
  }

  /**
   * Returns the candidates, best first.
   *
   * @return a new array of their indices among the scores
   */
  public int[] candidates() {
    return candidates.clone();
  }

  /**
   * Returns the candidates' scores, best first.
   *
   * @return a new array
   */
  public float[] scores() {
    return scores.clone();
  }

  @Override
  public String toString() {
    return "candidates " + Arrays.toString(candidates) + " with " + Arrays.toString(scores);
  }
}
