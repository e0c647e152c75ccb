package dev.rankrt.memory.internal;

import static org.junit.jupiter.api.Assertions.assertDoesNotThrow;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.rankrt.memory.AllocationListener;
import dev.rankrt.memory.LeakDetection;
import dev.rankrt.memory.PoolConfig;
import dev.rankrt.memory.PoolExhaustedException;
import dev.rankrt.memory.PoolStats;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;

/** What every pool does, over whichever CUDA. */
@Timeout(30)
abstract class PoolContract {
  static final long KIB = 1024;
  static final long LIMIT = 1024 * KIB;

  /** Longer than a test may take, so that a waiter that is forgotten fails its test. */
  static final Duration LONG = Duration.ofMinutes(5);

  @RegisterExtension final CleanPools pools = new CleanPools();

  /** Creates a pool that is under test. */
  abstract Pool<?> create(PoolConfig config);

  final Pool<?> pool(PoolConfig config) {
    return pools.watch(create(config));
  }

  final Pool<?> pool() {
    return pool(config());
  }

  static PoolConfig config() {
    return PoolConfig.of("test", LIMIT)
        .withMaxWait(Duration.ofMillis(20))
        .withLeakDetection(LeakDetection.ALWAYS);
  }

  // ---- Leases ------------------------------------------------------------------------------

  @Test
  void acquire_ofSomeBytes_givesThatManyAtAnAlignedAddress() throws Exception {
    Pool<?> pool = pool();
    try (Lease lease = pool.acquire(100_000, "a")) {
      assertEquals(100_000, lease.bytes());
      assertEquals(0, lease.address() % 256);
      assertNotEquals(0, lease.address());
    }
  }

  @Test
  void acquire_ofNoBytes_isTheCallersMistake() {
    Pool<?> pool = pool();
    assertThrows(IllegalArgumentException.class, () -> pool.acquire(0, "a"));
    assertThrows(IllegalArgumentException.class, () -> pool.tryAcquire(-1, "a"));
    assertThrows(NullPointerException.class, () -> pool.acquire(1, null));
  }

  @Test
  void leases_heldTogether_doNotOverlap() {
    Pool<?> pool = pool();
    List<Lease> leases = new ArrayList<>();
    Optional<? extends Lease> next = pool.tryAcquire(40 * KIB, "a");
    while (next.isPresent()) {
      leases.add(next.get());
      next = pool.tryAcquire(40 * KIB, "a");
    }
    assertEquals(25, leases.size());
    leases.sort((a, b) -> Long.compareUnsigned(a.address(), b.address()));
    for (int i = 1; i < leases.size(); i++) {
      Lease before = leases.get(i - 1);
      assertTrue(before.address() + before.bytes() <= leases.get(i).address());
    }
    leases.forEach(Lease::close);
  }

  @Test
  void lease_closed_servesTheNextWithoutAskingCuda() throws Exception {
    List<String> events = new ArrayList<>();
    Pool<?> pool = pool(config().withListener(recording(events)));
    Lease first = pool.acquire(100 * KIB, "a");
    long address = first.address();
    first.close();
    try (Lease second = pool.acquire(101 * KIB, "b")) {
      assertEquals(address, second.address());
    }
    assertEquals(List.of("allocated 106496"), events);
  }

  @Test
  void lease_closedTwice_returnsOneBlock() throws Exception {
    Pool<?> pool = pool();
    Lease lease = pool.acquire(LIMIT, "a");
    lease.close();
    lease.close();
    lease.closeAfter(() -> false);
    try (Lease next = pool.acquire(LIMIT, "b")) {
      lease.close();
      assertEquals(1, pool.stats().leases());
      assertEquals(Optional.empty(), pool.tryAcquire(1, "c"));
      assertNotEquals(0, next.address());
    }
  }

  @Test
  void lease_closedByAnotherThread_isClosed() throws Exception {
    Pool<?> pool = pool();
    Lease lease = pool.acquire(1, "a");
    run(() -> {
          lease.close();
          return null;
        })
        .get();
    assertThrows(IllegalStateException.class, lease::address);
    assertEquals(0, pool.stats().leases());
  }

  @Test
  void lease_usedAfterClosing_saysWhichItWas() throws Exception {
    Pool<?> pool = pool();
    Lease lease = pool.acquire(64 * KIB, "a");
    lease.close();
    IllegalStateException error = assertThrows(IllegalStateException.class, lease::address);
    assertTrue(error.getMessage().contains("lease of 64 KiB of "), error.getMessage());
    assertTrue(error.getMessage().contains("'test'"), error.getMessage());
  }

  // ---- The limit ---------------------------------------------------------------------------

  @Test
  void acquire_ofMoreThanTheLimit_isRefusedAtOnce() {
    Pool<?> pool = pool();
    PoolExhaustedException error =
        assertThrows(PoolExhaustedException.class, () -> pool.acquire(LIMIT + 1, "a", LONG));
    assertTrue(error.getMessage().contains("can never fit"), error.getMessage());
    assertEquals(Optional.empty(), pool.tryAcquire(LIMIT + 1, "a"));
  }

  @Test
  void acquire_ofExactlyAnOddLimit_works() throws Exception {
    Pool<?> pool = pool(PoolConfig.of("odd", 100_000));
    try (Lease lease = pool.acquire(99_840, "a")) {
      assertEquals(99_840, pool.stats().reservedBytes());
      assertEquals(99_840, lease.bytes());
    }
  }

  @Test
  void acquire_fromAFullPool_saysWhoHoldsWhat() throws Exception {
    Pool<?> pool = pool();
    TestFence fence = new TestFence();
    Lease first = pool.acquire(512 * KIB, "session 1");
    Lease second = pool.acquire(256 * KIB, "session 2");
    pool.acquire(64 * KIB, "session 3").closeAfter(fence);
    PoolExhaustedException error =
        assertThrows(PoolExhaustedException.class, () -> pool.acquire(256 * KIB, "session 4"));
    String message = error.getMessage();
    for (String part :
        List.of(
            "256 KiB asked",
            "192 KiB free of 1 MiB",
            "2 leases held (768 KiB)",
            "1 blocks in quarantine (64 KiB)",
            "held by 'session 1' (1 leases, 512 KiB, acquired at [",
            getClass().getSuperclass().getSimpleName() + ".java:",
            "'session 2' (1 leases, 256 KiB",
            "raise limitBytes")) {
      assertTrue(message.contains(part), part + " is missing in: " + message);
    }
    assertFalse(message.contains("session 3"), message);
    assertEquals(2, error.stats().leases());
    assertEquals(64 * KIB, error.stats().quarantinedBytes());
    assertNull(error.getCause());
    fence.pass();
    first.close();
    second.close();
  }

  @Test
  void acquire_withoutRoom_takesTheRoomOfFreeBlocksOfOtherSizes() throws Exception {
    List<String> events = new ArrayList<>();
    Pool<?> pool = pool(config().withListener(recording(events)));
    Lease small = pool.acquire(32 * KIB, "a");
    Lease medium = pool.acquire(256 * KIB, "a");
    small.close();
    medium.close();
    try (Lease large = pool.acquire(LIMIT, "b")) {
      assertEquals(LIMIT, large.bytes());
      assertEquals(LIMIT, pool.stats().reservedBytes());
    }
    assertEquals(
        List.of(
            "allocated 32768",
            "allocated 262144",
            "freed 262144",
            "freed 32768",
            "allocated 1048576"),
        events);
    try (Lease again = pool.acquire(32 * KIB, "c")) {
      assertEquals(32 * KIB, pool.stats().reservedBytes());
      assertEquals(32 * KIB, again.bytes());
    }
  }

  @Test
  void acquire_withoutRoom_ratherTakesABlockTwiceAsLargeThanAskCuda() throws Exception {
    List<String> events = new ArrayList<>();
    Pool<?> pool = pool(config().withListener(recording(events)));
    pool.acquire(LIMIT, "a").close();
    try (Lease lease = pool.acquire(LIMIT / 2, "b")) {
      assertEquals(LIMIT / 2, lease.bytes());
      assertEquals(LIMIT, pool.stats().inUseBytes());
    }
    assertEquals(List.of("allocated 1048576"), events);
  }

  @Test
  void highWaterMark_isTheMostThatWasNotFree() throws Exception {
    Pool<?> pool = pool();
    TestFence fence = new TestFence();
    pool.acquire(128 * KIB, "a").closeAfter(fence);
    pool.acquire(256 * KIB, "a").close();
    fence.pass();
    pool.trim(0);
    assertEquals(384 * KIB, pool.stats().highWaterBytes());
    assertThrows(PoolExhaustedException.class, () -> pool.acquire(LIMIT + 1, "a"));
    assertEquals(384 * KIB, pool.stats().highWaterBytes());
  }

  @Test
  void trim_keepsWhatItIsTold_andCountsWhatCudaGotBack() throws Exception {
    Pool<?> pool = pool();
    Lease held = pool.acquire(32 * KIB, "a");
    Lease small = pool.acquire(64 * KIB, "a");
    Lease large = pool.acquire(512 * KIB, "a");
    small.close();
    large.close();
    assertEquals(0, pool.trim(576 * KIB));
    assertEquals(512 * KIB, pool.trim(64 * KIB));
    PoolStats stats = pool.stats();
    assertEquals(64 * KIB, stats.freeBytes());
    assertEquals(32 * KIB, stats.inUseBytes());
    assertEquals(64 * KIB, pool.trim(-1));
    held.close();
  }

  // ---- Waiting -----------------------------------------------------------------------------

  @Test
  void waiter_isServedByTheNextClose() throws Exception {
    Pool<?> pool = pool();
    Lease lease = pool.acquire(LIMIT, "a");
    FutureTask<Lease> waiter = startWaiter(pool, LIMIT, "b", LONG);
    assertFalse(waiter.isDone());
    lease.close();
    waiter.get().close();
  }

  @Test
  void waiter_withAnEndlessWait_isServed() throws Exception {
    Pool<?> pool = pool();
    Lease lease = pool.acquire(LIMIT, "a");
    FutureTask<Lease> waiter = startWaiter(pool, LIMIT, "b", Duration.ofSeconds(Long.MAX_VALUE));
    lease.close();
    waiter.get().close();
  }

  @Test
  void waiters_areServedInTheirOrder() throws Exception {
    Pool<?> pool = pool();
    Lease lease = pool.acquire(LIMIT, "a");
    ConcurrentLinkedQueue<Integer> order = new ConcurrentLinkedQueue<>();
    List<FutureTask<Void>> waiters = new ArrayList<>();
    for (int i = 0; i < 4; i++) {
      int number = i;
      waiters.add(
          run(
              () -> {
                try (Lease served = pool.acquire(LIMIT, "w" + number, LONG)) {
                  order.add(number);
                  assertEquals(LIMIT, served.bytes());
                }
                return null;
              }));
      awaitWaiters(pool, i + 1);
    }
    lease.close();
    for (FutureTask<Void> waiter : waiters) {
      waiter.get();
    }
    assertEquals(List.of(0, 1, 2, 3), List.copyOf(order));
  }

  @Test
  void waiter_forMuch_isNotOvertakenByOnesForLittle() throws Exception {
    Pool<?> pool = pool();
    pool.acquire(32 * KIB, "left free").close();
    Lease held = pool.acquire(512 * KIB, "a");
    FutureTask<Lease> large = startWaiter(pool, LIMIT, "large", LONG);
    assertEquals(Optional.empty(), pool.tryAcquire(32 * KIB, "small"));
    FutureTask<Lease> small = startWaiter(pool, 32 * KIB, "small", LONG);
    held.close();
    Lease served = large.get();
    assertFalse(small.isDone());
    served.close();
    small.get().close();
  }

  @Test
  void waiter_behindOneThatGaveUp_isServedAtOnce() throws Exception {
    Pool<?> pool = pool();
    Lease held = pool.acquire(512 * KIB, "a");
    AtomicReference<Thread> thread = new AtomicReference<>();
    FutureTask<Lease> large =
        run(
            () -> {
              thread.set(Thread.currentThread());
              return pool.acquire(LIMIT, "large", LONG);
            });
    awaitWaiters(pool, 1);
    FutureTask<Lease> small = startWaiter(pool, 32 * KIB, "small", LONG);
    thread.get().interrupt();
    small.get().close();
    assertThrows(ExecutionException.class, large::get);
    held.close();
  }

  @Test
  void waiter_thatTimedOut_isNeverServed() throws Exception {
    Pool<?> pool = pool();
    Lease held = pool.acquire(LIMIT, "a");
    PoolStats before = pool.stats();
    assertThrows(PoolExhaustedException.class, () -> pool.acquire(1, "b"));
    assertEquals(before, pool.stats());
    held.close();
    assertEquals(LIMIT, pool.stats().freeBytes());
    pool.acquire(LIMIT, "c").close();
  }

  @Test
  void waiter_thatWasInterrupted_isNeverServed() throws Exception {
    Pool<?> pool = pool();
    Lease held = pool.acquire(LIMIT, "a");
    PoolStats before = pool.stats();
    AtomicReference<Thread> thread = new AtomicReference<>();
    FutureTask<Lease> waiter =
        run(
            () -> {
              thread.set(Thread.currentThread());
              return pool.acquire(1, "b", LONG);
            });
    awaitWaiters(pool, 1);
    thread.get().interrupt();
    ExecutionException error = assertThrows(ExecutionException.class, waiter::get);
    assertEquals(InterruptedException.class, error.getCause().getClass());
    assertEquals(before, pool.stats());
    held.close();
    pool.acquire(LIMIT, "c").close();
  }

  @Test
  void memory_underContentionTimeoutsAndInterrupts_isNeitherSharedNorLost() throws Exception {
    Pool<?> pool = pool(config().withLeakDetection(LeakDetection.OFF));
    Map<Long, Thread> owners = new ConcurrentHashMap<>();
    List<FutureTask<Integer>> tasks = new ArrayList<>();
    List<Thread> threads = new ArrayList<>();
    CountDownLatch done = new CountDownLatch(4);
    for (int i = 0; i < 4; i++) {
      FutureTask<Integer> task =
          new FutureTask<>(
              () -> {
                try {
                  return hammer(pool, owners);
                } finally {
                  done.countDown();
                }
              });
      tasks.add(task);
      threads.add(new Thread(task, "hammer " + i));
    }
    threads.forEach(Thread::start);
    while (!done.await(1, TimeUnit.MILLISECONDS)) {
      threads.get(ThreadLocalRandom.current().nextInt(threads.size())).interrupt();
    }
    int served = 0;
    for (FutureTask<Integer> task : tasks) {
      served += task.get();
    }
    assertTrue(served > 0);
    pool.acquire(LIMIT, "all of it").close();
  }

  private static int hammer(Pool<?> pool, Map<Long, Thread> owners) {
    ThreadLocalRandom random = ThreadLocalRandom.current();
    int served = 0;
    for (int i = 0; i < 2000; i++) {
      long bytes = random.nextLong(1, LIMIT / 2);
      Duration wait = Duration.ofNanos(random.nextLong(0, 100_000));
      try {
        Lease lease = pool.acquire(bytes, "hammer", wait);
        long address = lease.address();
        assertNull(owners.put(address, Thread.currentThread()));
        LockSupport.parkNanos(1);
        assertSame(Thread.currentThread(), owners.remove(address));
        served++;
        if (random.nextBoolean()) {
          lease.close();
        } else {
          long passes = System.nanoTime() + random.nextLong(0, 50_000);
          lease.closeAfter(() -> System.nanoTime() - passes >= 0);
        }
      } catch (PoolExhaustedException | InterruptedException e) {
        assertTrue(pool.stats().reservedBytes() <= LIMIT);
      }
    }
    return served;
  }

  // ---- Fences ------------------------------------------------------------------------------

  @Test
  void block_behindAFence_isHandedOutOnlyOnceItPassed() throws Exception {
    Pool<?> pool = pool();
    TestFence fence = new TestFence();
    pool.acquire(LIMIT, "a").closeAfter(fence);
    PoolStats stats = pool.stats();
    assertEquals(LIMIT, stats.quarantinedBytes());
    assertEquals(1, stats.quarantinedBlocks());
    assertEquals(0, stats.inUseBytes());
    assertEquals(Optional.empty(), pool.tryAcquire(1, "b"));
    assertThrows(PoolExhaustedException.class, () -> pool.acquire(1, "b"));
    assertEquals(0, pool.trim(0));
    fence.pass();
    pool.acquire(LIMIT, "b").close();
    int asked = fence.asked();
    pool.trim(0);
    assertEquals(asked, fence.asked());
  }

  @Test
  void waiter_isServedWhenAFencePasses() throws Exception {
    Pool<?> pool = pool();
    TestFence fence = new TestFence();
    pool.acquire(LIMIT, "a").closeAfter(fence);
    FutureTask<Lease> waiter = startWaiter(pool, LIMIT, "b", LONG);
    fence.pass();
    waiter.get().close();
  }

  @Test
  void waiter_isServedWhenALeaseComesBackBehindAPassedFence() throws Exception {
    Pool<?> pool = pool();
    Lease lease = pool.acquire(LIMIT, "a");
    FutureTask<Lease> first = startWaiter(pool, LIMIT, "b", LONG);
    FutureTask<Lease> second = startWaiter(pool, LIMIT, "c", LONG);
    lease.closeAfter(() -> true);
    first.get().closeAfter(() -> true);
    second.get().close();
  }

  @Test
  void fence_thatFails_keepsItsBlockAndIsTheCause() throws Exception {
    Pool<?> pool = pool();
    AtomicReference<Fence> fence =
        new AtomicReference<>(
            () -> {
              throw new IllegalStateException("event is gone");
            });
    pool.acquire(LIMIT, "a").closeAfter(() -> fence.get().isDone());
    PoolExhaustedException error =
        assertThrows(PoolExhaustedException.class, () -> pool.acquire(1, "b"));
    assertEquals("event is gone", error.getCause().getMessage());
    fence.set(() -> true);
  }

  // ---- Closing the pool --------------------------------------------------------------------

  @Test
  void pool_closed_refusesAndSaysItsName() {
    Pool<?> pool = pool();
    pool.close();
    IllegalStateException error =
        assertThrows(IllegalStateException.class, () -> pool.acquire(1, "a"));
    assertTrue(error.getMessage().contains("'test'"), error.getMessage());
    assertThrows(IllegalStateException.class, () -> pool.tryAcquire(1, "a"));
  }

  @Test
  void pool_closedWithLeases_namesHoldersAndFreesWhenTheLastComesBack() throws Exception {
    Pool<?> pool = pool();
    Lease first = pool.acquire(64 * KIB, "session 1");
    Lease second = pool.acquire(32 * KIB, "session 2");
    pool.acquire(256 * KIB, "session 3").close();
    pool.close();
    String log = pools.takeLog();
    assertTrue(log.contains("'session 1' (1 leases, 64 KiB, acquired at ["), log);
    assertTrue(log.contains("'session 2'"), log);
    assertEquals(96 * KIB, pool.stats().reservedBytes());
    assertNotEquals(0, first.address());
    first.close();
    assertEquals(32 * KIB, pool.stats().reservedBytes());
    second.close();
    assertEquals(0, pool.stats().reservedBytes());
  }

  @Test
  void pool_closedTwice_isClosedOnce() throws Exception {
    Pool<?> pool = pool();
    Lease lease = pool.acquire(1, "a");
    pool.close();
    assertNotEquals("", pools.takeLog());
    PoolStats once = pool.stats();
    pool.close();
    assertEquals("", pools.takeLog());
    assertEquals(once, pool.stats());
    lease.close();
  }

  @Test
  void pool_closed_sendsWaitersAway() throws Exception {
    Pool<?> pool = pool();
    Lease lease = pool.acquire(LIMIT, "a");
    FutureTask<Lease> first = startWaiter(pool, 1, "b", LONG);
    FutureTask<Lease> second = startWaiter(pool, 1, "c", LONG);
    pool.close();
    for (FutureTask<Lease> waiter : List.of(first, second)) {
      ExecutionException error = assertThrows(ExecutionException.class, waiter::get);
      assertEquals(IllegalStateException.class, error.getCause().getClass());
    }
    lease.close();
    assertTrue(pools.takeLog().contains("'a'"));
    assertEquals(0, pool.stats().reservedBytes());
  }

  @Test
  void pool_closedBehindAFence_waitsForIt() throws Exception {
    Pool<?> pool = pool(config().withMaxWait(LONG));
    CountDownLatch asked = new CountDownLatch(2);
    TestFence fence = new TestFence();
    pool.acquire(1, "a")
        .closeAfter(
            () -> {
              asked.countDown();
              return fence.isDone();
            });
    FutureTask<Void> closing =
        run(
            () -> {
              pool.close();
              return null;
            });
    asked.await();
    fence.pass();
    closing.get();
    assertEquals(0, pool.stats().reservedBytes());
  }

  @Test
  void pool_closedBehindAFenceThatDoesNotPass_leavesThatBlockAlone() throws Exception {
    Pool<?> pool = pool();
    TestFence fence = new TestFence();
    pool.acquire(64 * KIB, "a").closeAfter(fence);
    pool.close();
    assertTrue(pools.takeLog().contains("1 blocks in quarantine (64 KiB)"));
    assertEquals(64 * KIB, pool.stats().quarantinedBytes());
    fence.pass();
  }

  // ---- Leaks and listeners -----------------------------------------------------------------

  @Test
  void lease_collectedOpen_isReportedWithItsPlaceAndStaysAllocated() throws Exception {
    List<String> events = new ArrayList<>();
    Pool<?> pool = pool(config().withListener(recording(events)));
    Block block = leak(pool);
    String log = awaitLeak(pool);
    assertTrue(log.contains("LEAK: a lease of 40 KiB of "), log);
    assertTrue(log.contains("held by 'culprit'"), log);
    assertTrue(log.contains("PoolContract.leak("), log);
    assertEquals(List.of("allocated 40960", "leaked 40960"), events);
    assertEquals(1, pool.stats().leases());
    assertEquals(40 * KIB, pool.stats().inUseBytes());
    pool.release(pool.lease(block, 1), null);
  }

  /** In a method of its own, so that no frame holds the lease. */
  private static Block leak(Pool<?> pool) throws InterruptedException {
    return pool.acquire(40 * KIB, "culprit").block;
  }

  private String awaitLeak(Pool<?> pool) throws InterruptedException {
    StringBuilder log = new StringBuilder();
    long deadline = System.nanoTime() + LONG.toNanos();
    while (!log.toString().contains("LEAK:") && System.nanoTime() < deadline) {
      System.gc();
      pool.stats();
      log.append(pools.takeLog());
      // The collector's own thread enqueues what it found; there is nothing to latch on to.
      Thread.sleep(1);
    }
    return log.toString();
  }

  @Test
  void lease_closedBeforeItIsCollected_isNoLeak() throws Exception {
    Pool<?> pool = pool();
    for (int i = 0; i < 100; i++) {
      pool.acquire(1, "a").close();
    }
    System.gc();
    pool.stats();
    assertEquals("", pools.takeLog());
  }

  @Test
  void listener_hearsOfRefusals_butNotOfTries() throws Exception {
    List<String> events = new ArrayList<>();
    Pool<?> pool = pool(config().withListener(recording(events)));
    Lease lease = pool.acquire(LIMIT, "a");
    assertEquals(Optional.empty(), pool.tryAcquire(1, "b"));
    assertThrows(PoolExhaustedException.class, () -> pool.acquire(1, "b"));
    lease.close();
    assertEquals(List.of("allocated 1048576", "exhausted"), events);
  }

  @Test
  void listener_thatThrows_harmsNobody() throws Exception {
    Pool<?> pool =
        pool(
            config()
                .withListener(
                    new AllocationListener() {
                      @Override
                      public void allocated(String name, long bytes) {
                        throw new IllegalStateException("from allocated");
                      }

                      @Override
                      public void freed(String name, long bytes) {
                        throw new AssertionError("from freed");
                      }
                    }));
    pool.acquire(1, "a").close();
    assertDoesNotThrow(() -> pool.trim(0));
    String log = pools.takeLog();
    assertTrue(log.contains("from allocated") && log.contains("from freed"), log);
  }

  @Test
  void listener_mayAskThePoolItIsToldOf() throws Exception {
    AtomicReference<Pool<?>> pool = new AtomicReference<>();
    AtomicReference<PoolStats> seen = new AtomicReference<>();
    pool.set(
        pool(
            config()
                .withListener(
                    new AllocationListener() {
                      @Override
                      public void allocated(String name, long bytes) {
                        seen.set(pool.get().stats());
                      }
                    })));
    pool.get().acquire(32 * KIB, "a").close();
    assertEquals(1, seen.get().leases());
    assertEquals(32 * KIB, seen.get().inUseBytes());
  }

  // ---- Helpers -----------------------------------------------------------------------------

  static AllocationListener recording(List<String> events) {
    return new AllocationListener() {
      @Override
      public void allocated(String pool, long bytes) {
        events.add("allocated " + bytes);
      }

      @Override
      public void freed(String pool, long bytes) {
        events.add("freed " + bytes);
      }

      @Override
      public void exhausted(String pool, PoolExhaustedException refusal) {
        events.add("exhausted");
      }

      @Override
      public void leaked(String pool, long bytes, Throwable origin) {
        events.add("leaked " + bytes);
      }
    };
  }

  static <T> FutureTask<T> run(Callable<T> task) {
    FutureTask<T> future = new FutureTask<>(task);
    new Thread(future, "test helper").start();
    return future;
  }

  /** Starts a request that has to wait, and returns once it does. */
  private static FutureTask<Lease> startWaiter(
      Pool<?> pool, long bytes, String holder, Duration maxWait) {
    int before = pool.stats().waiters();
    FutureTask<Lease> waiter = run(() -> pool.acquire(bytes, holder, maxWait));
    awaitWaiters(pool, before + 1);
    return waiter;
  }

  static void awaitWaiters(Pool<?> pool, int count) {
    while (pool.stats().waiters() != count) {
      assertFalse(Thread.currentThread().isInterrupted(), "timed out");
      Thread.onSpinWait();
    }
  }
}
