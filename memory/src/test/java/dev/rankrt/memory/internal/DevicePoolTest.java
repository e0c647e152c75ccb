package dev.rankrt.memory.internal;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.rankrt.memory.PoolConfig;
import dev.rankrt.memory.PoolExhaustedException;
import dev.rankrt.memory.PoolStats;
import dev.rankrt.natives.CudaException;
import dev.rankrt.natives.DeviceLostException;
import dev.rankrt.natives.internal.Cuda;
import dev.rankrt.natives.internal.FakeCuda;
import java.lang.reflect.Proxy;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class DevicePoolTest extends PoolContract {
  private final FakeCuda cuda = new FakeCuda(2, 2 * LIMIT);

  @Override
  DevicePool create(PoolConfig config) {
    return new DevicePool(cuda, 1, config);
  }

  @AfterEach
  void noFaults() {
    assertEquals(List.of(), cuda.faults());
  }

  @Test
  void memory_comesFromThePoolsDevice_andTheThreadsDeviceIsPutBack() throws Exception {
    cuda.setDevice(0);
    Pool<?> pool = pool();
    try (Lease lease = pool.acquire(1, "a")) {
      assertEquals(1, cuda.deviceOf(lease.address()));
      assertEquals(0, cuda.device());
    }
    pool.trim(0);
    assertEquals(0, cuda.device());
    cuda.setDevice(1);
    long before = cuda.calls("setDevice");
    pool.acquire(1, "a").close();
    assertEquals(before, cuda.calls("setDevice"));
  }

  @Test
  void memory_ofOneDevice_createsNoContextOnAnother() throws Exception {
    Pool<?> pool = pool();
    List<Future<?>> users = new ArrayList<>();
    for (int i = 0; i < 4; i++) {
      users.add(
          run(
              () -> {
                pool.acquire(32 * KIB, "a", LONG).close();
                return pool.trim(0);
              }));
    }
    for (Future<?> user : users) {
      user.get();
    }
    assertTrue(cuda.contextExists(1));
    assertFalse(cuda.contextExists(0));
  }

  @Test
  void device_withoutMemory_isTrimmedOnceAndThenTheReasonIsTheCause() throws Exception {
    Pool<?> pool = pool();
    pool.acquire(32 * KIB, "a").close();
    cuda.failNext("allocate", 2, "cudaErrorMemoryAllocation");
    pool.acquire(64 * KIB, "b").close();
    assertEquals(64 * KIB, pool.stats().reservedBytes());

    cuda.failNext("allocate", 2, "cudaErrorMemoryAllocation");
    cuda.failNext("allocate", 2, "cudaErrorMemoryAllocation");
    PoolExhaustedException error =
        assertThrows(PoolExhaustedException.class, () -> pool.acquire(128 * KIB, "c"));
    assertEquals("cudaErrorMemoryAllocation", ((CudaException) error.getCause()).errorName());
    assertTrue(error.getMessage().contains("the device itself"), error.getMessage());

    cuda.failNext("allocate", 2, "cudaErrorMemoryAllocation");
    assertThrows(PoolExhaustedException.class, () -> pool.acquire(128 * KIB, "d"));
    assertEquals(0, pool.stats().reservedBytes());
  }

  @Test
  void allocation_thatFails_changesNothing() throws Exception {
    cuda.setDevice(0);
    Pool<?> pool = pool();
    PoolStats before = pool.stats();
    cuda.failNext("allocate", 999, "cudaErrorUnknown");
    CudaException error = assertThrows(CudaException.class, () -> pool.acquire(1, "a"));
    assertEquals(999, error.code());
    assertEquals(before, pool.stats());
    assertEquals(0, cuda.device());
    pool.acquire(LIMIT, "b").close();
  }

  @Test
  void allocation_thatFails_servesTheNextWaiter() throws Exception {
    Pool<?> pool = pool();
    Lease held = pool.acquire(LIMIT, "a");
    var first = run(() -> pool.acquire(512 * KIB + 1, "b", LONG));
    awaitWaiters(pool, 1);
    var second = run(() -> pool.acquire(32 * KIB, "c", LONG));
    awaitWaiters(pool, 2);
    cuda.failNext("allocate", 999, "cudaErrorUnknown");
    held.close();
    int failures = 0;
    for (var waiter : List.of(first, second)) {
      try {
        waiter.get().close();
      } catch (ExecutionException e) {
        assertEquals(CudaException.class, e.getCause().getClass());
        failures++;
      }
    }
    assertTrue(failures <= 1);
    pool.acquire(LIMIT, "d").close();
  }

  @Test
  void free_thatFails_countsAsFreed_andIsNotTriedAgain() throws Exception {
    List<String> events = new ArrayList<>();
    Pool<?> pool = pool(config().withListener(recording(events)));
    pool.acquire(32 * KIB, "a").close();
    cuda.failNext("free", 1, "cudaErrorInvalidValue");
    assertEquals(32 * KIB, pool.trim(0));
    assertEquals(0, pool.stats().reservedBytes());
    assertEquals(0, pool.trim(0));
    assertEquals(1, cuda.calls("free"));
    assertEquals(List.of("allocated 32768", "freed 32768"), events);
    assertTrue(pools.takeLog().contains("it counts as freed"));
  }

  @Test
  void free_thatEndsInAnError_leavesTheOtherBlocksAndTheCountsAlone() throws Exception {
    AtomicBoolean fails = new AtomicBoolean();
    Cuda failing =
        (Cuda)
            Proxy.newProxyInstance(
                Cuda.class.getClassLoader(),
                new Class<?>[] {Cuda.class},
                (proxy, method, arguments) -> {
                  if (method.getName().equals("onDevice") && fails.getAndSet(false)) {
                    // A virtual thread needs another one for it, and may not get that. JUnit takes
                    // no OutOfMemoryError.
                    throw new InternalError("unable to create native thread");
                  }
                  return method.invoke(cuda, arguments);
                });
    Pool<?> pool = pools.watch(new DevicePool(failing, 1, config()));
    Lease small = pool.acquire(32 * KIB, "a");
    pool.acquire(64 * KIB, "b").close();
    small.close();
    fails.set(true);
    assertEquals(96 * KIB, pool.trim(0));
    assertEquals(0, pool.stats().reservedBytes());
    assertEquals(64 * KIB, cuda.deviceBytes(1), "the largest is freed first, and failed");
    assertTrue(pools.takeLog().contains("it counts as freed"));
  }

  @Test
  void device_lost_leavesNothingInThePool() throws Exception {
    Pool<?> pool = pool();
    Lease lease = pool.acquire(1, "a");
    cuda.loseDevice();
    assertThrows(DeviceLostException.class, () -> pool.acquire(1, "b"));
    lease.close();
    pool.close();
    assertEquals(0, pool.stats().reservedBytes());
    assertTrue(pools.takeLog().contains("it counts as freed"));
  }

  @Test
  void extension_overAPoolThatIsNotEmpty_fails() throws Exception {
    CleanPools extension = new CleanPools();
    Pool<?> pool = extension.watch(create(config()));
    Lease lease = pool.acquire(1, "a");
    AssertionError error = assertThrows(AssertionError.class, extension::check);
    assertTrue(error.getMessage().contains("leases=1"), error.getMessage());
    lease.close();
    extension.check();
    extension.beforeEach(null);
    System.err.println("LEAK: something");
    assertThrows(AssertionError.class, extension::check);
    assertTrue(pools.takeLog().contains("LEAK: something"));
  }
}
