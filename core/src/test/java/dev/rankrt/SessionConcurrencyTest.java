package dev.rankrt;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.rankrt.testing.CapturedLog;
import dev.rankrt.testing.FakeBackend;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;
import org.junit.jupiter.api.io.TempDir;

/** A session's states: who may enter, who frees what, and when. */
class SessionConcurrencyTest {
  private static final long PATIENCE_SECONDS = 30;
  private static final float[] DENSE = {1, 2};
  private static final long[] IDS = {10, 20};
  private static final float[] SCORES = {11, 22};

  private final FakeBackend backend = new FakeBackend("fake", Device.Type.CPU);
  private final ExecutorService threads =
      Executors.newCachedThreadPool(work -> new Thread(work, "worker"));
  private final CountDownLatch inside = new CountDownLatch(1);
  private final CountDownLatch leave = new CountDownLatch(1);

  @TempDir Path folder;
  private Engine engine;
  private Session session;

  @BeforeEach
  void openSession() throws IOException {
    Path model = Files.write(folder.resolve("fake.onnx"), new byte[] {1});
    engine =
        new Backends(List.of(backend))
            .open(model, EngineOptions.builder().device(Device.cpu()).maxBatch(4).build());
    session = engine.newSession();
  }

  @AfterEach
  void everythingWasFreedOnce() throws InterruptedException {
    leave.countDown();
    threads.shutdown();
    assertTrue(threads.awaitTermination(PATIENCE_SECONDS, TimeUnit.SECONDS));
    session.close();
    engine.close();
    assertEquals(0, backend.openSessions.get());
    assertEquals(0, backend.openEngines.get());
    assertEquals(0, backend.broken.get());
  }

  /** Starts a call that stays inside until it may leave. */
  private Future<float[]> callThatStays() throws InterruptedException {
    backend.duringRun =
        rows -> {
          inside.countDown();
          await(leave);
        };
    Future<float[]> call = threads.submit(() -> session.infer(DENSE, IDS));
    await(inside);
    return call;
  }

  private static void await(CountDownLatch latch) {
    try {
      assertTrue(latch.await(PATIENCE_SECONDS, TimeUnit.SECONDS));
    } catch (InterruptedException e) {
      throw new AssertionError(e);
    }
  }

  private static float[] answer(Future<float[]> call) throws Exception {
    return call.get(PATIENCE_SECONDS, TimeUnit.SECONDS);
  }

  private static String refusal(Executable call) {
    return assertThrows(IllegalStateException.class, call).getMessage();
  }

  @Test
  void call_whileAnotherThreadIsInside_isRefusedNamingBoth() throws Exception {
    Future<float[]> call = callThatStays();
    String said =
        "session 1 of fake.onnx on cpu is for one thread at a time: thread '"
            + Thread.currentThread().getName()
            + "' called it while thread 'worker' is inside; give each thread a session of its own";
    assertEquals(said, refusal(() -> session.infer(DENSE, IDS)));
    assertEquals(said, refusal(() -> session.input("dense").put(DENSE)));
    assertEquals(said, refusal(() -> session.run(1)));
    assertEquals(said, refusal(() -> session.output("score").toFloatArray()));
    leave.countDown();
    assertArrayEquals(SCORES, answer(call));
    assertArrayEquals(SCORES, session.infer(DENSE, IDS));
    assertEquals(2, backend.runs.get());
  }

  @Test
  void session_closedDuringACall_isFreedBehindIt() throws Exception {
    Future<float[]> call = callThatStays();
    session.close();
    session.close();
    assertEquals(1, backend.openSessions.get());
    assertTrue(
        refusal(() -> session.infer(DENSE, IDS)).contains("while thread 'worker' is inside"));
    leave.countDown();
    assertArrayEquals(SCORES, answer(call));
    assertEquals(0, backend.openSessions.get());
    assertEquals(
        "session 1 of fake.onnx on cpu is closed", refusal(() -> session.infer(DENSE, IDS)));
  }

  @Test
  void session_closedByTheCallItself_isFreedBehindIt() {
    backend.duringRun = rows -> session.close();
    assertArrayEquals(SCORES, session.infer(DENSE, IDS));
    assertEquals(0, backend.openSessions.get());
  }

  @Test
  void engine_closedDuringACall_isFreedWithItsLastSession() throws Exception {
    Session other = engine.newSession();
    Future<float[]> call = callThatStays();
    try (CapturedLog log = new CapturedLog()) {
      engine.close();
      engine.close();
      assertEquals(1, log.lines().size());
      assertTrue(
          log.lines()
              .get(0)
              .endsWith(
                  "fake.onnx on cpu was closed before 2 of its sessions; its memory is freed with them"),
          log.lines().get(0));
    }
    assertEquals("fake.onnx on cpu is closed", refusal(() -> other.infer(DENSE, IDS)));
    assertEquals("fake.onnx on cpu is closed", refusal(engine::newSession));
    session.close();
    other.close();
    assertEquals(1, backend.openEngines.get());
    leave.countDown();
    assertArrayEquals(SCORES, answer(call));
    assertEquals(0, backend.openEngines.get());
  }

  @Test
  void engine_closedBehindItsSessions_isFreedAtOnceAndQuietly() {
    session.close();
    try (CapturedLog log = new CapturedLog()) {
      engine.close();
      assertEquals(List.of(), log.lines());
    }
    assertEquals(0, backend.openEngines.get());
  }

  @Test
  void run_thatFails_leavesTheSessionUsableAndShowsNoOldScores() {
    session.infer(DENSE, IDS);
    assertEquals(2, session.output("score").floats().limit());
    InferenceException failure = new InferenceException("scripted");
    backend.duringRun =
        rows -> {
          throw failure;
        };
    session.input("dense").put(DENSE);
    session.input("ids").put(IDS);
    InferenceException thrown = assertThrows(InferenceException.class, () -> session.run(2));
    assertSame(failure, thrown.getCause());
    assertEquals("session 1 of fake.onnx on cpu failed: scripted", thrown.getMessage());
    assertEquals(0, session.output("score").toFloatArray().length);
    assertEquals(0, session.output("score").floats().limit());
    backend.duringRun = rows -> {};
    assertThrows(
        IllegalArgumentException.class, () -> session.run(2), "inputs are asked for again");
    assertArrayEquals(SCORES, session.infer(DENSE, IDS));
  }

  @Test
  void run_thatFailsInAClosedSession_isFreedBehindIt() {
    backend.duringRun =
        rows -> {
          session.close();
          throw new InferenceException("scripted");
        };
    assertThrows(InferenceException.class, () -> session.infer(DENSE, IDS));
    assertEquals(0, backend.openSessions.get());
  }

  @Test
  void run_endedByAnError_leavesTheSessionToOthers() {
    backend.duringRun =
        rows -> {
          throw new StackOverflowError("scripted");
        };
    assertThrows(StackOverflowError.class, () -> session.infer(DENSE, IDS));
    backend.duringRun = rows -> {};
    assertArrayEquals(SCORES, session.infer(DENSE, IDS));
  }

  @Test
  void newSession_thatTheBackendRefuses_isNotCounted() {
    backend.sessionFailure = new IllegalArgumentException("more than 2 GiB");
    assertSame(
        backend.sessionFailure, assertThrows(IllegalArgumentException.class, engine::newSession));
    backend.sessionFailure = null;
    session.close();
    engine.close();
    assertEquals(0, backend.openEngines.get());
  }

  @Test
  void newSession_thatCannotBeFinished_isFreed() {
    // A backend that describes more outputs than it has memory for.
    backend.memoryFailure = new IndexOutOfBoundsException("scripted");
    assertThrows(IndexOutOfBoundsException.class, engine::newSession);
    assertEquals(1, backend.openSessions.get());
  }

  @Test
  void memory_thatCannotBeFreed_isLoggedAndTheAnswerStands() throws Exception {
    try (CapturedLog log = new CapturedLog()) {
      Future<float[]> call = callThatStays();
      backend.closeFailure = new IllegalStateException("scripted");
      session.close();
      engine.close();
      leave.countDown();
      assertArrayEquals(SCORES, answer(call));
      String written = String.join("\n", log.lines());
      assertTrue(written.contains("closing session 1 of fake.onnx on cpu failed"), written);
      assertTrue(written.contains("closing fake.onnx on cpu failed"), written);
    }
    session.close();
    engine.close();
    assertEquals(0, backend.openEngines.get());
  }

  @Test
  void manyThreads_callingAndClosing_freeOnceAndNeverDuringUse() throws Exception {
    for (int round = 0; round < 2000; round++) {
      Session raced = engine.newSession();
      CyclicBarrier start = new CyclicBarrier(4);
      List<Future<Boolean>> calls = new ArrayList<>();
      Callable<Boolean> caller =
          () -> {
            start.await();
            boolean closed = false;
            while (!closed) {
              try {
                assertArrayEquals(SCORES, raced.infer(DENSE, IDS));
              } catch (IllegalStateException e) {
                closed = e.getMessage().endsWith("is closed");
                assertTrue(closed || e.getMessage().contains("one thread at a time"));
              }
            }
            return true;
          };
      Callable<Boolean> closer =
          () -> {
            start.await();
            for (int i = ThreadLocalRandom.current().nextInt(2000); i > 0; i--) {
              Thread.onSpinWait();
            }
            raced.close();
            return true;
          };
      for (Callable<Boolean> task : List.of(caller, caller, closer, closer)) {
        calls.add(threads.submit(task));
      }
      for (Future<Boolean> call : calls) {
        assertTrue(call.get(PATIENCE_SECONDS, TimeUnit.SECONDS));
      }
      assertEquals(1, backend.openSessions.get(), "only the one of the test is left");
    }
  }

  @Test
  void engineAndSessions_closedAtOnce_freeTheEngineOnceBehindThem() throws Exception {
    for (int round = 0; round < 1000; round++) {
      Path model = folder.resolve("fake.onnx");
      Engine raced =
          new Backends(List.of(backend))
              .open(model, EngineOptions.builder().device(Device.cpu()).maxBatch(4).build());
      CyclicBarrier start = new CyclicBarrier(4);
      Callable<Boolean> user =
          () -> {
            start.await();
            try (Session one = raced.newSession()) {
              assertArrayEquals(SCORES, one.infer(DENSE, IDS));
            } catch (IllegalStateException e) {
              assertTrue(e.getMessage().endsWith("is closed"), e.getMessage());
            }
            return true;
          };
      Callable<Boolean> closer =
          () -> {
            start.await();
            raced.close();
            return true;
          };
      List<Future<Boolean>> all = new ArrayList<>();
      for (Callable<Boolean> task : List.of(user, user, closer, closer)) {
        all.add(threads.submit(task));
      }
      for (Future<Boolean> one : all) {
        assertTrue(one.get(PATIENCE_SECONDS, TimeUnit.SECONDS));
      }
      assertEquals(1, backend.openEngines.get(), "only the one of the test is left");
    }
  }
}
