package dev.rankrt.natives.internal;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;

class NativeHandleTest {
  private static final int ROUNDS = 300;
  private static final int USERS = 4;
  private static final int CLOSERS = 2;

  private final AtomicInteger releases = new AtomicInteger();
  private final NativeHandle handle =
      new NativeHandle("engine 'ranker'", releases::incrementAndGet);

  @Test
  void close_withNobodyInside_releasesAtOnce() {
    handle.close();
    handle.close();
    assertEquals(1, releases.get());
    assertEquals("engine 'ranker' (released, 0 calls in flight)", handle.toString());
  }

  @Test
  void close_underACall_leavesTheReleaseToTheLastOneOut() {
    handle.enter();
    handle.enter();
    handle.close();
    assertEquals("engine 'ranker' (closing, 2 calls in flight)", handle.toString());
    handle.exit();
    assertEquals(0, releases.get());
    handle.exit();
    assertEquals(1, releases.get());
    assertEquals("engine 'ranker' (released, 0 calls in flight)", handle.toString());
  }

  @Test
  void use_afterClose_isRefusedByName() {
    assertTrue(handle.tryEnter());
    handle.exit();
    handle.close();
    assertFalse(handle.tryEnter());
    IllegalStateException refusal = assertThrows(IllegalStateException.class, handle::enter);
    assertEquals("engine 'ranker' is closed", refusal.getMessage());
  }

  @Test
  void exit_withoutEnter_isRefusedAndChangesNothing() {
    assertThrows(IllegalStateException.class, handle::exit);
    handle.close();
    assertThrows(IllegalStateException.class, handle::exit);
    assertEquals(1, releases.get());
  }

  @Test
  void release_thatFails_isNotTriedAgain() {
    AtomicInteger tries = new AtomicInteger();
    NativeHandle failing =
        new NativeHandle(
            "stream",
            () -> {
              tries.incrementAndGet();
              throw new IllegalArgumentException("free failed");
            });
    assertThrows(IllegalArgumentException.class, failing::close);
    failing.close();
    assertEquals(1, tries.get());
    assertEquals("stream (released, 0 calls in flight)", failing.toString());
  }

  @Test
  void users_againstClosers_neverUseWhatIsReleased() throws Exception {
    ExecutorService threads = Executors.newFixedThreadPool(USERS + CLOSERS);
    try {
      for (int round = 0; round < ROUNDS; round++) {
        AtomicBoolean alive = new AtomicBoolean(true);
        AtomicInteger released = new AtomicInteger();
        NativeHandle shared =
            new NativeHandle(
                "shared",
                () -> {
                  alive.set(false);
                  released.incrementAndGet();
                });
        CyclicBarrier start = new CyclicBarrier(USERS + CLOSERS);
        List<Future<?>> work = new ArrayList<>();
        for (int i = 0; i < USERS; i++) {
          work.add(
              threads.submit(
                  () -> {
                    start.await();
                    while (shared.tryEnter()) {
                      assertTrue(alive.get(), "released under a call");
                      shared.exit();
                    }
                    return null;
                  }));
        }
        for (int i = 0; i < CLOSERS; i++) {
          work.add(
              threads.submit(
                  () -> {
                    start.await();
                    shared.close();
                    return null;
                  }));
        }
        for (Future<?> each : work) {
          each.get();
        }
        assertEquals(1, released.get());
      }
    } finally {
      threads.shutdownNow();
    }
  }
}
