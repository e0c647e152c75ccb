package dev.rankrt.memory.internal;

import dev.rankrt.memory.LeakDetection;
import dev.rankrt.memory.PoolConfig;
import dev.rankrt.natives.internal.FakeCuda;
import java.time.Duration;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;
import org.openjdk.jmh.annotations.Threads;
import org.openjdk.jmh.annotations.Warmup;

/** What a lease costs when the pool has a block for it. */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
@Warmup(iterations = 5, time = 1)
@Measurement(iterations = 5, time = 1)
@Fork(3)
public class PoolBenchmark {

  @Param({"OFF", "SAMPLED"})
  public LeakDetection leakDetection;

  private final FakeCuda cuda = new FakeCuda();
  private DevicePool pool;

  @Setup
  public void open() {
    PoolConfig config =
        PoolConfig.of("benchmark", 1 << 30)
            .withMaxWait(Duration.ZERO)
            .withLeakDetection(leakDetection);
    pool = new DevicePool(cuda, 0, config);
  }

  @TearDown
  public void close() {
    pool.close();
    cuda.assertNothingLive();
  }

  @Benchmark
  public long acquireAndClose() throws InterruptedException {
    try (DeviceBuffer lease = pool.acquire(100_000, "benchmark")) {
      return lease.address();
    }
  }

  @Benchmark
  @Threads(2)
  public long acquireAndClose_twoThreads() throws InterruptedException {
    try (DeviceBuffer lease = pool.acquire(100_000, "benchmark")) {
      return lease.address();
    }
  }

  /** With a fence that has passed by the next acquire: the price of the quarantine. */
  @Benchmark
  public long acquireAndCloseAfter() throws InterruptedException {
    DeviceBuffer lease = pool.acquire(100_000, "benchmark");
    long address = lease.address();
    lease.closeAfter(PoolBenchmark::passed);
    return address;
  }

  private static boolean passed() {
    return true;
  }
}
