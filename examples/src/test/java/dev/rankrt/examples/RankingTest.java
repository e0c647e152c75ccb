package dev.rankrt.examples;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.List;
import org.junit.jupiter.api.Test;

class RankingTest {
  @Test
  void highest_comesFirst() {
    assertEquals(List.of(2, 0, 3), Ranking.highest(new float[] {0.5f, 0.1f, 0.9f, 0.2f}, 3));
  }

  @Test
  void equalScores_keepTheirOrder() {
    assertEquals(List.of(1, 3, 0, 2), Ranking.highest(new float[] {0.1f, 0.9f, 0.1f, 0.9f}, 4));
  }

  @Test
  void fewerScoresThanWanted_areAllReturned() {
    assertEquals(List.of(0), Ranking.highest(new float[] {0.3f}, 10));
  }
}
