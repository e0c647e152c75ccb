package dev.rankrt.internal.tensorrt;

import dev.rankrt.Device;
import dev.rankrt.Engine;
import dev.rankrt.EngineOptions;
import dev.rankrt.EngineStats;
import dev.rankrt.Precision;
import dev.rankrt.Session;
import dev.rankrt.natives.internal.Cuda;
import dev.rankrt.testing.Figures;
import java.nio.ByteBuffer;
import java.nio.FloatBuffer;
import java.nio.LongBuffer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.LongAdder;
import java.util.function.IntFunction;

/**
 * Measures the path of a call against {@link RawLoop} over the same plan, by turns in one process:
 * {@code PathFigures MODEL CACHE}, for a model of one float and one id input.
 *
 * <p>Four ways to get rows scored: the raw loop alone, which finds its inputs in place; a session
 * whose inputs are in place as well; the raw loop with the copies that a caller with arrays needs;
 * and {@code infer}, which makes the same copies.
 */
final class PathFigures {
  private static final int[] BATCHES = {1, 64, 256, 1024, 4096};
  private static final int ROUNDS = 15;
  private static final int CALLS = 300;
  private static final int THREADS = 16;
  private static final long SATURATED_MILLIS = 700;
  private static final int IDS_OF_A_TABLE = 10_000;

  private final EngineOptions options;
  private final Engine engine;
  private final TensorRtEngine raw;

  private PathFigures(Path model, Path cache) {
    this.options =
        EngineOptions.builder()
            .device(Device.gpu(0))
            .precision(Precision.FP16)
            .maxBatch(4096)
            .planCache(cache)
            .build();
    this.engine = Engine.open(model, options);
    this.raw = (TensorRtEngine) new TensorRtBackend().open(model, Device.gpu(0), options);
    TensorRt.load().cuda().setDevice(0);
  }

  public static void main(String[] arguments) throws InterruptedException {
    PathFigures figures = new PathFigures(Path.of(arguments[0]), Path.of(arguments[1]));
    figures.memory();
    for (int rows : BATCHES) {
      figures.oneCaller(rows);
    }
    figures.manyCallers();
    EngineStats stats = figures.engine.stats();
    Figures.add("counters, runs", (double) stats.runs());
    Figures.add("counters, graph replays", (double) stats.graphReplays());
    Figures.add("counters, fallbacks", (double) stats.fallbacks());
    Figures.add("counters, rows", (double) stats.rows());
    Figures.add("counters, padded rows", (double) stats.paddedRows());
    System.exit(0); // the raw loops leave everything to the end of the process
  }

  /** What a session takes beside the first one, which takes the same. */
  private void memory() {
    Cuda cuda = TensorRt.load().cuda();
    try (Session first = engine.newSession()) {
      long before = cuda.memoryInfo().freeBytes();
      long start = System.nanoTime();
      try (Session second = engine.newSession()) {
        Figures.add("new session, milliseconds", (System.nanoTime() - start) / 1e6);
        long after = cuda.memoryInfo().freeBytes();
        Figures.add("second session, GPU bytes", (double) (before - after));
        Rows rows = new Rows(1);
        second.infer(rows.dense, rows.ids);
        first.infer(rows.dense, rows.ids);
      }
    }
  }

  /** The rows of one request. */
  private final class Rows {
    final float[] dense;
    final long[] ids;

    Rows(int count) {
      Random random = new Random(count);
      dense = new float[count * raw.inputs().get(0).shape().elementsPerRow()];
      ids = new long[count * raw.inputs().get(1).shape().elementsPerRow()];
      for (int i = 0; i < dense.length; i++) {
        dense[i] = (float) random.nextGaussian();
      }
      for (int i = 0; i < ids.length; i++) {
        ids[i] = random.nextInt(IDS_OF_A_TABLE);
      }
    }
  }

  private void oneCaller(int count) {
    Rows rows = new Rows(count);
    RawLoop loop = new RawLoop(raw, count, raw.tuning().of(count));
    FloatBuffer dense = loop.input(0).asFloatBuffer().put(0, rows.dense);
    LongBuffer ids = loop.input(1).asLongBuffer().put(0, rows.ids);
    ByteBuffer scores = loop.output(0);
    try (Session session = engine.newSession();
        Session viewed = engine.newSession()) {
      viewed.input(raw.inputs().get(0).name()).floats().put(0, rows.dense);
      viewed.input(raw.inputs().get(1).name()).longs().put(0, rows.ids);
      List<Runnable> ways =
          List.of(
              loop::run,
              () -> viewed.run(count),
              () -> {
                dense.put(0, rows.dense);
                ids.put(0, rows.ids);
                loop.run();
                scores.asFloatBuffer().get(0, new float[count]);
              },
              () -> session.infer(rows.dense, rows.ids));
      String[] names = {"raw", "run", "raw with copies", "infer"};
      long[][] nanos = new long[ways.size()][ROUNDS * CALLS];
      for (int round = -2; round < ROUNDS; round++) { // the first two warm up
        for (int way = 0; way < ways.size(); way++) {
          Runnable call = ways.get(way);
          for (int i = 0; i < CALLS; i++) {
            long start = System.nanoTime();
            call.run();
            nanos[way][Math.max(0, round) * CALLS + i] = System.nanoTime() - start;
          }
        }
      }
      String way =
          " rows, "
              + raw.tuning().of(count).transfer()
              + " of profile "
              + raw.tuning().of(count).profile();
      Figures.add("path, " + count + way + ", calls a way", ROUNDS * CALLS);
      double[] medians = new double[ways.size()];
      for (int i = 0; i < ways.size(); i++) {
        Arrays.sort(nanos[i]);
        medians[i] = nanos[i][nanos[i].length / 2] / 1e3;
        String what = "path, " + count + " rows, " + names[i];
        Figures.add(what + ", p50 microseconds", medians[i]);
        Figures.add(what + ", p99 microseconds", nanos[i][nanos[i].length * 99 / 100] / 1e3);
      }
    }
  }

  /** Batch 1 on as many threads as a small server has cores. */
  private void manyCallers() throws InterruptedException {
    List<Session> sessions = new ArrayList<>();
    List<RawLoop> loops = new ArrayList<>();
    Rows rows = new Rows(1);
    for (int i = 0; i < THREADS; i++) {
      Session session = engine.newSession();
      sessions.add(session);
      loops.add(new RawLoop(raw, 1, raw.tuning().of(1)));
    }
    IntFunction<Runnable> infer = i -> () -> sessions.get(i).infer(rows.dense, rows.ids);
    IntFunction<Runnable> launch = i -> () -> loops.get(i).run();
    double[] ofSessions = new double[7];
    double[] ofLoops = new double[7];
    for (int round = 0; round < ofSessions.length; round++) {
      ofLoops[round] = callsPerSecond(launch);
      ofSessions[round] = callsPerSecond(infer);
    }
    Arrays.sort(ofSessions);
    Arrays.sort(ofLoops);
    Figures.add(THREADS + " threads, 1 row, raw, calls a second", ofLoops[ofLoops.length / 2]);
    Figures.add(
        THREADS + " threads, 1 row, infer, calls a second", ofSessions[ofSessions.length / 2]);
    sessions.forEach(Session::close);
  }

  private static double callsPerSecond(IntFunction<Runnable> calls) throws InterruptedException {
    AtomicBoolean done = new AtomicBoolean();
    LongAdder count = new LongAdder();
    CountDownLatch ready = new CountDownLatch(THREADS);
    CountDownLatch go = new CountDownLatch(1);
    List<Thread> threads = new ArrayList<>();
    for (int i = 0; i < THREADS; i++) {
      Runnable call = calls.apply(i);
      Thread thread =
          new Thread(
              () -> {
                ready.countDown();
                try {
                  go.await();
                } catch (InterruptedException e) {
                  Thread.currentThread().interrupt();
                }
                long mine = 0;
                while (!done.get()) {
                  call.run();
                  mine++;
                }
                count.add(mine);
              });
      thread.start();
      threads.add(thread);
    }
    ready.await();
    long start = System.nanoTime();
    go.countDown();
    Thread.sleep(SATURATED_MILLIS);
    done.set(true);
    for (Thread thread : threads) {
      thread.join();
    }
    return count.sum() / ((System.nanoTime() - start) / 1e9);
  }
}
