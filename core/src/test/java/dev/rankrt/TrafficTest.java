package dev.rankrt;

import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.Test;

class TrafficTest {
  private final AtomicLong count = new AtomicLong();
  private final Traffic traffic = new Traffic(count::get);
  private final long start = System.nanoTime();

  @Test
  void traffic_beforeAnyRequest_isNone() {
    assertFalse(traffic.wasThereLately(start));
    assertFalse(traffic.wasThereLately(start + 10));
  }

  @Test
  void requestsSinceTheLastLook_areOfLate_forASecond() {
    count.set(5);
    assertTrue(traffic.wasThereLately(start));
    assertTrue(traffic.wasThereLately(start + Traffic.LATELY_NANOS - 1));
    assertFalse(traffic.wasThereLately(start + Traffic.LATELY_NANOS));
    assertFalse(traffic.wasThereLately(start + 5 * Traffic.LATELY_NANOS));
  }

  @Test
  void eachRequest_makesTheSecondBeginAgain() {
    long half = Traffic.LATELY_NANOS / 2;
    for (int i = 1; i <= 5; i++) {
      count.set(i);
      assertTrue(traffic.wasThereLately(start + i * half));
    }
    assertTrue(traffic.wasThereLately(start + 6 * half));
    assertFalse(traffic.wasThereLately(start + 7 * half));
  }
}
