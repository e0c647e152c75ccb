package dev.rankrt;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.rankrt.testing.FakeBackend;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.stream.LongStream;
import net.jqwik.api.Arbitraries;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.Combinators;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.Provide;
import net.jqwik.api.constraints.IntRange;

/** Whatever comes in, in whichever order: each answer is exactly that of its request. */
class RankerPropertyTest {
  private static final long PATIENCE_SECONDS = 30;

  /** What becomes of a request. */
  enum Fate {
    WAIT,
    CANCEL,
    DEADLINE
  }

  /**
   * A request.
   *
   * @param rows its rows
   * @param fate what is done to it
   * @param micros when: until its deadline
   */
  record Asked(int rows, Fate fate, int micros) {}

  @Provide
  Arbitrary<List<Asked>> requests() {
    return Combinators.combine(
            Arbitraries.integers().between(1, 20),
            Arbitraries.of(Fate.WAIT, Fate.WAIT, Fate.WAIT, Fate.CANCEL, Fate.DEADLINE),
            Arbitraries.integers().between(1, 3000))
        .as(Asked::new)
        .list()
        .ofMaxSize(60);
  }

  @Property(tries = 150)
  void answers_areThoseOfTheirRequests(
      @ForAll("requests") List<Asked> requests,
      @ForAll @IntRange(min = 1, max = 8) int maxBatch,
      @ForAll @IntRange(min = 1, max = 5) int workers,
      @ForAll @IntRange(min = 1, max = 3) int devices,
      @ForAll @IntRange(min = 1, max = 100) int capacity,
      @ForAll boolean window)
      throws Exception {
    FakeBackend backend = new FakeBackend("fake", Device.Type.GPU);
    int answered = 0;
    int refused = 0;
    try (Ranker ranker = open(backend, maxBatch, workers, devices, capacity, window)) {
      List<CompletableFuture<float[]>> answers = new ArrayList<>();
      for (int i = 0; i < requests.size(); i++) {
        Asked asked = requests.get(i);
        Ranker view =
            asked.fate() == Fate.DEADLINE
                ? ranker.within(Duration.ofNanos(1000L * asked.micros()))
                : ranker;
        long first = 100L * i;
        answers.add(
            view.inferAsync(
                new float[asked.rows()], LongStream.range(first, first + asked.rows()).toArray()));
        if (i % 3 == 2 && requests.get(i - 1).fate() == Fate.CANCEL) {
          answers.get(i - 1).cancel(true);
        }
      }
      for (int i = 0; i < requests.size(); i++) {
        try {
          if (answers.get(i).isCancelled()) {
            continue;
          }
          float[] scores = answers.get(i).get(PATIENCE_SECONDS, TimeUnit.SECONDS);
          assertEquals(requests.get(i).rows(), scores.length);
          for (int row = 0; row < scores.length; row++) {
            assertEquals(100f * i + row, scores[row]);
          }
          answered++;
        } catch (ExecutionException e) {
          RequestRefusedException refusal = (RequestRefusedException) e.getCause();
          assertTrue(
              refusal.reason() == RequestRefusedException.Reason.QUEUE_FULL
                  || requests.get(i).fate() == Fate.DEADLINE,
              refusal.getMessage());
          refused++;
        }
      }
      Ranker.Stats stats = ranker.stats();
      assertEquals(0, stats.queued());
      assertEquals(refused, stats.refused() + stats.expired());
      assertTrue(stats.requests() >= answered, "those that were cancelled too late beside them");
      assertTrue(stats.requests() <= requests.size() - refused);
      assertEquals(0, stats.failed());
    }
    assertEquals(0, backend.openEngines.get() + backend.openSessions.get() + backend.broken.get());
  }

  private static Ranker open(
      FakeBackend backend, int maxBatch, int workers, int devices, int capacity, boolean window) {
    Device[] all = new Device[devices];
    for (int i = 0; i < devices; i++) {
      all[i] = Device.gpu(i);
    }
    return Ranker.open(
        new Backends(List.of(backend)),
        FakeBackend.ANY_MODEL,
        EngineOptions.builder().maxBatch(maxBatch).build(),
        RankerOptions.builder()
            .devices(all)
            .workers(workers)
            .queueCapacity(capacity)
            .batchingWindow(window ? Duration.ofNanos(50_000) : Duration.ZERO)
            .build());
  }
}
