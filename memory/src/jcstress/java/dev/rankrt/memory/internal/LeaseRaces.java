package dev.rankrt.memory.internal;

import static org.openjdk.jcstress.annotations.Expect.ACCEPTABLE;
import static org.openjdk.jcstress.annotations.Expect.FORBIDDEN;

import dev.rankrt.memory.LeakDetection;
import dev.rankrt.memory.PoolConfig;
import dev.rankrt.memory.PoolExhaustedException;
import dev.rankrt.memory.PoolStats;
import dev.rankrt.natives.internal.FakeCuda;
import java.time.Duration;
import java.util.Optional;
import org.openjdk.jcstress.annotations.Actor;
import org.openjdk.jcstress.annotations.Arbiter;
import org.openjdk.jcstress.annotations.JCStressTest;
import org.openjdk.jcstress.annotations.Outcome;
import org.openjdk.jcstress.annotations.State;
import org.openjdk.jcstress.infra.results.II_Result;
import org.openjdk.jcstress.infra.results.ZZI_Result;

/** What two threads can do to one block. */
public final class LeaseRaces {
  private static final long LIMIT = 32 * 1024;

  private LeaseRaces() {}

  /** A pool with one block, which is leased. */
  abstract static class OneBlock {
    final DevicePool pool =
        new DevicePool(
            new FakeCuda(),
            0,
            PoolConfig.of("race", LIMIT)
                .withMaxWait(Duration.ofSeconds(20))
                .withLeakDetection(LeakDetection.OFF));
    final DeviceBuffer lease = acquire();

    final DeviceBuffer acquire() {
      try {
        return pool.acquire(LIMIT, "race");
      } catch (InterruptedException e) {
        throw new AssertionError(e);
      }
    }

    /** Returns how many leases the pool can still hand out at once. */
    final int available() {
      int count = 0;
      for (Optional<DeviceBuffer> next = pool.tryAcquire(LIMIT, "race");
          next.isPresent();
          next = pool.tryAcquire(LIMIT, "race")) {
        count++;
      }
      return count;
    }
  }

  @JCStressTest
  @Outcome(id = "1, 0", expect = ACCEPTABLE, desc = "the waiter was served, and nobody else is")
  @State
  public static class CloserHandsOverToWaiter extends OneBlock {
    @Actor
    public void closer() {
      lease.close();
    }

    @Actor
    public void waiter(II_Result result) {
      result.r1 = acquire().address() == 0 ? 0 : 1;
    }

    @Arbiter
    public void after(II_Result result) {
      result.r2 = available();
    }
  }

  @JCStressTest
  @Outcome(id = "1, 0", expect = ACCEPTABLE, desc = "served in time, and nobody else is")
  @Outcome(id = "0, 1", expect = ACCEPTABLE, desc = "gave up, and the block is there for the next")
  @State
  public static class CloserMeetsWaiterThatGivesUp extends OneBlock {
    @Actor
    public void closer() {
      lease.close();
    }

    @Actor
    public void waiter(II_Result result) {
      try {
        result.r1 = pool.acquire(LIMIT, "race", Duration.ofNanos(500)).address() == 0 ? 0 : 1;
      } catch (PoolExhaustedException e) {
        result.r1 = 0;
      } catch (InterruptedException e) {
        throw new AssertionError(e);
      }
    }

    @Arbiter
    public void after(II_Result result) {
      result.r2 = available();
    }
  }

  @JCStressTest
  @Outcome(id = "0, 1", expect = ACCEPTABLE, desc = "one block came back, once")
  @State
  public static class TwoThreadsCloseOneLease extends OneBlock {
    @Actor
    public void first() {
      lease.close();
    }

    @Actor
    public void second() {
      lease.close();
    }

    @Arbiter
    public void after(II_Result result) {
      PoolStats stats = pool.stats();
      result.r1 = stats.leases();
      result.r2 = available();
    }
  }

  @JCStressTest
  @Outcome(id = "true, false, 1", expect = ACCEPTABLE, desc = "plain close won: free at once")
  @Outcome(id = "false, true, 1", expect = ACCEPTABLE, desc = "fence won: held until it passed")
  @State
  public static class CloseMeetsCloseAfter extends OneBlock {
    private final TestFence fence = new TestFence();

    @Actor
    public void close() {
      lease.close();
    }

    @Actor
    public void closeAfter() {
      lease.closeAfter(fence);
    }

    @Arbiter
    public void after(ZZI_Result result) {
      PoolStats stats = pool.stats();
      result.r1 = stats.freeBytes() == LIMIT;
      result.r2 = stats.quarantinedBytes() == LIMIT;
      fence.pass();
      result.r3 = available();
    }
  }

  @JCStressTest
  @Outcome(id = "0, 1", expect = ACCEPTABLE, desc = "asked too early: refused, free afterwards")
  @Outcome(id = "1, 0", expect = ACCEPTABLE, desc = "the fence had passed: handed out, once")
  @Outcome(
      id = "-1, .*",
      expect = FORBIDDEN,
      desc = "handed out, but not everything before the fence is visible")
  @State
  public static class FencePassesWhileAsked extends OneBlock {
    private final TestFence fence = new TestFence();
    private int written;

    public FencePassesWhileAsked() {
      lease.closeAfter(fence);
    }

    @Actor
    public void work() {
      written = 1;
      fence.pass();
    }

    @Actor
    public void asker(II_Result result) {
      if (pool.tryAcquire(LIMIT, "race").isPresent()) {
        result.r1 = written == 1 ? 1 : -1;
      }
    }

    @Arbiter
    public void after(II_Result result) {
      result.r2 = available();
    }
  }

  @JCStressTest
  @Outcome(id = "0, 0", expect = ACCEPTABLE, desc = "whoever came last freed the block")
  @State
  public static class PoolClosesWhileLeaseComesBack extends OneBlock {
    @Actor
    public void lease() {
      lease.close();
    }

    @Actor
    public void pool() {
      pool.close();
    }

    @Arbiter
    public void after(II_Result result) {
      PoolStats stats = pool.stats();
      result.r1 = stats.leases();
      result.r2 = (int) stats.reservedBytes();
    }
  }
}
