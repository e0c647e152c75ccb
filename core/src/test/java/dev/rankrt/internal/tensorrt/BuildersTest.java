package dev.rankrt.internal.tensorrt;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class BuildersTest {
  @AfterEach
  void clear() {
    System.clearProperty(Builders.KEPT_SECONDS);
  }

  @Test
  void builder_isNotKeptUnlessAskedFor() {
    assertEquals(0, Builders.keptSeconds());
    System.setProperty(Builders.KEPT_SECONDS, " 20");
    assertEquals(20, Builders.keptSeconds());
  }

  @Test
  void secondsThatAreNoNumber_areRefusedByName() {
    System.setProperty(Builders.KEPT_SECONDS, "twenty");
    IllegalArgumentException thrown =
        assertThrows(IllegalArgumentException.class, Builders::keptSeconds);
    assertEquals(
        "system property dev.rankrt.tensorrt.builderSeconds must be a number of seconds: twenty",
        thrown.getMessage());
  }
}
