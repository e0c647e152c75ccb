package dev.rankrt.streams.internal;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.sun.management.ThreadMXBean;
import dev.rankrt.natives.CudaException;
import dev.rankrt.natives.internal.Cuda;
import dev.rankrt.streams.WaitPolicy;
import java.lang.management.ManagementFactory;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.Arrays;
import java.util.Deque;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** What streams, events and graphs do with any CUDA: the fake and the real one. */
abstract class CudaStreamContract {
  private static final int BYTES = 1 << 16;

  private final Deque<Runnable> undo = new ArrayDeque<>();
  private Cuda cuda;
  private CudaStream stream;
  private long in;
  private long out;
  private long onDevice;

  /** Returns the CUDA to test with; device 0 is used. */
  abstract Cuda cuda();

  /** Returns what is launched again and again to see that nothing is allocated. */
  Runnable steadyWork() {
    return this::copyThereAndBack;
  }

  @BeforeEach
  void createStreamAndBuffers() {
    cuda = cuda();
    cuda.setDevice(0);
    in = pinned();
    out = pinned();
    onDevice = cuda.allocate(BYTES);
    undo.push(() -> cuda.free(onDevice));
    stream = newStream(cuda.streamPriorities()[0]);
    write(in, 1);
    write(out, 0);
  }

  @AfterEach
  void undoAll() {
    while (!undo.isEmpty()) {
      undo.pop().run();
    }
  }

  private long pinned() {
    long address = cuda.allocatePinned(BYTES);
    undo.push(() -> cuda.freePinned(address));
    return address;
  }

  private CudaStream newStream(int priority) {
    CudaStream created = CudaStream.create(cuda, 0, priority, Duration.ofSeconds(10));
    undo.push(
        () -> {
          created.close();
          assertFalse(created.leaked());
        });
    return created;
  }

  private CudaEvent newEvent() {
    CudaEvent event = stream.newEvent();
    undo.push(event::close);
    return event;
  }

  private CapturedGraph captureThere() {
    CapturedGraph graph = stream.capture(this::copyThereAndBack);
    undo.push(graph::close);
    return graph;
  }

  private void copyThereAndBack() {
    stream.copy(onDevice, in, BYTES);
    stream.copy(out, onDevice, BYTES);
  }

  private void write(long address, int seed) {
    byte[] bytes = new byte[BYTES];
    for (int i = 0; i < BYTES; i++) {
      bytes[i] = (byte) (i * 31 * seed + seed);
    }
    cuda.view(address, BYTES).put(bytes);
  }

  private byte[] read(long address) {
    byte[] bytes = new byte[BYTES];
    cuda.view(address, BYTES).get(bytes);
    return bytes;
  }

  @ParameterizedTest
  @EnumSource
  void await_byAnyPolicy_returnsWhenTheCopiesHaveArrived(WaitPolicy policy) {
    for (int call = 1; call <= 20; call++) {
      write(in, call);
      copyThereAndBack();
      stream.await(policy);
      assertArrayEquals(read(in), read(out));
      assertTrue(stream.isDone());
    }
  }

  @ParameterizedTest
  @EnumSource
  void await_withTheInterruptFlagSet_waitsAndKeepsTheFlag(WaitPolicy policy) {
    copyThereAndBack();
    Thread.currentThread().interrupt();
    stream.await(policy);
    assertTrue(Thread.interrupted());
    assertArrayEquals(read(in), read(out));
  }

  @Test
  void piecesAtEqualDistances_areOneCopyOfAGraph() {
    int half = BYTES / 2;
    CapturedGraph graph =
        stream.capture(
            () -> {
              stream.fill(onDevice, 7, BYTES);
              stream.copy(onDevice, in, half, 3, 2);
              stream.copy(out, onDevice, BYTES);
            });
    undo.push(graph::close);
    stream.launch(graph);
    stream.await(WaitPolicy.BLOCK);
    byte[] given = read(in);
    byte[] expected = new byte[BYTES];
    Arrays.fill(expected, (byte) 7);
    System.arraycopy(given, 0, expected, 0, 3);
    System.arraycopy(given, half, expected, half, 3);
    assertArrayEquals(expected, read(out));
  }

  @Test
  void fill_setsEveryByte() {
    stream.fill(onDevice, 7, BYTES);
    stream.copy(out, onDevice, BYTES);
    stream.await(WaitPolicy.BLOCK);
    byte[] sevens = new byte[BYTES];
    Arrays.fill(sevens, (byte) 7);
    assertArrayEquals(sevens, read(out));
  }

  @Test
  void drain_returnsTrueWhenTheWorkIsDone() {
    copyThereAndBack();
    assertTrue(stream.drain(Duration.ofSeconds(10)));
    assertArrayEquals(read(in), read(out));
  }

  @Test
  void event_neverRecorded_hasPassed() {
    assertTrue(newEvent().isDone());
  }

  @Test
  void event_recordedAfterWork_hasPassedOnceTheStreamIsDone() {
    CudaEvent event = newEvent();
    copyThereAndBack();
    stream.record(event);
    stream.await(WaitPolicy.BLOCK);
    assertTrue(event.isDone());
  }

  @Test
  void waitFor_anEventOfAnotherStream_ordersTheWork() {
    CudaStream other = newStream(cuda.streamPriorities()[1]);
    CudaEvent copied = newEvent();
    stream.copy(onDevice, in, BYTES);
    stream.record(copied);
    other.waitFor(copied);
    other.copy(out, onDevice, BYTES);
    other.await(WaitPolicy.ADAPTIVE);
    assertArrayEquals(read(in), read(out));
  }

  @Test
  void capture_runsNothing_launchRunsItEachTime() {
    byte[] before = read(out);
    CapturedGraph graph = captureThere();
    stream.await(WaitPolicy.SPIN);
    assertArrayEquals(before, read(out));
    for (int call = 2; call < 10; call++) {
      write(in, call);
      stream.launch(graph);
      stream.await(WaitPolicy.ADAPTIVE);
      assertArrayEquals(read(in), read(out));
    }
  }

  @Test
  void graph_capturedOnOneStream_canBeLaunchedOnAnother() {
    CapturedGraph graph = captureThere();
    CudaStream other = newStream(cuda.streamPriorities()[0]);
    other.launch(graph);
    other.await(WaitPolicy.BLOCK);
    assertArrayEquals(read(in), read(out));
  }

  @Test
  void capture_taskThatThrows_leavesTheStreamUsable() {
    RuntimeException failure = new IllegalStateException("enqueue refused");
    assertSame(
        failure,
        assertThrows(
            IllegalStateException.class,
            () ->
                stream.capture(
                    () -> {
                      copyThereAndBack();
                      throw failure;
                    })));
    assertUsable();
  }

  @Test
  void capture_taskThatWaits_failsAndLeavesTheStreamUsable() {
    assertThrows(
        CudaException.class,
        () ->
            stream.capture(
                () -> {
                  copyThereAndBack();
                  stream.isDone();
                }));
    assertUsable();
  }

  @Test
  void capture_taskThatSwallowsWhatItCannotDo_failsAndLeavesTheStreamUsable() {
    assertThrows(
        CudaException.class,
        () ->
            stream.capture(
                () -> {
                  assertThrows(CudaException.class, stream::isDone);
                  copyThereAndBack();
                }));
    assertUsable();
  }

  private void assertUsable() {
    copyThereAndBack();
    stream.await(WaitPolicy.SPIN);
    assertArrayEquals(read(in), read(out));
    write(in, 3);
    stream.launch(captureThere());
    stream.await(WaitPolicy.SPIN);
    assertArrayEquals(read(in), read(out));
  }

  @Test
  void capture_onOneThread_leavesOtherThreadsAlone() {
    CapturedGraph graph =
        stream.capture(
            () -> {
              copyThereAndBack();
              CompletableFuture.runAsync(
                      () -> {
                        cuda.setDevice(0);
                        cuda.free(cuda.allocate(BYTES));
                        try (CudaStream other =
                            CudaStream.create(
                                cuda, 0, cuda.streamPriorities()[0], Duration.ofSeconds(10))) {
                          other.await(WaitPolicy.BLOCK);
                        }
                      })
                  .join();
            });
    undo.push(graph::close);
    stream.launch(graph);
    stream.await(WaitPolicy.SPIN);
    assertArrayEquals(read(in), read(out));
  }

  @ParameterizedTest
  @EnumSource(names = "BLOCK", mode = EnumSource.Mode.EXCLUDE)
  void launchAndAwait_atSteadyState_allocateNothing(WaitPolicy policy) {
    CapturedGraph graph = stream.capture(steadyWork());
    undo.push(graph::close);
    ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
    // The first rounds include what compiling does; the last one is what lasts.
    long bytes = -1;
    for (int round = 0; round < 5; round++) {
      long before = threads.getCurrentThreadAllocatedBytes();
      for (int call = 0; call < 2_000; call++) {
        stream.launch(graph);
        stream.await(policy);
      }
      bytes = threads.getCurrentThreadAllocatedBytes() - before;
    }
    assertEquals(0, bytes / 2_000, bytes + " bytes");
  }

  @Test
  void create_withAPriorityThatTheDeviceLacks_isRefusedWithTheRange() {
    int[] ends = cuda.streamPriorities();
    IllegalArgumentException refused =
        assertThrows(
            IllegalArgumentException.class,
            () -> CudaStream.create(cuda, 0, ends[0] + 1, Duration.ZERO));
    assertEquals(
        "stream priority " + (ends[0] + 1) + " is not in " + ends[1] + " to " + ends[0],
        refused.getMessage());
    assertThrows(
        IllegalArgumentException.class,
        () -> CudaStream.create(cuda, 0, ends[1] - 1, Duration.ZERO));
  }

  @Test
  void close_again_doesNothing_andUseAfterwardsIsRefusedByName() {
    CapturedGraph graph = captureThere();
    CudaEvent event = newEvent();
    assertNotEquals(0, stream.address());
    String name = stream.toString();

    graph.close();
    graph.close();
    assertEquals(
        "captured CUDA graph is closed",
        assertThrows(IllegalStateException.class, () -> stream.launch(graph)).getMessage());
    event.close();
    event.close();
    assertTrue(event.isDone());
    assertEquals(
        "CUDA event is closed",
        assertThrows(IllegalStateException.class, () -> stream.record(event)).getMessage());
    assertThrows(IllegalStateException.class, () -> stream.waitFor(event));

    stream.close();
    stream.close();
    IllegalStateException refused = assertThrows(IllegalStateException.class, stream::address);
    assertEquals(name + " is closed", refused.getMessage());
    assertThrows(IllegalStateException.class, () -> stream.copy(out, in, BYTES));
    assertThrows(IllegalStateException.class, () -> stream.fill(onDevice, 0, BYTES));
    assertThrows(IllegalStateException.class, () -> stream.await(WaitPolicy.SPIN));
    assertThrows(IllegalStateException.class, () -> stream.drain(Duration.ZERO));
    assertThrows(IllegalStateException.class, () -> stream.capture(this::copyThereAndBack));
    assertThrows(IllegalStateException.class, stream::newEvent);
  }
}
