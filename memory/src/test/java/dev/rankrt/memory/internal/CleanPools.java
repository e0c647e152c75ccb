package dev.rankrt.memory.internal;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.rankrt.memory.PoolStats;
import java.io.ByteArrayOutputStream;
import java.io.OutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.extension.AfterEachCallback;
import org.junit.jupiter.api.extension.BeforeEachCallback;
import org.junit.jupiter.api.extension.ExtensionContext;

/**
 * After each test: every pool is empty down to the last byte, and nothing was logged that the test
 * did not take. A leak is a log line, so leaks break the build.
 */
final class CleanPools implements BeforeEachCallback, AfterEachCallback {
  private final List<Pool<?>> pools = new ArrayList<>();
  private final ByteArrayOutputStream log = new ByteArrayOutputStream();
  private PrintStream standardError;

  <P extends Pool<?>> P watch(P pool) {
    pools.add(pool);
    return pool;
  }

  /** Returns what was logged, and forgives it. */
  String takeLog() {
    synchronized (log) {
      String text = log.toString(StandardCharsets.UTF_8);
      log.reset();
      return text;
    }
  }

  @Override
  public void beforeEach(ExtensionContext context) {
    standardError = System.err;
    System.setErr(new PrintStream(new Tee(), true, StandardCharsets.UTF_8));
  }

  @Override
  public void afterEach(ExtensionContext context) {
    System.setErr(standardError);
    if (context.getExecutionException().isEmpty()) {
      check();
    }
  }

  void check() {
    for (Pool<?> pool : pools) {
      pool.trim(0);
      PoolStats stats = pool.stats();
      assertEquals(
          new PoolStats(
              stats.pool(), stats.limitBytes(), 0, 0, 0, 0, 0, 0, 0, stats.highWaterBytes()),
          stats);
      pool.close();
    }
    assertEquals("", takeLog());
  }

  private final class Tee extends OutputStream {
    @Override
    public void write(int b) {
      synchronized (log) {
        log.write(b);
      }
      standardError.write(b);
    }
  }
}
