package dev.rankrt.internal.tensorrt;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
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

  @Test
  void release_thatIsPutOff_takesNoThreadOfAPoolThatOthersShare() throws Exception {
    CompletableFuture<Thread> thread = new CompletableFuture<>();
    Builders.later(0, () -> thread.complete(Thread.currentThread()));
    assertEquals("rankrt-builder-release", thread.get(10, TimeUnit.SECONDS).getName());
    // As those of the pool: one that still runs keeps no process alive.
    assertTrue(thread.get().isDaemon());
  }
}
