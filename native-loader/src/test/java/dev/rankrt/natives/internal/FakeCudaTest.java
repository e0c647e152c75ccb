package dev.rankrt.natives.internal;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.rankrt.natives.CudaException;
import dev.rankrt.natives.DeviceLostException;
import dev.rankrt.testing.VirtualThreads;
import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Supplier;
import org.junit.jupiter.api.Test;

/** The fake is trusted by every other test, so what it catches is tested here. */
class FakeCudaTest {
  private final FakeCuda cuda = new FakeCuda(2, 1 << 20);

  @Test
  void bytes_copiedInAndOut_arrive() {
    long host = cuda.allocatePinned(64);
    long device = cuda.allocate(64);
    Cuda.Stream stream = cuda.createStream(0);
    ByteBuffer view = cuda.view(host, 64);
    for (int i = 0; i < 64; i++) {
      view.put(i, (byte) i);
    }
    cuda.copy(device, host, 64, stream);
    cuda.fill(device + 1, 9, 1, stream);
    cuda.copy(cuda.mappedAddress(host) + 32, device, 32, stream);
    assertEquals(31, view.get(31));
    assertEquals(0, view.get(32));
    assertEquals(9, view.get(33));
    assertEquals(2, view.get(34));
    assertTrue(view.isDirect());

    cuda.destroy(stream);
    cuda.free(device);
    cuda.freePinned(host);
    cuda.assertNothingLive();
  }

  @Test
  void work_onADevice_isNoVirtualThreads_whichMayLeaveTheThreadThatTheDeviceIsCurrentOn()
      throws Throwable {
    assumeTrue(Runtime.version().feature() >= 21, "virtual threads came with Java 21");
    AtomicReference<Thread> worked = new AtomicReference<>();
    AtomicInteger device = new AtomicInteger();
    AtomicReference<Throwable> thrown = new AtomicReference<>();
    Runnable asks =
        () -> {
          device.set(
              cuda.onDevice(
                  1,
                  () -> {
                    worked.set(Thread.currentThread());
                    return cuda.device();
                  }));
          thrown.set(failsOnDeviceOne());
        };
    Thread virtual = VirtualThreads.start(asks);
    virtual.join();
    assertTrue(PlatformThreads.isVirtual(virtual));
    assertFalse(PlatformThreads.isVirtual(worked.get()));
    assertEquals(1, device.get());
    assertEquals("scripted", thrown.get().getMessage());
  }

  private IllegalStateException failsOnDeviceOne() {
    return assertThrows(
        IllegalStateException.class,
        () ->
            cuda.onDevice(
                1,
                () -> {
                  throw new IllegalStateException("scripted");
                }));
  }

  @Test
  void context_isThatOfTheDeviceSet_andOfDeviceZeroWhereNoneWas() {
    assertEquals(2, cuda.deviceCount());
    assertEquals(0, cuda.device());
    assertFalse(cuda.hasContext());
    assertFalse(cuda.contextExists(0));
    onNewThread(
        () -> {
          cuda.setDevice(1);
          return cuda.allocate(1);
        });
    assertTrue(cuda.contextExists(1));
    assertFalse(cuda.contextExists(0));
    assertFalse(cuda.hasContext(), "another thread's");
    cuda.streamPriorities();
    assertTrue(cuda.hasContext());
    assertTrue(cuda.contextExists(0));
  }

  @Test
  void work_onADevice_createsNoOthersContext_onWhicheverThreads() throws Exception {
    List<Thread> threads = new ArrayList<>();
    AtomicInteger right = new AtomicInteger();
    for (int i = 0; i < 8; i++) {
      Thread thread =
          new Thread(
              () -> {
                long address = cuda.onDevice(1, () -> cuda.allocate(256));
                failsOnDeviceOne();
                right.addAndGet(cuda.deviceOf(address));
                cuda.free(address);
              });
      threads.add(thread);
      thread.start();
    }
    for (Thread thread : threads) {
      thread.join();
    }
    assertEquals(8, right.get());
    assertTrue(cuda.contextExists(1));
    assertFalse(cuda.contextExists(0));
  }

  @Test
  void work_onADevice_putsBackTheOneThatHadAContext_alsoWhenItFails() {
    cuda.setDevice(1);
    assertEquals(0, cuda.onDevice(0, cuda::device));
    assertEquals(1, cuda.device());
    IllegalStateException failure =
        assertThrows(
            IllegalStateException.class,
            () ->
                cuda.onDevice(
                    0,
                    () -> {
                      cuda.failNext("setDevice", 2, "cudaErrorMemoryAllocation");
                      throw new IllegalStateException("scripted");
                    }));
    assertEquals(CudaException.class, failure.getSuppressed()[0].getClass());
  }

  @Test
  void device_thatCannotBePutBack_isForTheLog_andTheResultIsKept() {
    cuda.setDevice(0);
    PrintStream err = System.err;
    ByteArrayOutputStream log = new ByteArrayOutputStream();
    System.setErr(new PrintStream(log, true, StandardCharsets.UTF_8));
    long address;
    try {
      address =
          cuda.onDevice(
              1,
              () -> {
                cuda.failNext("setDevice", 2, "cudaErrorMemoryAllocation");
                return cuda.allocate(256);
              });
    } finally {
      System.setErr(err);
    }
    assertEquals(1, cuda.deviceOf(address));
    String warning = log.toString(StandardCharsets.UTF_8);
    assertTrue(warning.contains("device 1 stays current on this thread, where 0 was"), warning);
    assertTrue(warning.contains("cudaErrorMemoryAllocation"), warning);
  }

  private static <T> T onNewThread(Supplier<T> work) {
    return PlatformThreads.callOn(task -> new Thread(task, "new"), work);
  }

  @Test
  void freshMemory_holdsGarbage() {
    assertNotEquals(0, cuda.bytes(cuda.allocate(1), 1).get(0));
  }

  @Test
  void memory_misused_isAFault() {
    long address = cuda.allocate(100);
    assertEquals(0, address % 256);
    assertThrows(AssertionError.class, () -> cuda.view(address, 1));
    assertThrows(AssertionError.class, () -> cuda.bytes(address + 50, 51));
    assertThrows(AssertionError.class, () -> cuda.freePinned(address));
    assertThrows(AssertionError.class, () -> cuda.free(address + 1));
    cuda.free(address);
    assertThrows(AssertionError.class, () -> cuda.free(address));
    assertThrows(AssertionError.class, () -> cuda.bytes(address, 1));
    assertThrows(AssertionError.class, cuda::assertNothingLive);
    assertEquals(6, cuda.faults().size());
  }

  @Test
  void memory_freedUnderQueuedWork_isAFault() {
    long address = cuda.allocate(256);
    Cuda.Stream stream = cuda.createStream(0);
    cuda.holdWork();
    cuda.fill(address, 1, 256, stream);
    assertThrows(AssertionError.class, () -> cuda.free(address));
    cuda.complete(stream);
    cuda.free(address);
  }

  @Test
  void memory_leftAllocated_isNamed() {
    cuda.allocate(100);
    AssertionError error = assertThrows(AssertionError.class, cuda::assertNothingLive);
    assertTrue(error.getMessage().contains("100 bytes of device 0"), error.getMessage());
  }

  @Test
  void devices_haveTheirOwnMemory_andThreadsTheirOwnDevice() throws InterruptedException {
    cuda.setDevice(1);
    long address = cuda.allocate(1 << 20);
    assertEquals(1, cuda.deviceOf(address));
    assertEquals(0, cuda.memoryInfo().freeBytes());
    CudaException full = assertThrows(CudaException.class, () -> cuda.allocate(1));
    assertEquals("cudaErrorMemoryAllocation", full.errorName());
    AtomicInteger other = new AtomicInteger(-1);
    Thread thread = new Thread(() -> other.set(cuda.device()));
    thread.start();
    thread.join();
    assertEquals(0, other.get());
    assertThrows(CudaException.class, () -> cuda.setDevice(2));
  }

  @Test
  void work_held_completesWhenTold_andInOrderOfEvents() {
    StringBuilder order = new StringBuilder();
    Cuda.Stream first = cuda.createStream(0);
    Cuda.Stream second = cuda.createStream(0);
    Cuda.Event event = cuda.createEvent(false, false);
    assertTrue(cuda.isDone(event));
    cuda.holdWork();
    cuda.enqueue(first, () -> order.append('a'));
    cuda.record(event, first);
    cuda.await(second, event);
    cuda.enqueue(second, () -> order.append('b'));
    assertFalse(cuda.isDone(event));
    cuda.complete(second);
    assertEquals("", order.toString());
    cuda.completeNext(first);
    assertEquals("a", order.toString());
    assertFalse(cuda.isDone(second));
    cuda.complete(first);
    assertEquals("ab", order.toString());
    assertTrue(cuda.isDone(event));
    assertTrue(cuda.isDone(second));
  }

  @Test
  void synchronize_withHeldWork_waitsForIt() throws InterruptedException {
    Cuda.Stream stream = cuda.createStream(0);
    cuda.holdWork();
    cuda.enqueue(stream, () -> {});
    CountDownLatch returned = new CountDownLatch(1);
    Thread waiter =
        new Thread(
            () -> {
              cuda.synchronize(stream);
              returned.countDown();
            });
    waiter.start();
    while (waiter.getState() != Thread.State.TIMED_WAITING) {
      Thread.onSpinWait();
    }
    assertEquals(1, returned.getCount());
    cuda.releaseWork();
    assertTrue(returned.await(10, TimeUnit.SECONDS));
  }

  @Test
  void graph_launched_replaysWhatWasCaptured() {
    long address = cuda.allocate(4);
    Cuda.Stream stream = cuda.createStream(0);
    AtomicInteger runs = new AtomicInteger();
    cuda.beginCapture(stream);
    cuda.fill(address, 7, 4, stream);
    cuda.enqueue(stream, runs::incrementAndGet);
    assertEquals(0, runs.get());
    Cuda.Graph graph = cuda.endCapture(stream);
    assertEquals(0, runs.get());
    cuda.launch(graph, stream);
    cuda.launch(graph, stream);
    assertEquals(2, runs.get());
    assertEquals(7, cuda.bytes(address, 4).get(3));
    cuda.destroy(graph);
    assertThrows(AssertionError.class, () -> cuda.launch(graph, stream));
  }

  @Test
  void capture_brokenBySynchronising_failsAndLeavesTheStreamUsable() {
    Cuda.Stream stream = cuda.createStream(0);
    cuda.beginCapture(stream);
    assertThrows(CudaException.class, () -> cuda.allocate(1));
    assertThrows(CudaException.class, () -> cuda.endCapture(stream));
    cuda.beginCapture(stream);
    cuda.abandonCapture(stream);
    cuda.synchronize(stream);
  }

  @Test
  void failure_scripted_happensOnce_andAFailedFreeStillFrees() {
    cuda.failNext("allocate", 2, "cudaErrorMemoryAllocation");
    CudaException failure = assertThrows(CudaException.class, () -> cuda.allocate(1));
    assertEquals(2, failure.code());
    long address = cuda.allocate(1);
    cuda.failNext("free", 1, "cudaErrorInvalidValue");
    assertThrows(CudaException.class, () -> cuda.free(address));
    assertEquals(0, cuda.deviceBytes(0));
    assertEquals(2, cuda.calls("allocate"));
    assertThrows(
        IllegalArgumentException.class, () -> cuda.failNext("alocate", 2, "cudaErrorUnknown"));
  }

  @Test
  void device_lost_failsEveryCall() {
    cuda.loseDevice();
    assertThrows(DeviceLostException.class, () -> cuda.allocate(1));
    assertThrows(DeviceLostException.class, () -> cuda.createStream(0));
  }
}
