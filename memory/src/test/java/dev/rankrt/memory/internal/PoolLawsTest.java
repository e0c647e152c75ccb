package dev.rankrt.memory.internal;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.rankrt.memory.LeakDetection;
import dev.rankrt.memory.PoolConfig;
import dev.rankrt.memory.PoolExhaustedException;
import dev.rankrt.memory.PoolStats;
import dev.rankrt.natives.CudaException;
import dev.rankrt.natives.internal.FakeCuda;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import net.jqwik.api.Arbitraries;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.Combinators;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.Provide;
import net.jqwik.api.Tuple;
import net.jqwik.api.constraints.LongRange;

/** Laws that hold for any sequence of what can happen to a pool. */
class PoolLawsTest {
  private static final long LIMIT = 1 << 20;

  enum Kind {
    TRY_ACQUIRE,
    ACQUIRE_IN_VAIN_OR_NOT,
    CLOSE,
    CLOSE_AGAIN,
    CLOSE_AFTER,
    PASS_FENCE,
    TRIM,
    FAIL_ALLOCATION
  }

  /** One step; the number chooses a size or one of the things there are. */
  record Step(Kind kind, int number) {}

  @Provide
  Arbitrary<List<Step>> steps() {
    // Acquiring twice as often as closing keeps the pool near its limit, where it is interesting.
    Arbitrary<Kind> kinds =
        Arbitraries.frequencyOf(
            Tuple.of(6, Arbitraries.just(Kind.TRY_ACQUIRE)),
            Tuple.of(1, Arbitraries.just(Kind.ACQUIRE_IN_VAIN_OR_NOT)),
            Tuple.of(2, Arbitraries.just(Kind.CLOSE)),
            Tuple.of(1, Arbitraries.just(Kind.CLOSE_AGAIN)),
            Tuple.of(2, Arbitraries.just(Kind.CLOSE_AFTER)),
            Tuple.of(2, Arbitraries.just(Kind.PASS_FENCE)),
            Tuple.of(1, Arbitraries.just(Kind.TRIM)),
            Tuple.of(1, Arbitraries.just(Kind.FAIL_ALLOCATION)));
    Arbitrary<Integer> numbers = Arbitraries.integers().between(0, 450_000);
    return Combinators.combine(kinds, numbers).as(Step::new).list().ofMinSize(1).ofMaxSize(60);
  }

  @Property(tries = 1000)
  void devicePool_keepsItsLaws(@ForAll("steps") List<Step> steps) throws Exception {
    FakeCuda cuda = new FakeCuda();
    Model model = new Model(cuda, new DevicePool(cuda, 0, config()), "allocate");
    model.runAll(steps);
  }

  @Property(tries = 300)
  void stagingPool_keepsItsLaws(@ForAll("steps") List<Step> steps) throws Exception {
    FakeCuda cuda = new FakeCuda();
    Model model =
        new Model(cuda, new StagingPool(cuda, 0, config(), Runnable::run), "allocatePinned");
    model.runAll(steps);
  }

  private static PoolConfig config() {
    return PoolConfig.of("laws", LIMIT)
        .withMaxWait(Duration.ZERO)
        .withLeakDetection(LeakDetection.OFF);
  }

  @Property
  void sizeClass_isTheSmallestThatHolds_andWastesAnEighthAtMost(
      @ForAll @LongRange(min = 256, max = 1L << 41) long limit,
      @ForAll @LongRange(min = 1) long any) {
    SizeClasses sizes = new SizeClasses(limit);
    int count = sizes.count();
    assertEquals(limit / 256 * 256, sizes.bytes(count - 1));
    for (int i = 0; i < count; i++) {
      assertEquals(0, sizes.bytes(i) % 256);
      assertTrue(i == 0 || sizes.bytes(i - 1) < sizes.bytes(i));
      assertEquals(i, sizes.of(sizes.bytes(i)));
    }
    long bytes = 1 + any % limit;
    int sizeClass = sizes.of(bytes);
    if (sizeClass < 0) {
      assertTrue(bytes > sizes.bytes(count - 1));
      return;
    }
    assertTrue(bytes <= sizes.bytes(sizeClass));
    assertTrue(sizeClass == 0 || bytes > sizes.bytes(sizeClass - 1));
    assertTrue(sizes.bytes(sizeClass) <= Math.max(1 << 15, bytes + bytes / 8 + 1));
  }

  @Property(tries = 20)
  void sizeClass_ofAnyLimit_doesNotOverflow(
      @ForAll @LongRange(min = 1L << 60, max = Long.MAX_VALUE) long limit) {
    SizeClasses sizes = new SizeClasses(limit);
    assertEquals(limit / 256 * 256, sizes.bytes(sizes.count() - 1));
    assertEquals(sizes.count() - 1, sizes.of(limit / 256 * 256));
  }

  /** What must be true of the pool, kept beside it. */
  private static final class Model {
    private final FakeCuda cuda;
    private final Pool<?> pool;
    private final String allocate;
    private final List<Lease> open = new ArrayList<>();
    private final List<Lease> closed = new ArrayList<>();
    private final Map<Block, TestFence> fenced = new HashMap<>();
    private long highWater;

    Model(FakeCuda cuda, Pool<?> pool, String allocate) {
      this.cuda = cuda;
      this.pool = pool;
      this.allocate = allocate;
    }

    void runAll(List<Step> steps) throws InterruptedException {
      for (Step step : steps) {
        run(step);
        check();
      }
      open.forEach(Lease::close);
      fenced.values().forEach(TestFence::pass);
      long reserved = pool.stats().reservedBytes();
      assertEquals(reserved, pool.trim(0));
      cuda.assertNothingLive();
      pool.close();
      pool.close();
      assertEquals(0, pool.stats().reservedBytes());
    }

    private void run(Step step) throws InterruptedException {
      int number = step.number();
      switch (step.kind()) {
        case TRY_ACQUIRE -> acquired(number + 1, pool.tryAcquire(number + 1, "law"));
        case ACQUIRE_IN_VAIN_OR_NOT -> {
          PoolStats before = pool.stats();
          try {
            acquired(number + 1, Optional.of(pool.acquire(number + 1, "law")));
          } catch (PoolExhaustedException e) {
            assertEquals(before.reservedBytes(), pool.stats().reservedBytes());
            acquired(number + 1, Optional.empty());
          }
        }
        case CLOSE -> {
          if (!open.isEmpty()) {
            Lease lease = open.remove(number % open.size());
            lease.close();
            closed.add(lease);
          }
        }
        case CLOSE_AGAIN -> {
          if (!closed.isEmpty()) {
            PoolStats before = pool.stats();
            closed.get(number % closed.size()).close();
            closed.get(number % closed.size()).closeAfter(() -> true);
            assertEquals(before, pool.stats());
          }
        }
        case CLOSE_AFTER -> {
          if (!open.isEmpty()) {
            Lease lease = open.remove(number % open.size());
            TestFence fence = new TestFence();
            fenced.put(lease.block, fence);
            lease.closeAfter(fence);
            closed.add(lease);
          }
        }
        case PASS_FENCE -> {
          List<TestFence> fences = new ArrayList<>(fenced.values());
          if (!fences.isEmpty()) {
            fences.get(number % fences.size()).pass();
          }
        }
        case TRIM -> {
          pool.trim(number);
          assertTrue(pool.stats().freeBytes() <= number);
          assertEquals(unfinishedBytes(), pool.stats().quarantinedBytes());
        }
        case FAIL_ALLOCATION -> {
          cuda.failNext(allocate, 999, "cudaErrorUnknown");
          try {
            acquired(number + 1, pool.tryAcquire(number + 1, "law"));
            // It needed nothing of CUDA, so the failure is still to come: let it.
            failScripted();
          } catch (CudaException e) {
            assertEquals(999, e.code());
          }
        }
      }
    }

    private void failScripted() {
      try {
        if (allocate.equals("allocate")) {
          cuda.allocate(1);
        } else {
          cuda.allocatePinned(1);
        }
      } catch (CudaException expected) {
        assertEquals(999, expected.code());
      }
    }

    private void acquired(long bytes, Optional<? extends Lease> result) {
      long needed = new SizeClasses(LIMIT).bytes(new SizeClasses(LIMIT).of(bytes));
      if (result.isEmpty()) {
        // Refused only if evicting all that is free would not have helped.
        assertTrue(needed > LIMIT - openBytes() - unfinishedBytes());
        return;
      }
      Lease lease = result.get();
      assertEquals(0, lease.address() % 256);
      assertEquals(bytes, lease.bytes());
      assertTrue(lease.block.bytes >= needed && lease.block.bytes <= 2 * needed);
      TestFence fence = fenced.remove(lease.block);
      assertTrue(fence == null || fence.isDone(), "handed out before its fence passed");
      for (Lease other : open) {
        assertFalse(
            lease.address() < other.address() + other.bytes()
                && other.address() < lease.address() + bytes,
            "two live leases overlap");
      }
      open.add(lease);
    }

    private void check() {
      PoolStats stats = pool.stats();
      assertEquals(
          stats.reservedBytes(), stats.inUseBytes() + stats.freeBytes() + stats.quarantinedBytes());
      assertEquals(cuda.deviceBytes(0) + cuda.pinnedBytes(), stats.reservedBytes());
      assertTrue(cuda.peakDeviceBytes(0) + cuda.peakPinnedBytes() <= LIMIT);
      assertEquals(open.size(), stats.leases());
      assertEquals(openBytes(), stats.inUseBytes());
      assertTrue(stats.quarantinedBytes() >= unfinishedBytes());
      assertTrue(stats.quarantinedBlocks() <= fenced.size());
      assertEquals(0, stats.waiters());
      highWater = Math.max(highWater, openBytes() + stats.quarantinedBytes());
      assertEquals(highWater, stats.highWaterBytes());
      assertEquals(List.of(), cuda.faults());
    }

    private long openBytes() {
      return open.stream().mapToLong(lease -> lease.block.bytes).sum();
    }

    private long unfinishedBytes() {
      long bytes = 0;
      for (Map.Entry<Block, TestFence> entry : fenced.entrySet()) {
        bytes += entry.getValue().isDone() ? 0 : entry.getKey().bytes;
      }
      return bytes;
    }
  }
}
