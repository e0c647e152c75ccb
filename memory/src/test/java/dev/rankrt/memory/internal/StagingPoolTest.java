package dev.rankrt.memory.internal;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.rankrt.memory.LeakDetection;
import dev.rankrt.memory.PoolConfig;
import dev.rankrt.memory.PoolStats;
import dev.rankrt.natives.CudaException;
import dev.rankrt.natives.internal.FakeCuda;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.List;
import java.util.concurrent.Executor;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class StagingPoolTest extends PoolContract {
  private final FakeCuda cuda = new FakeCuda(2);

  @Override
  StagingPool create(PoolConfig config) {
    return create(config, Runnable::run);
  }

  private StagingPool create(PoolConfig config, Executor placement) {
    return pools.watch(new StagingPool(cuda, 1, config, placement));
  }

  @AfterEach
  void noFaults() {
    assertEquals(List.of(), cuda.faults());
  }

  @Test
  void view_isTheMemoryThatTheDeviceSees() throws Exception {
    StagingPool pool = create(config());
    try (StagingBuffer lease = pool.acquire(100, "a")) {
      ByteBuffer view = lease.view();
      assertEquals(100, view.capacity());
      assertEquals(ByteOrder.nativeOrder(), view.order());
      view.putInt(96, 42);
      assertEquals(42, cuda.bytes(lease.mappedAddress() + 96, 4).getInt());
      assertEquals(42, lease.view().getInt(96));
    }
  }

  @Test
  void lease_closed_givesNoMoreViews() throws Exception {
    StagingBuffer lease = create(config()).acquire(100, "a");
    lease.close();
    assertThrows(IllegalStateException.class, lease::view);
    assertThrows(IllegalStateException.class, lease::mappedAddress);
  }

  @Test
  void memory_thatCameBack_isScribbledOver_whereLeaksAreAlwaysDetected() throws Exception {
    StagingPool pool = create(config());
    StagingBuffer lease = pool.acquire(100, "a");
    ByteBuffer view = lease.view();
    view.put(0, (byte) 1);
    lease.close();
    assertEquals((byte) 0xDB, view.get(0));

    StagingPool quiet = create(config().withLeakDetection(LeakDetection.OFF));
    StagingBuffer untouched = quiet.acquire(100, "a");
    ByteBuffer same = untouched.view();
    same.put(0, (byte) 1);
    untouched.close();
    assertEquals(1, same.get(0));
  }

  @Test
  void memory_ofOneDevice_createsNoContextOnAnother() throws Exception {
    StagingPool pool = create(config(), task -> new Thread(task).start());
    pool.acquire(1, "a").close();
    pool.trim(0);
    assertTrue(cuda.contextExists(1));
    assertFalse(cuda.contextExists(0));
  }

  @Test
  void memory_isAllocatedOnThePlacedThread() throws Exception {
    AtomicReference<Thread> placed = new AtomicReference<>();
    StagingPool pool =
        create(
            config(),
            task -> {
              Thread thread = new Thread(task);
              placed.set(thread);
              thread.start();
            });
    try (StagingBuffer lease = pool.acquire(1, "a")) {
      assertSame(placed.get(), cuda.allocatedBy(lease.address()));
    }
  }

  @Test
  void memory_allocatedWhileInterrupted_isNotLost() throws Exception {
    Thread caller = Thread.currentThread();
    StagingPool pool =
        create(
            config(),
            task ->
                new Thread(
                        () -> {
                          caller.interrupt();
                          task.run();
                        })
                    .start());
    StagingBuffer lease = pool.acquire(1, "a");
    assertTrue(Thread.interrupted());
    lease.close();
  }

  @Test
  void placement_thatRefuses_changesNothing() {
    StagingPool pool =
        create(
            config(),
            task -> {
              throw new RejectedExecutionException("no node");
            });
    PoolStats before = pool.stats();
    assertThrows(RejectedExecutionException.class, () -> pool.acquire(1, "a"));
    assertEquals(before, pool.stats());
  }

  @Test
  void mapping_thatFails_givesTheMemoryBack() {
    StagingPool pool = create(config());
    cuda.failNext("mappedAddress", 1, "cudaErrorInvalidValue");
    cuda.failNext("freePinned", 999, "cudaErrorUnknown");
    CudaException error = assertThrows(CudaException.class, () -> pool.acquire(1, "a"));
    assertEquals(1, error.code());
    assertEquals(1, error.getSuppressed().length);
    assertEquals(0, cuda.pinnedBytes());
    assertEquals(0, pool.stats().reservedBytes());
  }
}
