package dev.rankrt.memory;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.time.Duration;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class PoolConfigTest {
  private String property;

  @BeforeEach
  void keepProperty() {
    property = System.clearProperty(PoolConfig.LEAK_DETECTION_PROPERTY);
  }

  @AfterEach
  void restoreProperty() {
    if (property == null) {
      System.clearProperty(PoolConfig.LEAK_DETECTION_PROPERTY);
    } else {
      System.setProperty(PoolConfig.LEAK_DETECTION_PROPERTY, property);
    }
  }

  @Test
  void value_outOfBounds_isRejected() {
    assertThrows(IllegalArgumentException.class, () -> PoolConfig.of(" ", 1 << 20));
    assertThrows(IllegalArgumentException.class, () -> PoolConfig.of("a", 255));
    PoolConfig config = PoolConfig.of("a", 256);
    assertThrows(IllegalArgumentException.class, () -> config.withMaxWait(Duration.ofNanos(-1)));
    assertThrows(NullPointerException.class, () -> config.withListener(null));
    assertThrows(NullPointerException.class, () -> config.withLeakDetection(null));
  }

  @Test
  void leakDetection_isOffUnlessThePropertySaysOtherwise() {
    assertEquals(LeakDetection.OFF, PoolConfig.of("a", 256).leakDetection());
    System.setProperty(PoolConfig.LEAK_DETECTION_PROPERTY, "sampled");
    assertEquals(LeakDetection.SAMPLED, PoolConfig.of("a", 256).leakDetection());
    System.setProperty(PoolConfig.LEAK_DETECTION_PROPERTY, "sometimes");
    IllegalArgumentException error =
        assertThrows(IllegalArgumentException.class, () -> PoolConfig.of("a", 256));
    assertTrue(error.getMessage().contains("dev.rankrt.leakDetection"), error.getMessage());
  }
}
