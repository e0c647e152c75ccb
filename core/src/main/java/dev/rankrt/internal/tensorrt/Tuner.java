package dev.rankrt.internal.tensorrt;

import dev.rankrt.EngineOptions.PerformanceHint;
import dev.rankrt.internal.HostTensor;
import dev.rankrt.internal.tensorrt.Tuning.Choice;
import dev.rankrt.natives.DeviceLostException;
import dev.rankrt.natives.RankRtException;
import dev.rankrt.natives.internal.Closing;
import dev.rankrt.natives.internal.Uninterruptibly;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Measures which optimisation profile and which way of transfer serve each bucket best. On one GPU
 * and one model they differ by a factor of two, and not in a way that could be told beforehand.
 *
 * <p>Nor is the best way for one session the best for several. A kernel that reads its inputs from
 * host memory saves a lone call the copy, and holds the multiprocessors while it waits for the bus;
 * beside other calls, the copy is the bus's time alone, and their kernels run meanwhile.
 */
final class Tuner {
  private static final Logger log = LoggerFactory.getLogger(Tuner.class);

  /** Enough to bring clocks up and fill caches. */
  private static final int WARM_UP_RUNS = 20;

  /** A median of these moves by about a microsecond between repetitions. */
  private static final int RUNS = 101;

  /** Enough to keep a GPU busy; more change little. */
  private static final int SESSIONS_AT_ONCE = 3;

  private static final int RUNS_AT_ONCE = 40;

  /** The shortest of these counts: whatever else the machine does can only add. */
  private static final int ROUNDS_AT_ONCE = 3;

  /** With fewer under way, a GPU has nothing to do between one that ends and the next. */
  private static final double FEWEST_THAT_FILL = 1.5;

  /** Sessions at once that hardly hold each other up do not show how many would fill the GPU. */
  private static final double MOST_KNOWN_TO_FILL = 0.8 * SESSIONS_AT_ONCE;

  private Tuner() {}

  /**
   * Returns how many runs keep a GPU busy; infinity where that was not measured, or more do than
   * were measured at once.
   *
   * @param alone what one takes by itself, 0 where nobody measured
   * @param beside what one takes of the GPU's time beside others, likewise
   */
  static double runsThatFill(double alone, double beside) {
    double runs = alone / beside;
    return runs > 0 && runs <= MOST_KNOWN_TO_FILL
        ? Math.max(FEWEST_THAT_FILL, runs)
        : Double.POSITIVE_INFINITY;
  }

  static Map<PerformanceHint, Tuning> measure(TensorRtEngine engine) {
    Map<Integer, Choice> latency = new LinkedHashMap<>();
    Map<Integer, Choice> throughput = new LinkedHashMap<>();
    ExecutorService threads =
        Executors.newFixedThreadPool(
            SESSIONS_AT_ONCE, task -> new Thread(task, "rankrt-tuner " + engine.name()));
    try {
      for (int profile = 0; profile < engine.profiles(); profile++) {
        for (Transfer transfer : Transfer.values()) {
          List<Sender> senders = new ArrayList<>();
          try {
            senders.add(new Sender(engine, profile, transfer));
            addOthers(senders, engine, profile, transfer);
            for (int rows : engine.bucketSizes().sizes()) {
              double alone = senders.get(0).medianMicros(rows);
              keepFaster(latency, rows, new Choice(profile, transfer, alone));
              double beside = microsAtOnce(senders, rows, threads);
              keepFaster(throughput, rows, new Choice(profile, transfer, beside));
            }
          } finally {
            Closing.all(senders.stream().<Runnable>map(sender -> sender::close).toList());
          }
        }
      }
    } finally {
      threads.shutdown();
    }
    log.info("measured for {}, alone: {}", engine.name(), latency);
    log.info("measured for {}, {} at once: {}", engine.name(), SESSIONS_AT_ONCE, throughput);
    return Map.of(
        PerformanceHint.LATENCY,
        new Tuning(latency),
        PerformanceHint.THROUGHPUT,
        new Tuning(throughput));
  }

  /** Adds as many senders as there is memory for: a model that needs all of it runs alone. */
  private static void addOthers(
      List<Sender> senders, TensorRtEngine engine, int profile, Transfer transfer) {
    try {
      while (senders.size() < SESSIONS_AT_ONCE) {
        senders.add(new Sender(engine, profile, transfer));
      }
    } catch (DeviceLostException e) {
      throw e;
    } catch (RankRtException e) {
      log.warn("{} is measured with {} sessions at once", engine.name(), senders.size(), e);
    }
  }

  private static void keepFaster(Map<Integer, Choice> best, int bucket, Choice measured) {
    best.merge(
        bucket, measured, (old, candidate) -> candidate.micros() < old.micros() ? candidate : old);
  }

  /** Returns what a run takes of the GPU's time while others run beside it. */
  private static double microsAtOnce(List<Sender> senders, int rows, ExecutorService threads) {
    long shortest = Long.MAX_VALUE;
    for (int round = 0; round < ROUNDS_AT_ONCE; round++) {
      long start = System.nanoTime();
      List<Runnable> ends = new ArrayList<>();
      try {
        for (Sender sender : senders) {
          Future<?> end = threads.submit(() -> sender.send(rows, RUNS_AT_ONCE));
          ends.add(() -> Uninterruptibly.get(end));
        }
      } finally {
        Closing.all(ends); // none may still run when its session is closed
      }
      shortest = Math.min(shortest, System.nanoTime() - start);
    }
    return shortest / 1000.0 / (RUNS_AT_ONCE * senders.size());
  }

  /** A session, and what is sent with it. One thread at a time. */
  private static final class Sender {
    private final TensorRtEngine engine;
    private final TensorRtSession session;
    private final List<ByteBuffer> values = new ArrayList<>();

    Sender(TensorRtEngine engine, int profile, Transfer transfer) {
      this.engine = engine;
      this.session = engine.newSession(Tuning.uniform(engine.bucketSizes(), profile, transfer));
      try {
        fill();
      } catch (RuntimeException | Error e) {
        Closing.after(e, session::close);
        throw e;
      }
    }

    /**
     * Random numbers, since zeros run faster than real values do. Ids stay 0, which every table
     * has.
     */
    private void fill() {
      Random random = new Random(1);
      for (int i = 0; i < engine.inputs().size(); i++) {
        ByteBuffer input = session.input(i);
        ByteBuffer copy = ByteBuffer.allocate(input.capacity()).order(input.order());
        if (engine.inputs().get(i).type().isFloat()) {
          for (int at = 0; at < copy.capacity(); at += Float.BYTES) {
            copy.putFloat(at, (float) random.nextGaussian());
          }
        }
        values.add(copy);
        input.put(0, copy, 0, copy.capacity());
      }
    }

    /** Copies rows in before each run, as callers do: what is fresh in a cache is read slower. */
    void send(int rows, int times) {
      for (int run = 0; run < times; run++) {
        for (int i = 0; i < values.size(); i++) {
          int bytes = HostTensor.hostBytes(engine.inputs().get(i), rows);
          session.input(i).put(0, values.get(i), 0, bytes);
        }
        session.run(rows);
      }
    }

    double medianMicros(int rows) {
      for (int i = 0; i < WARM_UP_RUNS; i++) {
        session.run(rows);
      }
      long[] nanos = new long[RUNS];
      for (int i = 0; i < RUNS; i++) {
        long start = System.nanoTime();
        session.run(rows);
        nanos[i] = System.nanoTime() - start;
      }
      Arrays.sort(nanos);
      return nanos[RUNS / 2] / 1000.0;
    }

    void close() {
      session.close();
    }
  }
}
