package dev.rankrt;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Comparator;
import java.util.List;
import java.util.stream.IntStream;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;
import net.jqwik.api.constraints.Size;
import org.junit.jupiter.api.Test;

class RankingTest {
  /** What there are few of meets often. */
  private static final float[] VALUES = {
    Float.NaN, 0f, -0f, 1f, 0.5f, -1f, Float.POSITIVE_INFINITY, Float.NEGATIVE_INFINITY, 0.25f
  };

  @Property
  void top_ofAnyScores_isWhatSortingAllGives(
      @ForAll @Size(max = 60) List<@IntRange(max = 8) Integer> drawn,
      @ForAll @IntRange(min = 1, max = 70) int k) {
    float[] scores = new float[drawn.size()];
    for (int i = 0; i < scores.length; i++) {
      scores[i] = VALUES[drawn.get(i)];
    }
    // A stable sort by numbers: 0 and -0 are equal, which Float.compare does not say.
    int[] sorted =
        IntStream.range(0, scores.length)
            .boxed()
            .sorted(
                Comparator.comparing((Integer i) -> Float.isNaN(scores[i]))
                    .thenComparing(i -> Float.isNaN(scores[i]) ? 0f : 0f - scores[i]))
            .limit(k)
            .mapToInt(Integer::intValue)
            .toArray();
    Ranking ranking = Ranking.top(scores, k);
    assertArrayEquals(sorted, ranking.candidates());
    assertEquals(sorted.length, ranking.size());
    for (int place = 0; place < sorted.length; place++) {
      assertEquals(sorted[place], ranking.candidate(place));
      assertEquals(scores[sorted[place]], ranking.score(place));
      assertEquals(scores[sorted[place]], ranking.scores()[place]);
    }
  }

  @Test
  void ranking_givenAwayOrChangedScores_staysAsItIs() {
    float[] scores = {0.5f, 0.75f, 0.25f};
    Ranking ranking = Ranking.top(scores, 2);
    scores[1] = 0;
    ranking.candidates()[0] = 7;
    ranking.scores()[0] = 7;
    assertArrayEquals(new int[] {1, 0}, ranking.candidates());
    assertArrayEquals(new float[] {0.75f, 0.5f}, ranking.scores());
    assertEquals("candidates [1, 0] with [0.75, 0.5]", ranking.toString());
  }

  @Test
  void top_ofNone_isRefused() {
    String message =
        assertThrows(IllegalArgumentException.class, () -> Ranking.top(new float[3], 0))
            .getMessage();
    assertTrue(message.contains(": 0"), message);
  }

  @Test
  void place_thatThereIsNot_isRefused() {
    Ranking ranking = Ranking.top(new float[3], 2);
    assertThrows(IndexOutOfBoundsException.class, () -> ranking.candidate(2));
    assertThrows(IndexOutOfBoundsException.class, () -> ranking.score(2));
  }
}
