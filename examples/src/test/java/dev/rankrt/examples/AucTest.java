package dev.rankrt.examples;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import net.jqwik.api.Assume;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;
import net.jqwik.api.constraints.Size;
import org.junit.jupiter.api.Test;

class AucTest {
  private static final double ROUNDING = 1e-12;

  @Test
  void positivesAboveAllNegatives_isOne() {
    assertEquals(1, Auc.of(new boolean[] {false, true, false, true}, new double[] {1, 3, 2, 4}));
  }

  @Test
  void positivesBelowAllNegatives_isZero() {
    assertEquals(0, Auc.of(new boolean[] {true, false, true, false}, new double[] {1, 3, 2, 4}));
  }

  @Test
  void equalScores_countHalf() {
    assertEquals(0.5, Auc.of(new boolean[] {true, false, true}, new double[] {7, 7, 7}));
    // Of six pairs one is tied, four are in order and one is not.
    assertEquals(
        4.5 / 6,
        Auc.of(new boolean[] {false, true, false, true, true}, new double[] {2, 2, 3, 4, 5}),
        ROUNDING);
  }

  @Property
  void anyScores_giveTheShareOfPairsInOrder(
      @ForAll @Size(min = 2, max = 40) boolean[] positive,
      @ForAll @Size(40) @IntRange(max = 9) int[] drawn) {
    double[] scores = new double[positive.length];
    for (int i = 0; i < scores.length; i++) {
      scores[i] = drawn[i];
    }
    double inOrder = 0;
    int pairs = 0;
    for (int p = 0; p < positive.length; p++) {
      for (int n = 0; n < positive.length; n++) {
        if (positive[p] && !positive[n]) {
          pairs++;
          inOrder += scores[p] > scores[n] ? 1 : scores[p] == scores[n] ? 0.5 : 0;
        }
      }
    }
    Assume.that(pairs > 0);
    assertEquals(inOrder / pairs, Auc.of(positive, scores), ROUNDING);
  }

  @Test
  void oneClassOnly_isRefused() {
    IllegalArgumentException refused =
        assertThrows(
            IllegalArgumentException.class,
            () -> Auc.of(new boolean[] {true, true}, new double[] {1, 2}));
    assertTrue(refused.getMessage().contains("2 positives and 0 negatives"), refused::getMessage);
  }

  @Test
  void scoreThatIsNoNumber_isRefused() {
    assertThrows(
        IllegalArgumentException.class,
        () -> Auc.of(new boolean[] {true, false}, new double[] {1, Double.NaN}));
  }

  @Test
  void lengthsThatDiffer_areRefused() {
    assertThrows(
        IllegalArgumentException.class, () -> Auc.of(new boolean[] {true, false}, new double[3]));
  }
}
