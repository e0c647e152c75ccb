package dev.rankrt.streams.internal;

import static org.junit.jupiter.api.Assertions.assertDoesNotThrow;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.rankrt.natives.CudaException;
import dev.rankrt.natives.DeviceLostException;
import dev.rankrt.natives.internal.Cuda;
import dev.rankrt.natives.internal.FakeCuda;
import dev.rankrt.natives.internal.PlatformThreads;
import dev.rankrt.streams.WaitPolicy;
import dev.rankrt.testing.VirtualThreads;
import java.lang.reflect.Proxy;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.LongSupplier;
import java.util.function.Supplier;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** What a stream does while work is under way and when CUDA fails, as only the fake can show. */
@Timeout(20)
class CudaStreamTest {
  private static final Duration LONG = Duration.ofSeconds(15);
  private static final Duration SHORT = Duration.ofMillis(5);

  private final FakeCuda cuda = new FakeCuda(2);

  private CudaStream stream(Duration closeLimit) {
    return CudaStream.create(cuda, 0, 0, closeLimit);
  }

  /** Enqueues work that stays under way until the test completes it. */
  private void enqueueHeld(CudaStream stream) {
    long address = cuda.allocate(256);
    cuda.holdWork();
    stream.fill(address, 1, 256);
  }

  private static void until(LongSupplier value, long least) {
    while (value.getAsLong() < least) {
      Thread.onSpinWait();
    }
  }

  // ---- Waiting -----------------------------------------------------------------------------

  @Test
  void await_byAsking_asksUntilTheWorkIsDone() throws Exception {
    try (CudaStream stream = stream(LONG)) {
      enqueueHeld(stream);
      CompletableFuture<Void> waiting =
          CompletableFuture.runAsync(() -> stream.await(WaitPolicy.YIELD));
      until(() -> cuda.calls("isDone"), 100);
      assertFalse(waiting.isDone());
      cuda.releaseWork();
      waiting.get();
      assertEquals(0, cuda.calls("synchronize"));
    }
  }

  @Test
  void await_byAsking_makesTheDeviceCurrentWhereverAVirtualThreadGoesOn() throws Throwable {
    assumeTrue(Runtime.version().feature() >= 21, "virtual threads came with Java 21");
    List<String> calls = new CopyOnWriteArrayList<>();
    Cuda recorded =
        (Cuda)
            Proxy.newProxyInstance(
                Cuda.class.getClassLoader(),
                new Class<?>[] {Cuda.class},
                (proxy, method, args) -> {
                  if (PlatformThreads.isVirtual(Thread.currentThread())) {
                    calls.add(method.getName());
                    if (calls.size() == 5) {
                      cuda.releaseWork();
                    }
                  }
                  return method.invoke(cuda, args);
                });
    try (CudaStream stream = CudaStream.create(recorded, 1, 0, LONG)) {
      enqueueHeld(stream);
      Runnable waits =
          () -> {
            recorded.setDevice(1);
            stream.await(WaitPolicy.YIELD);
          };
      VirtualThreads.start(waits).join();
    }
    // Between two questions it may move to a carrier without a context, which would get device 0's.
    assertEquals(
        List.of("setDevice", "isDone", "setDevice", "isDone", "setDevice", "isDone"), calls);
  }

  @Test
  void await_bySpinning_leavesItToTheDriver() throws Exception {
    try (CudaStream stream = stream(LONG)) {
      enqueueHeld(stream);
      CompletableFuture<Void> waiting =
          CompletableFuture.runAsync(() -> stream.await(WaitPolicy.SPIN));
      until(() -> cuda.calls("synchronize"), 1);
      assertFalse(waiting.isDone());
      cuda.releaseWork();
      waiting.get();
      assertEquals(0, cuda.calls("isDone") + cuda.calls("record"));
    }
  }

  @Test
  void await_byBlocking_asksNothingAndSleepsOnABlockingEvent() throws Exception {
    try (CudaStream stream = stream(LONG)) {
      enqueueHeld(stream);
      CompletableFuture<Void> waiting =
          CompletableFuture.runAsync(() -> stream.await(WaitPolicy.BLOCK));
      until(() -> cuda.calls("synchronize"), 1);
      assertFalse(waiting.isDone());
      assertEquals(0, cuda.calls("isDone"));
      cuda.releaseWork();
      waiting.get();
    }
  }

  @Test
  void await_adaptively_spinsUntilWaitsAreLongAndBlocksUntilTheyAreShort() {
    AtomicLong clock = new AtomicLong();
    AtomicLong step = new AtomicLong(10_000);
    LongSupplier oneStepEach = () -> clock.getAndAdd(step.get());
    try (CudaStream stream = CudaStream.create(cuda, 0, 0, LONG, oneStepEach)) {
      for (int wait = 0; wait < 20; wait++) {
        stream.await(WaitPolicy.ADAPTIVE);
      }
      assertEquals(0, cuda.calls("record"), "waits of ten microseconds are spun through");
      step.set(50_000_000);
      for (int wait = 0; wait < 20; wait++) {
        stream.await(WaitPolicy.ADAPTIVE);
      }
      long blocked = cuda.calls("record");
      assertTrue(blocked > 0 && blocked < 20, () -> blocked + " of 20 blocked");
      step.set(10_000);
      for (int wait = 0; wait < 100; wait++) {
        stream.await(WaitPolicy.ADAPTIVE);
      }
      long blockedLater = cuda.calls("record") - blocked;
      assertTrue(blockedLater > 0 && blockedLater < 100, () -> blockedLater + " of 100 blocked");
    }
  }

  @ParameterizedTest
  @EnumSource
  void await_interruptedMeanwhile_waitsOnAndKeepsTheFlag(WaitPolicy policy) throws Exception {
    try (CudaStream stream = stream(LONG)) {
      enqueueHeld(stream);
      CompletableFuture<Boolean> flag = new CompletableFuture<>();
      Thread waiting =
          new Thread(
              () -> {
                stream.await(policy);
                flag.complete(Thread.currentThread().isInterrupted());
              });
      waiting.start();
      until(() -> cuda.calls("isDone") + cuda.calls("synchronize"), 1);
      waiting.interrupt();
      assertFalse(flag.isDone());
      cuda.releaseWork();
      assertTrue(flag.get());
      waiting.join();
    }
  }

  @Test
  void await_whenTheWorkFailed_throwsAndTheStreamCanStillBeClosed() {
    CudaStream stream = stream(LONG);
    cuda.failNext("synchronize", 719, "cudaErrorLaunchFailure");
    assertThrows(DeviceLostException.class, () -> stream.await(WaitPolicy.ADAPTIVE));
    stream.close();
    cuda.assertNothingLive();
  }

  @Test
  void drain_beyondItsLimit_saysSoAndCanBeRepeated() {
    CudaStream stream = stream(LONG);
    enqueueHeld(stream);
    assertFalse(stream.drain(Duration.ZERO));
    assertFalse(stream.drain(SHORT));
    cuda.releaseWork();
    assertTrue(stream.drain(Duration.ZERO));
    stream.close();
  }

  @Test
  void drain_withTheInterruptFlagSet_waitsAndKeepsTheFlag() {
    CudaStream stream = stream(LONG);
    enqueueHeld(stream);
    Thread.currentThread().interrupt();
    assertFalse(stream.drain(SHORT));
    assertTrue(Thread.interrupted());
    cuda.releaseWork();
    stream.close();
  }

  // ---- Events ------------------------------------------------------------------------------

  @Test
  void event_recordedBehindHeldWork_passesWithIt() {
    try (CudaStream stream = stream(LONG);
        CudaEvent event = stream.newEvent()) {
      enqueueHeld(stream);
      stream.record(event);
      assertFalse(event.isDone());
      cuda.releaseWork();
      assertTrue(event.isDone());
    }
  }

  @Test
  void event_closedBeforeItPasses_letsTheWorkGoOn() {
    CudaStream stream = stream(LONG);
    enqueueHeld(stream);
    CudaEvent event = stream.newEvent();
    stream.record(event);
    event.close();
    assertFalse(stream.isDone());
    cuda.releaseWork();
    stream.close();
    assertEquals(0, cuda.liveEvents());
    // As a fence it has not passed, and never will.
    assertThrows(IllegalStateException.class, event::isDone);
  }

  @Test
  void event_closedAfterItPassed_remainsAFenceThatHasPassed() {
    try (CudaStream stream = stream(LONG)) {
      CudaEvent event = stream.newEvent();
      stream.record(event);
      event.close();
      assertTrue(event.isDone());
    }
    cuda.assertNothingLive();
  }

  @Test
  void event_closedWhenAskingFails_isDestroyedAllTheSame() {
    try (CudaStream stream = stream(LONG)) {
      CudaEvent event = stream.newEvent();
      cuda.failNext("isDone", 1, "cudaErrorInvalidValue");
      assertThrows(CudaException.class, event::close);
    }
    cuda.assertNothingLive();
  }

  @Test
  void streamAndEvent_ofAnotherDevice_leaveTheCallersDeviceCurrent() {
    cuda.setDevice(0);
    CudaStream stream = CudaStream.create(cuda, 1, -5, LONG);
    CudaEvent event = stream.newEvent();
    assertEquals(0, cuda.device());
    assertEquals(1, stream.device());
    // An event of the wrong device would be refused here.
    stream.record(event);
    stream.await(WaitPolicy.BLOCK);
    event.close();
    stream.close();
    assertEquals(0, cuda.device());
    cuda.assertNothingLive();
  }

  @Test
  void streamEventAndGraph_ofOneDevice_createNoContextOnAnother_onWhicheverThreads() {
    CudaStream stream = onNewThread(() -> CudaStream.create(cuda, 1, 0, LONG));
    CudaEvent event = onNewThread(stream::newEvent);
    CapturedGraph graph =
        onNewThread(
            () -> {
              cuda.setDevice(1);
              CapturedGraph captured = stream.capture(() -> {});
              stream.launch(captured);
              stream.record(event);
              stream.await(WaitPolicy.BLOCK);
              return captured;
            });
    assertTrue(onNewThread(event::isDone));
    for (AutoCloseable resource : List.of(graph, event, stream)) {
      onNewThread(
          () -> {
            assertDoesNotThrow(resource::close);
            return null;
          });
    }
    assertTrue(cuda.contextExists(1));
    assertFalse(cuda.contextExists(0));
    cuda.assertNothingLive();
  }

  @Test
  void streams_createdAndClosedSideBySide_createNoContextOnAnotherDevice() {
    CompletableFuture<?>[] users = new CompletableFuture<?>[4];
    for (int i = 0; i < users.length; i++) {
      users[i] =
          CompletableFuture.runAsync(
              () -> CudaStream.create(cuda, 1, 0, LONG).close(), task -> new Thread(task).start());
    }
    CompletableFuture.allOf(users).join();
    assertFalse(cuda.contextExists(0));
    cuda.assertNothingLive();
  }

  private static <T> T onNewThread(Supplier<T> work) {
    return PlatformThreads.callOn(task -> new Thread(task, "new"), work);
  }

  // ---- Failures ----------------------------------------------------------------------------

  @ParameterizedTest
  @EnumSource
  void create_whenAStepFails_leavesNothingBehind(Step step) {
    cuda.setDevice(0);
    cuda.failNext(step.name(), 2, "cudaErrorMemoryAllocation");
    assertThrows(CudaException.class, () -> CudaStream.create(cuda, 1, 0, LONG));
    assertEquals(0, cuda.device());
    cuda.assertNothingLive();
  }

  /** The calls of creating, by their names in {@link dev.rankrt.natives.internal.Cuda}. */
  enum Step {
    hasContext,
    device,
    setDevice,
    streamPriorities,
    createStream,
    createEvent
  }

  @Test
  void create_withANegativeLimit_isRefusedBeforeAnyCall() {
    assertThrows(IllegalArgumentException.class, () -> stream(Duration.ofMillis(-1)));
    assertEquals(0, cuda.calls("device"));
  }

  @Test
  void capture_whenEndingFails_isAbandonedAndCanBeTriedAgain() {
    try (CudaStream stream = stream(LONG)) {
      cuda.failNext("endCapture", 2, "cudaErrorMemoryAllocation");
      assertThrows(CudaException.class, () -> stream.capture(() -> {}));
      assertEquals(1, cuda.calls("abandonCapture"));
      stream.capture(() -> {}).close();
    }
    cuda.assertNothingLive();
  }

  @Test
  void capture_whenBeginningFails_doesNotRunTheTask() {
    try (CudaStream stream = stream(LONG)) {
      cuda.failNext("beginCapture", 1, "cudaErrorInvalidValue");
      assertThrows(
          CudaException.class,
          () ->
              stream.capture(
                  () -> {
                    throw new AssertionError("ran");
                  }));
      stream.capture(() -> {}).close();
    }
    cuda.assertNothingLive();
  }

  @Test
  void capture_whenAbandoningFailsAsWell_throwsTheFirstWithTheSecond() {
    try (CudaStream stream = stream(LONG)) {
      cuda.failNext("abandonCapture", 1, "cudaErrorInvalidValue");
      Error first = new StackOverflowError("in the task");
      Error thrown =
          assertThrows(
              StackOverflowError.class,
              () ->
                  stream.capture(
                      () -> {
                        throw first;
                      }));
      assertSame(first, thrown);
      assertEquals(1, thrown.getSuppressed().length);
    }
  }

  // ---- Closing -----------------------------------------------------------------------------

  @Test
  void close_withWorkUnderWay_waitsForIt() throws Exception {
    CudaStream stream = stream(LONG);
    enqueueHeld(stream);
    CompletableFuture<Void> closing = CompletableFuture.runAsync(stream::close);
    until(() -> cuda.calls("isDone"), 3);
    assertFalse(closing.isDone());
    assertEquals(1, cuda.liveStreams());
    cuda.releaseWork();
    closing.get();
    assertEquals(0, cuda.liveStreams());
    assertFalse(stream.leaked());
    assertEquals(List.of(), cuda.faults());
  }

  @Test
  void close_whenTheWorkDoesNotEnd_leaksTheStreamAndSaysSo() {
    CudaStream stream = stream(SHORT);
    enqueueHeld(stream);
    stream.close();
    assertTrue(stream.leaked());
    assertEquals(1, cuda.liveStreams());
    assertEquals(0, cuda.calls("destroy"));
    cuda.releaseWork();
    stream.close();
    assertEquals(0, cuda.calls("destroy"));
  }

  @Test
  void close_whenTheDeviceIsLost_throwsAndLeaks() {
    CudaStream stream = stream(LONG);
    cuda.loseDevice();
    assertThrows(DeviceLostException.class, stream::close);
    assertTrue(stream.leaked());
    stream.close();
    assertEquals(0, cuda.calls("destroy"));
  }

  @Test
  void close_whenDestroyingTheEventFails_destroysTheStreamAllTheSame() {
    CudaStream stream = stream(LONG);
    cuda.failNext("destroy", 400, "cudaErrorInvalidResourceHandle");
    cuda.failNext("destroy", 709, "cudaErrorContextIsDestroyed");
    CudaException thrown = assertThrows(CudaException.class, stream::close);
    assertEquals(400, thrown.code());
    assertEquals(709, ((CudaException) thrown.getSuppressed()[0]).code());
    assertFalse(stream.leaked());
    cuda.assertNothingLive();
  }

  @Test
  void close_duringAWaitOfAnotherThread_destroysWhenThatEnds() throws Exception {
    CudaStream stream = stream(LONG);
    enqueueHeld(stream);
    CompletableFuture<Void> waiting =
        CompletableFuture.runAsync(() -> stream.await(WaitPolicy.BLOCK));
    until(() -> cuda.calls("synchronize"), 1);
    stream.close();
    assertEquals(1, cuda.liveStreams());
    assertFalse(waiting.isDone());
    cuda.releaseWork();
    waiting.get();
    assertEquals(0, cuda.liveStreams());
    assertEquals(List.of(), cuda.faults());
  }

  @Test
  void close_ofAGraphWhoseLaunchIsUnderWay_letsTheLaunchEnd()
      throws ExecutionException, InterruptedException {
    try (CudaStream stream = stream(LONG)) {
      long address = cuda.allocate(256);
      CapturedGraph graph = stream.capture(() -> stream.fill(address, 9, 256));
      cuda.holdWork();
      stream.launch(graph);
      graph.close();
      assertEquals(0, cuda.liveGraphs());
      cuda.releaseWork();
      stream.await(WaitPolicy.SPIN);
      assertEquals(9, cuda.bytes(address, 256).get(255));
      cuda.free(address);
    }
    cuda.assertNothingLive();
  }
}
