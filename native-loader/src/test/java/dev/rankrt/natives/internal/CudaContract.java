package dev.rankrt.natives.internal;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.rankrt.natives.CudaException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Supplier;
import org.bytedeco.javacpp.Pointer;
import org.bytedeco.javacpp.PointerScope;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** What every {@link Cuda} must do, the real one and the fake that other tests trust. */
abstract class CudaContract {
  private static final int BYTES = 1 << 16;

  private Cuda cuda;

  /** Returns the CUDA under test. */
  abstract Cuda cuda();

  @BeforeEach
  void useDeviceZero() {
    cuda = cuda();
    cuda.setDevice(0);
  }

  @Test
  void device_isDescribed() {
    assertTrue(cuda.deviceCount() >= 1);
    assertEquals(0, cuda.device());
    Cuda.DeviceProperties properties = cuda.properties(0);
    assertEquals(0, properties.ordinal());
    assertTrue(properties.major() >= 5, properties::toString);
    assertTrue(properties.multiprocessors() > 0, properties::toString);
    assertTrue(!properties.name().isBlank(), properties::toString);
    assertTrue(
        properties.pciBusId().matches("[0-9a-f]{4,8}:[0-9a-f]{2}:[0-9a-f]{2}\\.[0-9a-f]"),
        properties::toString);
    Cuda.MemoryInfo memory = cuda.memoryInfo();
    assertTrue(memory.freeBytes() > 0, memory::toString);
    assertTrue(memory.totalBytes() >= memory.freeBytes(), memory::toString);
    assertTrue(properties.totalBytes() >= memory.freeBytes(), properties::toString);
  }

  @Test
  void thread_withoutAContext_saysSo_andAskingAboutDevicesCreatesNone() {
    assertTrue(cuda.hasContext());
    List<Boolean> answers =
        onNewThread(
            () -> {
              List<Boolean> contexts = new ArrayList<>();
              contexts.add(cuda.hasContext());
              cuda.properties(cuda.deviceCount() - 1);
              cuda.device();
              contexts.add(cuda.hasContext());
              cuda.setDevice(0);
              contexts.add(cuda.hasContext());
              return contexts;
            });
    assertEquals(List.of(false, false, true), answers);
  }

  @Test
  void work_onADevice_leavesItCurrentOnAThreadThatHadNoContext() {
    int last = cuda.deviceCount() - 1;
    List<Integer> devices =
        onNewThread(() -> List.of(cuda.onDevice(last, cuda::device), cuda.device()));
    assertEquals(List.of(last, last), devices);
    assertEquals(last, cuda.onDevice(last, cuda::device));
    assertEquals(0, cuda.device());
  }

  private static <T> T onNewThread(Supplier<T> work) {
    return PlatformThreads.callOn(task -> new Thread(task, "new"), work);
  }

  @Test
  void device_thatIsNotThere_isRefused() {
    int none = cuda.deviceCount();
    assertThrows(CudaException.class, () -> cuda.setDevice(none));
    assertThrows(CudaException.class, () -> cuda.properties(none));
    assertEquals(0, cuda.device());
  }

  @Test
  void bytes_throughTheDeviceAndBack_areTheSame() {
    long in = cuda.allocatePinned(BYTES);
    long out = cuda.allocatePinned(BYTES);
    long device = cuda.allocate(BYTES);
    Cuda.Stream stream = cuda.createStream(0);
    assertEquals(0, device % 256);
    ByteBuffer source = cuda.view(in, BYTES);
    for (int i = 0; i < BYTES; i++) {
      source.put(i, (byte) (i * 31));
    }
    cuda.copy(device, in, BYTES, stream);
    cuda.fill(device + 256, 0x5a, 256, stream);
    cuda.copy(out, device, BYTES, stream);
    cuda.synchronize(stream);
    assertTrue(cuda.isDone(stream));

    ByteBuffer result = cuda.view(out, BYTES);
    assertEquals(ByteOrder.nativeOrder(), result.order());
    assertEquals(BYTES, result.capacity());
    for (int i = 0; i < BYTES; i++) {
      assertEquals(i >= 256 && i < 512 ? 0x5a : (byte) (i * 31), result.get(i));
    }
    cuda.destroy(stream);
    cuda.free(device);
    cuda.freePinned(in);
    cuda.freePinned(out);
  }

  @Test
  void pieces_atEqualDistances_travelInOneCopy() {
    long pinned = cuda.allocatePinned(3 * 512);
    long device = cuda.allocate(3 * 512);
    Cuda.Stream stream = cuda.createStream(0);
    ByteBuffer view = cuda.view(pinned, 3 * 512);
    for (int i = 0; i < view.capacity(); i++) {
      view.put(i, (byte) 1);
    }
    cuda.fill(device, 2, 3 * 512, stream);
    cuda.copy(device, pinned, 512, 100, 3, stream);
    cuda.copy(pinned, device, 3 * 512, stream);
    cuda.synchronize(stream);
    for (int i = 0; i < view.capacity(); i++) {
      assertEquals(i % 512 < 100 ? 1 : 2, view.get(i), "byte " + i);
    }
    cuda.destroy(stream);
    cuda.free(device);
    cuda.freePinned(pinned);
  }

  @Test
  void pinnedMemory_isMappedForTheDevice() {
    long pinned = cuda.allocatePinned(4096);
    long device = cuda.allocate(4096);
    Cuda.Stream stream = cuda.createStream(0);
    ByteBuffer view = cuda.view(pinned, 4096);
    view.put(0, (byte) 1);
    cuda.copy(device, cuda.mappedAddress(pinned), 1, stream);
    cuda.copy(cuda.mappedAddress(pinned) + 1, device, 1, stream);
    cuda.synchronize(stream);
    assertEquals(1, view.get(1));
    cuda.destroy(stream);
    cuda.free(device);
    cuda.freePinned(pinned);
  }

  @Test
  void memory_beyondAllMeasure_isRefused() {
    long tooMuch = 1L << 50;
    CudaException device = assertThrows(CudaException.class, () -> cuda.allocate(tooMuch));
    assertEquals(CudaErrors.MEMORY_ALLOCATION, device.code());
    assertEquals("cudaErrorMemoryAllocation", device.errorName());
    // The refusal must not be what a later call reports.
    cuda.synchronizeDevice();
  }

  @Test
  void event_recordedAndPassed_isDone() {
    Cuda.Stream stream = cuda.createStream(0);
    Cuda.Stream later = cuda.createStream(0);
    Cuda.Event event = cuda.createEvent(false, true);
    assertTrue(cuda.isDone(event), "one that was never recorded is done");
    cuda.record(event, stream);
    cuda.await(later, event);
    cuda.synchronize(event);
    assertTrue(cuda.isDone(event));
    cuda.synchronize(later);
    cuda.destroy(event);
    cuda.destroy(stream);
    cuda.destroy(later);
  }

  @Test
  void events_withTiming_measure() {
    Cuda.Stream stream = cuda.createStream(0);
    Cuda.Event start = cuda.createEvent(true, false);
    Cuda.Event end = cuda.createEvent(true, false);
    long device = cuda.allocate(BYTES);
    cuda.record(start, stream);
    cuda.fill(device, 1, BYTES, stream);
    cuda.record(end, stream);
    cuda.synchronize(end);
    float millis = cuda.elapsedMillis(start, end);
    assertTrue(millis >= 0 && millis < 10_000, () -> millis + " ms");
    cuda.free(device);
    cuda.destroy(start);
    cuda.destroy(end);
    cuda.destroy(stream);
  }

  @Test
  void graph_launchedAgain_repeatsItsWork() {
    long pinned = cuda.allocatePinned(256);
    long device = cuda.allocate(256);
    Cuda.Stream stream = cuda.createStream(0);
    ByteBuffer view = cuda.view(pinned, 256);
    view.put(0, (byte) 1);
    cuda.beginCapture(stream);
    cuda.copy(device, pinned, 1, stream);
    cuda.copy(pinned + 1, device, 1, stream);
    Cuda.Graph graph = cuda.endCapture(stream);
    for (byte value = 10; value < 13; value++) {
      view.put(0, value);
      cuda.launch(graph, stream);
      cuda.synchronize(stream);
      assertEquals(value, view.get(1));
    }
    cuda.destroy(graph);
    cuda.destroy(stream);
    cuda.free(device);
    cuda.freePinned(pinned);
  }

  @Test
  void capture_doesNotDisturbOtherThreads() throws InterruptedException {
    Cuda.Stream stream = cuda.createStream(0);
    cuda.beginCapture(stream);
    AtomicReference<Throwable> failure = new AtomicReference<>();
    Thread other =
        new Thread(
            () -> {
              cuda.setDevice(0);
              cuda.free(cuda.allocate(256));
            });
    other.setUncaughtExceptionHandler((thread, e) -> failure.set(e));
    other.start();
    other.join();
    cuda.destroy(cuda.endCapture(stream));
    cuda.destroy(stream);
    assertEquals(null, failure.get());
  }

  @Test
  void capture_abandoned_leavesTheStreamUsable() {
    long device = cuda.allocate(256);
    Cuda.Stream stream = cuda.createStream(0);
    cuda.abandonCapture(stream);
    cuda.beginCapture(stream);
    cuda.fill(device, 1, 256, stream);
    cuda.abandonCapture(stream);
    cuda.fill(device, 2, 256, stream);
    cuda.synchronize(stream);
    cuda.destroy(stream);
    cuda.free(device);
  }

  @Test
  void streams_ofEveryPriority_areCreated() {
    int[] range = cuda.streamPriorities();
    assertTrue(range[0] >= range[1], "CUDA counts down to the most urgent");
    for (int priority = range[0]; priority >= range[1]; priority--) {
      Cuda.Stream stream = cuda.createStream(priority);
      assertNotEquals(0, stream.address());
      cuda.destroy(stream);
    }
  }

  @Test
  void callersPointerScope_adoptsNothing() {
    long pinned;
    long device;
    Cuda.Stream stream;
    Cuda.Event event;
    Cuda.Graph graph;
    ByteBuffer view;
    long registered = Pointer.totalCount();
    try (PointerScope scope = new PointerScope()) {
      pinned = cuda.allocatePinned(256);
      device = cuda.allocate(256);
      stream = cuda.createStream(0);
      event = cuda.createEvent(false, false);
      view = cuda.view(pinned, 256);
      cuda.beginCapture(stream);
      cuda.copy(device, pinned, 256, stream);
      graph = cuda.endCapture(stream);
      cuda.memoryInfo();
      cuda.properties(0);
      cuda.hasContext();
      assertEquals(registered, Pointer.totalCount(), scope::toString);
    }
    view.put(0, (byte) 3);
    cuda.launch(graph, stream);
    cuda.record(event, stream);
    cuda.synchronize(event);
    assertEquals(3, view.get(0));
    cuda.destroy(graph);
    cuda.destroy(event);
    cuda.destroy(stream);
    cuda.free(device);
    cuda.freePinned(pinned);
  }
}
