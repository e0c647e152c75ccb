package dev.rankrt.natives.internal;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.sun.management.ThreadMXBean;
import dev.rankrt.natives.CudaException;
import dev.rankrt.natives.LoadOptions;
import dev.rankrt.natives.NativeInfo;
import java.lang.management.ManagementFactory;
import org.bytedeco.javacpp.IntPointer;
import org.bytedeco.javacpp.Loader;
import org.bytedeco.javacpp.LongPointer;
import org.bytedeco.javacpp.Pointer;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** The contract on a GPU, and what only the real libraries can show. */
@Tag("gpu")
class RealCudaTest extends CudaContract {
  private static final int CALLS = 20_000;

  @Override
  Cuda cuda() {
    return Natives.load(LoadOptions.defaults()).cuda();
  }

  @Test
  void libraries_loaded_areNamed() {
    NativeInfo info = Natives.load(LoadOptions.defaults()).info();
    assertTrue(info.files().keySet().stream().anyMatch(name -> name.startsWith("libnvinfer.so")));
    assertNull(System.getProperty("org.bytedeco.javacpp.loadlibraries"));
    for (String unwanted : new String[] {"jnicublas", "jnicudnn", "jninvrtc"}) {
      assertTrue(
          !Loader.getLoadedLibraries().containsKey(unwanted), () -> unwanted + " was loaded");
    }
  }

  @Test
  void memory_refused_isReportedWithItsNumbers() {
    Cuda cuda = cuda();
    CudaException device = assertThrows(CudaException.class, () -> cuda.allocate(1L << 50));
    assertTrue(device.getMessage().contains("cudaMalloc of " + (1L << 50)), device::getMessage);
    assertTrue(device.getMessage().contains(" bytes free of "), device::getMessage);
    CudaException host = assertThrows(CudaException.class, () -> cuda.allocatePinned(1L << 50));
    assertTrue(host.getMessage().contains("cudaHostAlloc of " + (1L << 50)), host::getMessage);
    cuda.synchronizeDevice();
  }

  @Test
  void wrongAddress_isRefusedWithWords() {
    Cuda cuda = cuda();
    long pinned = cuda.allocatePinned(256);
    CudaException failure =
        assertThrows(CudaException.class, () -> cuda.mappedAddress(pinned + (1L << 40)));
    assertEquals("cudaErrorInvalidValue", failure.errorName());
    assertTrue(failure.getMessage().contains("cudaHostGetDevicePointer"), failure::getMessage);
    cuda.freePinned(pinned);
  }

  @Test
  void path_ofACall_createsNoObject() {
    Cuda cuda = cuda();
    long pinned = cuda.allocatePinned(256);
    long device = cuda.allocate(256);
    Cuda.Stream stream = cuda.createStream(0);
    Cuda.Event event = cuda.createEvent(false, false);
    cuda.beginCapture(stream);
    cuda.copy(device, pinned, 256, stream);
    Cuda.Graph graph = cuda.endCapture(stream);
    call(cuda, graph, event, stream, pinned, device);

    ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
    threads.getCurrentThreadAllocatedBytes();
    long before = threads.getCurrentThreadAllocatedBytes();
    call(cuda, graph, event, stream, pinned, device);
    long allocated = threads.getCurrentThreadAllocatedBytes() - before;
    // The measurement itself may show a few objects; one per call would be hundreds of kilobytes.
    assertTrue(allocated < 4096, () -> allocated + " bytes in " + CALLS + " calls");

    cuda.destroy(graph);
    cuda.destroy(event);
    cuda.destroy(stream);
    cuda.free(device);
    cuda.freePinned(pinned);
  }

  private static void call(
      Cuda cuda, Cuda.Graph graph, Cuda.Event event, Cuda.Stream stream, long pinned, long device) {
    for (int i = 0; i < CALLS; i++) {
      cuda.launch(graph, stream);
      cuda.copy(device, pinned, 16, stream);
      cuda.fill(device, 0, 16, stream);
      cuda.record(event, stream);
      cuda.await(stream, event);
      cuda.isDone(event);
      cuda.isDone(stream);
      cuda.synchronize(event);
      cuda.synchronize(stream);
    }
  }

  @Test
  void destroy_callsTheSecondEntryOfTheVirtualTable() {
    cuda();
    // An object by hand: a table whose second entry is a function of one pointer that changes what
    // it points to, and says so by it: rand_r() of the C library.
    Pointer table = Pointer.malloc(2L * Long.BYTES);
    Pointer object = Pointer.malloc(Long.BYTES);
    try {
      new LongPointer(table).put(0, 0).put(1, Loader.addressof("rand_r").address());
      new LongPointer(object).put(table.address());
      int before = new IntPointer(object).get();
      Address pointer = new Address(object.address());
      NativeObjects.destroy(pointer);
      assertNotEquals(before, new IntPointer(object).get());
      assertTrue(pointer.isNull());

      int once = new IntPointer(object).get();
      NativeObjects.destroy(pointer);
      NativeObjects.destroy(null);
      assertEquals(once, new IntPointer(object).get());
    } finally {
      Pointer.free(object);
      Pointer.free(table);
    }
  }
}
