package dev.rankrt;

import static org.junit.jupiter.api.Assertions.assertEquals;

import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class ReplicaTest {
  @ParameterizedTest
  @CsvSource({"32, 1, 5", "32, 2, 5", "16, 1, 5", "16, 2, 4", "64, 8, 4", "4, 1, 2", "1, 1, 2"})
  void workersOfAGpu_ofWhichNobodySaysHowMany_leaveHalfOfTheProcessorsToCallers(
      int processors, int gpus, int workers) {
    assertEquals(workers, Replica.usualWorkersOfGpu(processors, gpus));
  }
}
