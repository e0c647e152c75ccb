package dev.rankrt.internal.tensorrt;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.rankrt.Device;
import dev.rankrt.Engine;
import dev.rankrt.EngineOptions;
import dev.rankrt.Precision;
import dev.rankrt.Session;
import dev.rankrt.testing.Figures;
import dev.rankrt.testing.OnnxModel;
import dev.rankrt.testing.OnnxModels;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Sessions on a GPU that are closed while another thread is calling them. */
@Tag("gpu")
class RaceGpuTest {
  private static final int ROUNDS = Integer.getInteger("rankrt.test.gpuRaces", 10_000);
  private static final int PAIRS = 8;
  private static final long LONGEST_DELAY_NANOS = 200_000;

  @TempDir Path folder;

  @Test
  void session_closedByAnotherThread_answersRightOrSaysClosed() throws Exception {
    Path model =
        Files.write(folder.resolve("ranker.onnx"), OnnxModels.ranker(OnnxModel.Type.INT64).bytes());
    EngineOptions options =
        EngineOptions.builder()
            .device(Device.gpu(0))
            .precision(Precision.FP16)
            .maxBatch(1)
            .planCache(folder.resolve("plans"))
            .build();
    AtomicInteger rounds = new AtomicInteger();
    AtomicLong answers = new AtomicLong();
    ExecutorService threads = Executors.newFixedThreadPool(2 * PAIRS);
    try (Engine engine = Engine.open(model, options)) {
      List<Future<?>> pairs = new ArrayList<>();
      for (int i = 0; i < PAIRS; i++) {
        pairs.add(
            threads.submit(
                () -> {
                  while (rounds.getAndIncrement() < ROUNDS) {
                    answers.addAndGet(race(engine, threads));
                  }
                  return null;
                }));
      }
      for (Future<?> pair : pairs) {
        pair.get();
      }
    } finally {
      threads.shutdown();
    }
    Figures.add("sessions closed during calls", ROUNDS);
    Figures.add("calls answered meanwhile", (double) answers.get());
    assertTrue(answers.get() > ROUNDS / 10, "the race was hardly one: " + answers);
  }

  /**
   * Closes a session at some moment of another thread's calls, and returns how many it answered.
   */
  private static long race(Engine engine, ExecutorService threads) throws Exception {
    float[] dense = new float[OnnxModels.DENSE];
    int[] ids = new int[OnnxModels.IDS];
    float expected = (float) OnnxModels.rankerScore(dense, ids);
    Session session = engine.newSession();
    CountDownLatch calling = new CountDownLatch(1);
    Future<Long> caller =
        threads.submit(
            () -> {
              long answered = 0;
              calling.countDown();
              while (true) {
                try {
                  assertEquals(expected, session.infer(dense, ids)[0], 5e-3f);
                  answered++;
                } catch (IllegalStateException closed) {
                  assertTrue(closed.getMessage().contains("is closed"), closed.getMessage());
                  return answered;
                }
              }
            });
    calling.await();
    long end = System.nanoTime() + ThreadLocalRandom.current().nextLong(LONGEST_DELAY_NANOS);
    while (System.nanoTime() < end) {
      Thread.onSpinWait();
    }
    session.close();
    return caller.get();
  }
}
