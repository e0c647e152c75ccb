package dev.rankrt;

import static dev.rankrt.RequestRefusedException.Reason.CLOSED;
import static dev.rankrt.RequestRefusedException.Reason.DEADLINE;
import static dev.rankrt.RequestRefusedException.Reason.NO_DEVICE;
import static dev.rankrt.RequestRefusedException.Reason.QUEUE_FULL;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.rankrt.RequestRefusedException.Reason;
import dev.rankrt.internal.Pace;
import dev.rankrt.natives.CudaException;
import dev.rankrt.natives.DeviceLostException;
import dev.rankrt.streams.AffinityPolicy;
import dev.rankrt.streams.CpuSet;
import dev.rankrt.testing.FakeBackend;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.ref.WeakReference;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.BrokenBarrierException;
import java.util.concurrent.CancellationException;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Consumer;
import java.util.stream.LongStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** What a ranker does in situations that no real device can be brought into at will. */
class RankerTest {
  private static final long PATIENCE_SECONDS = 30;
  private static final int MAX_BATCH = 4;

  private FakeBackend backend = new FakeBackend("fake", Device.Type.GPU);
  private final List<Integer> runs = new ArrayList<>();
  private final Semaphore entered = new Semaphore(0);
  private final Semaphore mayLeave = new Semaphore(0);
  private final BlockingQueue<String> heard = new LinkedBlockingQueue<>();
  private final ExecutorService threads = Executors.newCachedThreadPool();

  @TempDir Path folder;
  private Path model;
  private Ranker ranker;

  @BeforeEach
  void writeModel() throws IOException {
    model = Files.write(folder.resolve("one.onnx"), new byte[] {1});
    backend.bias = path -> path.getFileName().toString().equals("two.onnx") ? 1000 : 0;
  }

  @AfterEach
  void everythingWasFreedOnce() throws InterruptedException {
    mayLeave.release(1_000_000);
    ranker.close();
    threads.shutdown();
    assertTrue(threads.awaitTermination(PATIENCE_SECONDS, TimeUnit.SECONDS));
    assertEquals(0, backend.openSessions.get());
    assertEquals(0, backend.openEngines.get());
    assertEquals(0, backend.broken.get());
  }

  private void open(Consumer<RankerOptions.Builder> settings) {
    open(EngineOptions.builder(), settings);
  }

  private void open(EngineOptions.Builder engine, Consumer<RankerOptions.Builder> settings) {
    RankerOptions.Builder builder =
        RankerOptions.builder().devices(Device.gpu(0)).workers(1).listener(listener());
    settings.accept(builder);
    ranker =
        Ranker.open(
            new Backends(List.of(backend)),
            model,
            engine.maxBatch(MAX_BATCH).build(),
            builder.build());
  }

  private RankerListener listener() {
    return new RankerListener() {
      @Override
      public void deviceFailed(Device device, Throwable failure, int serving) {
        heard.add(device + " failed, " + serving + " left: " + failure.getMessage());
      }

      @Override
      public void swapped(Path before, Path now) {
        heard.add(before.getFileName() + " to " + now.getFileName());
      }

      @Override
      public void swapFailed(Path path, Throwable failure) {
        heard.add(path.getFileName() + " refused");
      }
    };
  }

  /** Lets the next runs wait until they may leave, and notes their rows. */
  private void hold() {
    backend.duringRun =
        rows -> {
          synchronized (runs) {
            runs.add(rows);
          }
          entered.release();
          mayLeave.acquireUninterruptibly();
        };
  }

  private void awaitRuns(int count) throws InterruptedException {
    assertTrue(entered.tryAcquire(count, PATIENCE_SECONDS, TimeUnit.SECONDS));
  }

  /** Asks for rows whose scores are {@code first + 0.5}, {@code first + 1.5} and so on. */
  private CompletableFuture<float[]> ask(Ranker of, int first, int rows) {
    float[] dense = new float[rows];
    long[] ids = new long[rows];
    for (int row = 0; row < rows; row++) {
      dense[row] = 0.5f;
      ids[row] = (long) first + row;
    }
    return of.inferAsync(dense, ids);
  }

  private CompletableFuture<float[]> ask(int first, int rows) {
    return ask(ranker, first, rows);
  }

  private static void assertAnswer(int first, int rows, CompletableFuture<float[]> answer)
      throws Exception {
    float[] scores = answer.get(PATIENCE_SECONDS, TimeUnit.SECONDS);
    assertEquals(rows, scores.length);
    for (int row = 0; row < rows; row++) {
      assertEquals(first + row + 0.5f, scores[row]);
    }
  }

  private static <T extends Throwable> T failure(Class<T> type, CompletableFuture<?> answer) {
    ExecutionException thrown =
        assertThrows(
            ExecutionException.class, () -> answer.get(PATIENCE_SECONDS, TimeUnit.SECONDS));
    return assertInstanceOf(type, thrown.getCause());
  }

  private static RequestRefusedException assertRefused(Reason reason, CompletableFuture<?> answer) {
    RequestRefusedException refusal = failure(RequestRefusedException.class, answer);
    assertEquals(reason, refusal.reason(), refusal.getMessage());
    return refusal;
  }

  // ---------------------------------------------------------------------------------- batching

  @Test
  void requests_thatWaitTogether_runTogether() throws Exception {
    open(options -> {});
    hold();
    CompletableFuture<float[]> first = ask(10, 1);
    awaitRuns(1);
    CompletableFuture<float[]> second = ask(20, 1);
    CompletableFuture<float[]> third = ask(30, 2);
    CompletableFuture<float[]> fourth = ask(40, 2);
    assertEquals(5, ranker.stats().queued());
    mayLeave.release(3);
    assertAnswer(10, 1, first);
    assertAnswer(20, 1, second);
    assertAnswer(30, 2, third);
    assertAnswer(40, 2, fourth);
    assertEquals(List.of(1, 3, 2), runs);
    assertEquals(
        new Ranker.Stats(
            4, 3, 6, 0, 0, 0, 0, List.of(new Ranker.ReplicaStats(Device.gpu(0), true, 4, 3, 6, 0))),
        ranker.stats());
  }

  @Test
  void request_largerThanARun_isSplitAndJoined() throws Exception {
    open(options -> options.workers(2));
    assertAnswer(100, 11, ask(100, 11));
    assertEquals(3, ranker.stats().batches());
    assertEquals(1, ranker.stats().requests());
    assertArrayEquals(new float[] {3, 4, 5, 6, 7}, ranker.infer(new float[5], ids(3, 5)));
  }

  private static long[] ids(int first, int count) {
    return LongStream.range(first, first + count).toArray();
  }

  @Test
  void rows_thatDependOnEachOther_areNeverRunWithOthers() throws Exception {
    open(EngineOptions.builder().padding(false), options -> {});
    hold();
    List<CompletableFuture<float[]>> answers = List.of(ask(10, 1), ask(20, 2), ask(30, 1));
    mayLeave.release(3);
    assertAnswer(10, 1, answers.get(0));
    assertAnswer(20, 2, answers.get(1));
    assertAnswer(30, 1, answers.get(2));
    assertEquals(List.of(1, 2, 1), runs);
    assertThrows(IllegalArgumentException.class, () -> ask(0, MAX_BATCH + 1));
  }

  @Test
  void window_keepsARunOpenUntilItIsFull() throws Exception {
    open(options -> options.batchingWindow(Duration.ofSeconds(1)));
    backend.duringRun = runs::add;
    List<CompletableFuture<float[]>> answers = new ArrayList<>();
    for (int i = 0; i < MAX_BATCH; i++) {
      answers.add(ask(i, 1));
    }
    for (int i = 0; i < MAX_BATCH; i++) {
      assertAnswer(i, 1, answers.get(i));
    }
    assertEquals(List.of(MAX_BATCH), runs);
  }

  @Test
  void requests_ofOneRowEach_fillRunsOfSeveralWorkers() throws Exception {
    open(options -> options.workers(3));
    hold();
    List<CompletableFuture<float[]>> answers = new ArrayList<>();
    for (int i = 0; i < 3; i++) {
      answers.add(ask(i, MAX_BATCH));
      awaitRuns(1); // each by another worker: the ones before are held
    }
    for (int i = 3; i < 20; i++) {
      answers.add(ask(i, 1));
    }
    mayLeave.release(20);
    for (int i = 0; i < 20; i++) {
      assertAnswer(i, i < 3 ? MAX_BATCH : 1, answers.get(i));
    }
  }

  /** In whichever moment parts meet workers that fall asleep, none waits while a worker sleeps. */
  @Test
  void workers_runOnTheProcessorsOfTheirPolicy() throws Exception {
    String all = allowedProcessors();
    String last = all.substring(Math.max(all.lastIndexOf('-'), all.lastIndexOf(',')) + 1);
    Set<String> seen = ConcurrentHashMap.newKeySet();
    backend.duringRun = rows -> seen.add(allowedProcessors());
    open(
        EngineOptions.builder().affinity(AffinityPolicy.cores(CpuSet.parse(last))),
        options -> options.workers(2));
    assertAnswer(10, 1, ask(10, 1));
    assertEquals(Set.of(last), seen);
  }

  private static String allowedProcessors() {
    try (Stream<String> lines = Files.lines(Path.of("/proc/thread-self/status"))) {
      String key = "Cpus_allowed_list:";
      String line = lines.filter(each -> each.startsWith(key)).findFirst().orElseThrow();
      return line.substring(key.length()).strip();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  @Test
  void parts_thatComeTogether_wakeAllWorkersTheyNeed() throws Exception {
    open(options -> options.workers(2));
    CyclicBarrier bothRun = new CyclicBarrier(2);
    backend.duringRun = rows -> awaitQuietly(bothRun);
    for (int i = 0; i < 1000; i++) {
      CompletableFuture<float[]> large = ask(i, 2 * MAX_BATCH);
      assertAnswer(i, 2 * MAX_BATCH, large);
      CompletableFuture<float[]> one = ask(i, MAX_BATCH);
      CompletableFuture<float[]> other = ask(i, MAX_BATCH);
      assertAnswer(i, MAX_BATCH, one);
      assertAnswer(i, MAX_BATCH, other);
    }
  }

  @Test
  void run_thatIsNotFull_waitsWhileOthersFillTheGpu() throws Exception {
    open(options -> options.workers(4));
    List<CompletableFuture<float[]>> full = fillTheGpu();
    List<CompletableFuture<float[]>> waiting = List.of(ask(10, 1), ask(20, 1));
    assertNoRun();
    CompletableFuture<float[]> last = ask(30, 2);
    awaitRuns(1);
    assertEquals(List.of(MAX_BATCH, MAX_BATCH, MAX_BATCH), runs, "now it is full");
    CompletableFuture<float[]> late = ask(40, 1);
    mayLeave.release(1);
    assertNoRun();
    mayLeave.release(1);
    awaitRuns(1);
    mayLeave.release(2);
    for (int i = 0; i < full.size(); i++) {
      assertAnswer(i, MAX_BATCH, full.get(i));
    }
    assertAnswer(10, 1, waiting.get(0));
    assertAnswer(20, 1, waiting.get(1));
    assertAnswer(30, 2, last);
    assertAnswer(40, 1, late);
    assertEquals(List.of(MAX_BATCH, MAX_BATCH, MAX_BATCH, 1), runs);
  }

  /** Holds as many runs as fill a GPU. */
  private List<CompletableFuture<float[]>> fillTheGpu() throws InterruptedException {
    hold();
    List<CompletableFuture<float[]>> full = new ArrayList<>();
    for (int i = 0; i < 2; i++) {
      full.add(ask(i, MAX_BATCH));
      awaitRuns(1);
    }
    return full;
  }

  private void assertNoRun() throws InterruptedException {
    assertFalse(entered.tryAcquire(100, TimeUnit.MILLISECONDS), () -> "runs of " + runs);
  }

  @Test
  void gpu_isNoLongerFullWhileAnswersAreHandedOut() throws Exception {
    open(options -> options.workers(3));
    List<CompletableFuture<float[]>> full = fillTheGpu();
    CountDownLatch answered = new CountDownLatch(1);
    List<CompletableFuture<Void>> actions =
        full.stream().map(answer -> answer.thenRun(() -> awaitQuietly(answered))).toList();
    CompletableFuture<float[]> single = ask(10, 1);
    assertNoRun();
    mayLeave.release(3);
    assertAnswer(10, 1, single);
    answered.countDown();
    for (CompletableFuture<Void> action : actions) {
      action.get(PATIENCE_SECONDS, TimeUnit.SECONDS);
    }
  }

  @Test
  void gpu_isNoLongerFullWhileFailuresAreTold() throws Exception {
    open(options -> options.workers(3));
    backend.duringRunOn.put(
        Device.gpu(0),
        rows -> {
          if (rows == MAX_BATCH) {
            throw new CudaException("scripted", 1, "cudaErrorUnknown");
          }
        });
    CountDownLatch answered = new CountDownLatch(1);
    List<CompletableFuture<?>> actions = new ArrayList<>();
    for (CompletableFuture<float[]> answer : fillTheGpu()) {
      actions.add(
          answer.handle(
              (scores, failure) -> {
                awaitQuietly(answered);
                return failure;
              }));
    }
    CompletableFuture<float[]> single = ask(10, 1);
    assertNoRun();
    mayLeave.release(3);
    assertAnswer(10, 1, single);
    answered.countDown();
    for (CompletableFuture<?> action : actions) {
      assertInstanceOf(InferenceException.class, action.get(PATIENCE_SECONDS, TimeUnit.SECONDS));
    }
  }

  @Test
  void gpu_isNotFullOfRowsThatWaitForAnActionOfAnotherRequest() throws Exception {
    open(options -> options.workers(3));
    List<CompletableFuture<?>> all = new ArrayList<>(fillTheGpu());
    all.add(ask(2, MAX_BATCH));
    awaitRuns(1);
    CountDownLatch answered = new CountDownLatch(1);
    Semaphore told = new Semaphore(0);
    for (int i = 0; i < 2; i++) {
      float[][] dense = {{1}};
      all.add(
          ranker
              .inferAsync(dense, new int[][] {{1}})
              .handle(
                  (scores, failure) -> {
                    told.release();
                    awaitQuietly(answered);
                    return scores;
                  }));
      dense[0] = new float[0];
      all.add(ask(20, MAX_BATCH - 1));
    }
    mayLeave.release(3);
    assertTrue(told.tryAcquire(2, PATIENCE_SECONDS, TimeUnit.SECONDS));
    CompletableFuture<float[]> single = ask(10, 1);
    mayLeave.release(3);
    assertAnswer(10, 1, single);
    answered.countDown();
    for (CompletableFuture<?> one : all) {
      one.get(PATIENCE_SECONDS, TimeUnit.SECONDS);
    }
  }

  @Test
  void queue_thatIsTooShortForTwoRuns_holdsNothingBack() throws Exception {
    open(options -> options.workers(3).queueCapacity(2 * MAX_BATCH - 1));
    List<CompletableFuture<float[]>> full = fillTheGpu();
    CompletableFuture<float[]> single = ask(10, 1);
    awaitRuns(1);
    mayLeave.release(3);
    assertAnswer(10, 1, single);
    for (int i = 0; i < full.size(); i++) {
      assertAnswer(i, MAX_BATCH, full.get(i));
    }
  }

  @Test
  void processors_areNeverFull() throws Exception {
    backend = new FakeBackend("fake", Device.Type.CPU);
    open(options -> options.devices(Device.cpu()).workers(3));
    assertNothingWaitsBesideTwoFullRuns();
  }

  @Test
  void gpu_thatMoreRunsFill_isNotFullYet() throws Exception {
    backend.runsThatFill = 2.25;
    open(options -> options.workers(4));
    fillTheGpu();
    assertFullWithOneRowMore();
  }

  @Test
  void gpu_thatAnythingFills_runsOneAfterTheOther() throws Exception {
    backend.runsThatFill = 0;
    open(options -> options.workers(2));
    hold();
    assertFullWithOneRowMore();
  }

  private void assertFullWithOneRowMore() throws Exception {
    CompletableFuture<float[]> first = ask(10, 1);
    awaitRuns(1);
    CompletableFuture<float[]> second = ask(20, 1);
    assertNoRun();
    mayLeave.release(4);
    assertAnswer(10, 1, first);
    assertAnswer(20, 1, second);
  }

  @Test
  void gpu_thatNobodyKnowsHowToFill_isNeverFull() throws Exception {
    backend.runsThatFill = Double.POSITIVE_INFINITY;
    open(options -> options.workers(3));
    assertNothingWaitsBesideTwoFullRuns();
  }

  @Test
  void rows_thatDependOnEachOther_doNotWaitForMore() throws Exception {
    open(EngineOptions.builder().padding(false), options -> options.workers(3));
    assertNothingWaitsBesideTwoFullRuns();
  }

  private void assertNothingWaitsBesideTwoFullRuns() throws Exception {
    fillTheGpu();
    CompletableFuture<float[]> single = ask(10, 1);
    awaitRuns(1);
    mayLeave.release(3);
    assertAnswer(10, 1, single);
  }

  private static void awaitQuietly(CyclicBarrier barrier) {
    try {
      barrier.await(PATIENCE_SECONDS, TimeUnit.SECONDS);
    } catch (InterruptedException | BrokenBarrierException | TimeoutException e) {
      throw new CompletionException(e);
    }
  }

  // ---------------------------------------------------------------------- what goes wrong in a run

  @Test
  void run_thatTheModelRefuses_failsTheRequestThatIsToBlameAlone() throws Exception {
    open(options -> {});
    hold();
    CompletableFuture<float[]> first = ask(10, 1);
    awaitRuns(1);
    CompletableFuture<float[]> good = ask(20, 1);
    CompletableFuture<float[]> bad = ask(30, 2);
    CompletableFuture<float[]> alsoGood = ask(40, 1);
    backend.duringRun =
        rows -> {
          if (rows > 1) {
            throw new InferenceException("an id is outside its table");
          }
        };
    mayLeave.release(1);
    assertAnswer(10, 1, first);
    assertAnswer(20, 1, good);
    assertAnswer(40, 1, alsoGood);
    InferenceException failure = failure(InferenceException.class, bad);
    assertTrue(failure.getMessage().endsWith("an id is outside its table"), failure.getMessage());
    assertEquals(1, ranker.stats().failed());
    for (int i = 0; i < 10; i++) {
      failure(InferenceException.class, ask(0, 2));
    }
    assertAnswer(50, 1, ask(50, 1));
    assertEquals(List.of(), List.copyOf(heard), "values are to blame, not the device");
  }

  @Test
  void values_thatBecameWrongWhileTheyWaited_failTheirRequestAlone() throws Exception {
    open(options -> {});
    hold();
    CompletableFuture<float[]> first = ask(10, 1);
    awaitRuns(1);
    float[][] dense = {{1}, {2}};
    CompletableFuture<float[]> changed = ranker.inferAsync(dense, new int[][] {{1}, {2}});
    CompletableFuture<float[]> good = ask(20, 2);
    dense[1] = new float[0];
    mayLeave.release(2);
    assertAnswer(10, 1, first);
    assertAnswer(20, 2, good);
    failure(InferenceException.class, changed);
    assertEquals(List.of(1, 2), runs);
  }

  @Test
  void failure_ofABlockingCall_showsTheCallersStackAndTheCause() {
    open(options -> {});
    backend.duringRun =
        rows -> {
          throw new CudaException("cudaGraphLaunch reported: scripted", 1, "cudaErrorUnknown");
        };
    InferenceException thrown =
        assertThrows(InferenceException.class, () -> ranker.infer(new float[] {1}, new long[] {1}));
    assertTrue(
        Stream.of(thrown.getStackTrace())
            .anyMatch(frame -> frame.getClassName().equals(RankerTest.class.getName())));
    assertInstanceOf(CudaException.class, thrown.getCause().getCause());
    backend.duringRun = rows -> {};
    assertArrayEquals(new float[] {2}, ranker.infer(new float[] {1}, new long[] {1}));
  }

  // ------------------------------------------------------------------------ queues and deadlines

  @Test
  void request_thatFindsTheQueueFull_isRefusedAndToldTheNumbers() throws Exception {
    open(options -> options.queueCapacity(5));
    hold();
    CompletableFuture<float[]> running = ask(10, 1);
    awaitRuns(1);
    CompletableFuture<float[]> waiting = ask(20, 3);
    RequestRefusedException refusal = assertRefused(QUEUE_FULL, ask(30, 3));
    assertTrue(
        refusal.getMessage().contains("3 rows asked of one.onnx on gpu:0, 3 waiting of at most 5"),
        refusal.getMessage());
    CompletableFuture<float[]> fits = ask(40, 2);
    assertEquals(1, ranker.stats().refused());
    mayLeave.release(10);
    assertAnswer(10, 1, running);
    assertAnswer(20, 3, waiting);
    assertAnswer(40, 2, fits);
  }

  @Test
  void request_largerThanTheQueue_isTakenWhereNothingWaits() throws Exception {
    open(options -> options.queueCapacity(2));
    assertAnswer(10, 9, ask(10, 9));
  }

  @Test
  void futures_thatAreCancelledOrTimedOut_giveTheirPlaceToOthers() throws Exception {
    open(options -> options.queueCapacity(MAX_BATCH));
    hold();
    CompletableFuture<float[]> running = ask(10, 1);
    awaitRuns(1);
    CompletableFuture<float[]> cancelled = ask(20, 3);
    assertTrue(cancelled.cancel(true));
    assertEquals(0, ranker.stats().queued());
    CompletableFuture<float[]> ended = ask(30, 4);
    assertTrue(ended.complete(new float[0]));
    assertEquals(0, ranker.stats().queued());
    CompletableFuture<float[]> timedOut = ask(40, 4).orTimeout(1, TimeUnit.NANOSECONDS);
    failure(TimeoutException.class, timedOut);
    CompletableFuture<float[]> last = ask(50, 4);
    mayLeave.release(10);
    assertAnswer(10, 1, running);
    assertAnswer(50, 4, last);
    assertEquals(List.of(1, 4), runs);
  }

  @Test
  void futures_thatAreCompletedInRareWays_giveTheirPlaceToOthersToo() throws Exception {
    open(options -> options.queueCapacity(MAX_BATCH));
    hold();
    CompletableFuture<float[]> running = ask(10, 1);
    awaitRuns(1);
    assertEquals(0, ask(20, 4).completeAsync(() -> new float[0]).join().length);
    assertEquals(0, ranker.stats().queued());
    CompletableFuture<float[]> failing =
        ask(30, 4)
            .completeAsync(
                () -> {
                  throw new IllegalStateException("scripted");
                });
    failure(IllegalStateException.class, failing);
    assertEquals(0, ranker.stats().queued());
    CompletableFuture<float[]> given = ask(40, 4);
    given.obtrudeValue(new float[0]);
    assertEquals(0, given.get(PATIENCE_SECONDS, TimeUnit.SECONDS).length);
    assertEquals(0, ranker.stats().queued());
    CompletableFuture<float[]> refused = ask(50, 4);
    refused.obtrudeException(new IllegalStateException("scripted"));
    failure(IllegalStateException.class, refused);
    assertEquals(0, ranker.stats().queued());
    mayLeave.release(10);
    assertAnswer(10, 1, running);
  }

  @Test
  void futures_tellWhetherTheyWereCompletedByTheCall() throws Exception {
    open(options -> {});
    CompletableFuture<float[]> answered = ask(10, 1);
    assertAnswer(10, 1, answered);
    assertFalse(answered.complete(new float[0]));
    assertFalse(answered.completeExceptionally(new IllegalStateException("scripted")));
    assertFalse(answered.cancel(true));
    assertAnswer(10, 1, answered);
    hold();
    assertTrue(ask(20, 1).completeExceptionally(new IllegalStateException("scripted")));
  }

  @Test
  void deadline_thatCannotBeMet_isRefusedAtOnce() {
    open(options -> options.deadline(Duration.ofNanos(1)));
    int before = backend.runs.get();
    assertRefused(DEADLINE, ask(1, 1));
    RequestRefusedException refusal =
        assertThrows(
            RequestRefusedException.class, () -> ranker.infer(new float[] {1}, new long[] {1}));
    assertTrue(refusal.getMessage().contains("within the 0 us"), refusal::getMessage);
    assertEquals(before, backend.runs.get());
    assertEquals(2, ranker.stats().refused());
  }

  @Test
  void deadline_inAges_isMet() {
    open(options -> {});
    for (Duration ages : List.of(Duration.ofDays(300 * 365), Duration.ofSeconds(Long.MAX_VALUE))) {
      assertArrayEquals(
          new float[] {2}, ranker.within(ages).infer(new float[] {1}, new long[] {1}));
    }
  }

  /** The window is longer than the deadline, and runs are slower than the warm-up's. */
  @Test
  void deadlineInAWindow_refusesNothingAndLeavesTheRunSomeRoom() throws Exception {
    backend.duringRun = rows -> sleep(rows == MAX_BATCH ? 400 : 0);
    open(options -> options.batchingWindow(Duration.ofSeconds(1)));
    backend.duringRun = rows -> sleep(405);
    assertInTime(Duration.ofMillis(700));
    CompletableFuture<float[]> patient = ask(10, 1);
    assertInTime(Duration.ofMillis(700));
    assertAnswer(10, 1, patient);
    assertEquals(2, ranker.stats().batches());
  }

  private void assertInTime(Duration deadline) throws Exception {
    long end = System.nanoTime() + deadline.toNanos();
    CompletableFuture<float[]> answer = ask(ranker.within(deadline), 20, 1);
    long left =
        answer.thenApply(scores -> end - System.nanoTime()).get(PATIENCE_SECONDS, TimeUnit.SECONDS);
    assertTrue(left > 0, -left + " ns late");
    assertAnswer(20, 1, answer);
  }

  private static void sleep(long millis) {
    try {
      Thread.sleep(millis);
    } catch (InterruptedException e) {
      throw new IllegalStateException(e);
    }
  }

  @Test
  void deadline_thatPassesInTheQueue_dropsTheRequestBeforeItsRun() throws Exception {
    open(options -> {});
    hold();
    CompletableFuture<float[]> running = ask(10, 1);
    awaitRuns(1);
    Ranker hurried = ranker.within(Duration.ofMillis(40));
    CompletableFuture<float[]> late = ask(hurried, 20, 1);
    RequestRefusedException refusal =
        assertThrows(
            RequestRefusedException.class, () -> hurried.infer(new float[] {1}, new long[] {1}));
    assertEquals(DEADLINE, refusal.reason(), "a caller that waits is told without a worker's help");
    CompletableFuture<float[]> patient = ask(30, 1);
    mayLeave.release(2);
    assertAnswer(10, 1, running);
    assertAnswer(30, 1, patient);
    assertRefused(DEADLINE, late);
    assertEquals(List.of(1, 1), runs);
    assertEquals(2, ranker.stats().expired());
  }

  @Test
  void interrupt_ofACallThatWaits_isKeptAndTheAnswerGiven() throws Exception {
    open(options -> {});
    hold();
    AtomicBoolean interrupted = new AtomicBoolean();
    CountDownLatch done = new CountDownLatch(1);
    Thread caller =
        new Thread(
            () -> {
              float[] scores = ranker.within(Duration.ofDays(1)).infer(new float[1], new long[1]);
              interrupted.set(scores.length == 1 && Thread.currentThread().isInterrupted());
              done.countDown();
            });
    caller.start();
    awaitRuns(1);
    caller.interrupt();
    mayLeave.release();
    assertTrue(done.await(PATIENCE_SECONDS, TimeUnit.SECONDS));
    assertTrue(interrupted.get());
  }

  @Test
  void interrupt_ofAWorkerByAnAction_doesNotKeepItFromSleeping() throws Exception {
    open(options -> {});
    hold();
    CompletableFuture<Thread> worker =
        ask(10, 1)
            .thenApply(
                scores -> {
                  Thread.currentThread().interrupt();
                  return Thread.currentThread();
                });
    mayLeave.release(2);
    Thread thread = worker.get(PATIENCE_SECONDS, TimeUnit.SECONDS);
    long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(PATIENCE_SECONDS);
    while (thread.isInterrupted()) {
      assertTrue(System.nanoTime() - end < 0, "the worker cannot sleep");
      Thread.onSpinWait();
    }
    assertAnswer(20, 1, ask(20, 1));
  }

  @Test
  void request_whoseAnswerNoArrayHolds_isRefusedInTheCall() {
    backend.outputs =
        List.of(new TensorSpec("score", DataType.FLOAT32, Shape.of(Shape.BATCH, 1 << 20)));
    open(options -> {});
    IllegalArgumentException refusal =
        assertThrows(IllegalArgumentException.class, () -> ask(0, 2048));
    assertEquals(
        "output 'score' FLOAT32[batch, 1048576]: 2048 rows make 2147483648 values, an array holds"
            + " at most 2147483647; split the request",
        refusal.getMessage());
    assertEquals(0, ranker.stats().queued());
  }

  // ------------------------------------------------------------------------------------- the end

  @Test
  void close_answersWhatWaitsAndRefusesTheRest() throws Exception {
    open(options -> {});
    hold();
    CompletableFuture<float[]> running = ask(10, 1);
    awaitRuns(1);
    CompletableFuture<float[]> waiting = ask(20, 6);
    CompletableFuture<float[]> cancelled = ask(30, 1);
    Future<?> closing = threads.submit(ranker::close);
    while (!isClosed()) {
      Thread.onSpinWait();
    }
    assertEquals(CLOSED, assertRefused(CLOSED, ask(40, 1)).reason());
    cancelled.cancel(false);
    assertFalse(closing.isDone());
    mayLeave.release(10);
    closing.get(PATIENCE_SECONDS, TimeUnit.SECONDS);
    assertAnswer(10, 1, running);
    assertAnswer(20, 6, waiting);
    assertEquals(0, backend.openEngines.get());
    ranker.close();
    assertThrows(IllegalStateException.class, () -> ranker.swap(model));
  }

  private boolean isClosed() {
    CompletableFuture<float[]> probe = ask(0, 1);
    probe.cancel(false);
    return probe.isCompletedExceptionally() && !probe.isCancelled();
  }

  @Test
  void waitingCalls_onAWorkersThread_areRefusedAndClosingWorks() throws Exception {
    open(options -> {});
    hold();
    CompletableFuture<List<Throwable>> thrown =
        ask(10, 1)
            .thenApply(
                scores -> {
                  List<Throwable> all = new ArrayList<>();
                  all.add(
                      assertThrows(
                          IllegalStateException.class,
                          () -> ranker.infer(new float[1], new long[1])));
                  all.add(assertThrows(IllegalStateException.class, () -> ranker.swap(model)));
                  ranker.close();
                  return all;
                });
    mayLeave.release();
    assertEquals(2, thrown.get(PATIENCE_SECONDS, TimeUnit.SECONDS).size());
    assertRefused(CLOSED, ask(20, 1));
  }

  @Test
  void waitingForAFuture_onAWorkersThread_isRefusedUnlessItIsDone() throws Exception {
    open(options -> {});
    CompletableFuture<float[]> other = new CompletableFuture<>();
    hold();
    CompletableFuture<float[]> first = ask(10, 1);
    CompletableFuture<Float> answer =
        first.thenApply(
            scores -> {
              CompletableFuture<float[]> next = ask(20, 1);
              CompletableFuture<Integer> length = next.thenApply(given -> given.length);
              assertNobodyWaitsFor(next);
              assertNobodyWaitsFor(length);
              assertNobodyWaitsFor(length.thenApply(n -> n + 1));
              assertNobodyWaitsFor(next.copy());
              assertNobodyWaitsFor(first.thenCompose(given -> next));
              assertEquals(scores, first.join());
              CompletableFuture<Integer> completed = next.thenApply(given -> 0);
              completed.complete(7);
              assertEquals(7, completed.join());
              CompletableFuture<Integer> cancelled = next.thenApply(given -> 0);
              cancelled.cancel(true);
              assertThrows(CancellationException.class, cancelled::join);
              CompletableFuture<float[]> unused =
                  next.whenComplete((given, failure) -> other.complete(next.join()));
              return scores[0];
            });
    mayLeave.release(2);
    assertEquals(10.5f, answer.get(PATIENCE_SECONDS, TimeUnit.SECONDS));
    assertAnswer(20, 1, other);
  }

  private static void assertNobodyWaitsFor(CompletableFuture<?> future) {
    assertThrows(IllegalStateException.class, future::join);
    assertThrows(IllegalStateException.class, future::get);
    assertThrows(IllegalStateException.class, () -> future.get(1, TimeUnit.SECONDS));
  }

  @Test
  void whatBecomesOfAnAnswer_keepsNeitherTheRequestNorItsModel() throws Exception {
    open(options -> {});
    List<CompletableFuture<Integer>> kept = new ArrayList<>();
    WeakReference<CompletableFuture<float[]>> request = askForALength(kept);
    assertEquals(1, kept.get(0).get(PATIENCE_SECONDS, TimeUnit.SECONDS));
    long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(PATIENCE_SECONDS);
    while (request.get() != null && System.nanoTime() < end) {
      System.gc();
      sleep(1);
    }
    assertNull(request.get());
    assertTrue(kept.get(0).isDone()); // and is kept so long
  }

  private WeakReference<CompletableFuture<float[]>> askForALength(
      List<CompletableFuture<Integer>> kept) {
    CompletableFuture<float[]> asked = ask(10, 1);
    kept.add(asked.thenApply(scores -> scores.length));
    return new WeakReference<>(asked);
  }

  @Test
  void close_thatIsInterrupted_waitsAllTheSameAndKeepsTheInterrupt() throws Exception {
    open(options -> {});
    hold();
    CompletableFuture<float[]> running = ask(10, 1);
    awaitRuns(1);
    AtomicBoolean asWanted = new AtomicBoolean();
    Thread closer =
        new Thread(
            () -> {
              ranker.close();
              asWanted.set(running.isDone() && Thread.currentThread().isInterrupted());
            });
    closer.start();
    awaitWaiting(closer);
    closer.interrupt();
    while (closer.isInterrupted()) { // until it has heard of it
      Thread.onSpinWait();
    }
    awaitWaiting(closer);
    mayLeave.release();
    closer.join();
    assertTrue(asWanted.get());
  }

  private static void awaitWaiting(Thread thread) {
    while (thread.isAlive() && thread.getState() != Thread.State.TIMED_WAITING) {
      Thread.onSpinWait();
    }
  }

  // ------------------------------------------------------------------------------------- devices

  @Test
  void ranker_tellsItsModelAndItsDevices() {
    open(options -> options.devices(Device.gpu(0), Device.gpu(1)));
    assertEquals("ranker of one.onnx on [gpu:0, gpu:1]", ranker.toString());
  }

  @Test
  void requests_goToTheDeviceWithTheFewestRows() throws Exception {
    open(options -> options.devices(Device.gpu(0), Device.gpu(1), Device.gpu(2)));
    hold();
    List<CompletableFuture<float[]>> answers = new ArrayList<>();
    for (int i = 0; i < 3; i++) {
      answers.add(ask(i, MAX_BATCH));
      awaitRuns(1);
    }
    for (int i = 3; i < 12; i++) {
      answers.add(ask(i, MAX_BATCH));
    }
    for (Ranker.ReplicaStats replica : ranker.stats().replicas()) {
      assertEquals(3 * MAX_BATCH, replica.queued());
    }
    mayLeave.release(100);
    for (int i = 0; i < 12; i++) {
      assertAnswer(i, MAX_BATCH, answers.get(i));
    }
    for (Ranker.ReplicaStats replica : ranker.stats().replicas()) {
      assertEquals(4, replica.requests());
    }
  }

  @Test
  void request_thatADeviceHasNoTimeFor_goesToAnother() throws Exception {
    backend.duringRunOn.put(Device.gpu(1), rows -> sleep(150));
    open(options -> options.devices(Device.gpu(0), Device.gpu(1)));
    for (int i = 0; i < 20; i++) { // half of them to the slow one first: both have nothing to do
      assertAnswer(i, 1, ask(ranker.within(Duration.ofMillis(120)), i, 1));
    }
    assertEquals(20, ranker.stats().replicas().get(0).requests());
    assertEquals(0, ranker.stats().refused());
  }

  @Test
  void request_thatADeviceHasNoPlaceFor_goesToAnother() throws Exception {
    open(
        options ->
            options.devices(Device.gpu(0), Device.gpu(1)).workers(2).queueCapacity(MAX_BATCH));
    hold();
    List<CompletableFuture<float[]>> answers = new ArrayList<>();
    int[] rows = {1, MAX_BATCH, 1, MAX_BATCH, MAX_BATCH, 1, MAX_BATCH};
    for (int i = 0; i < rows.length; i++) {
      answers.add(ask(100 * i, rows[i]));
      if (i != 3 && i < 5) { // the fourth fills the queue of the device that runs fewer rows
        awaitRuns(1);
      }
    }
    assertRefused(QUEUE_FULL, answers.get(6));
    mayLeave.release(100);
    for (int i = 0; i < 6; i++) {
      assertAnswer(100 * i, rows[i], answers.get(i));
    }
  }

  @Test
  void device_thatIsLost_leavesItsQueueToTheOthers() throws Exception {
    open(options -> options.devices(Device.gpu(0), Device.gpu(1)));
    hold();
    DeviceLostException lost = new DeviceLostException("scripted", 700, "cudaErrorIllegalAddress");
    failOnTheFirstGpu(lost);
    CompletableFuture<float[]> one = ask(10, MAX_BATCH);
    awaitRuns(1);
    CompletableFuture<float[]> other = ask(10, MAX_BATCH);
    awaitRuns(1);
    List<CompletableFuture<float[]>> waiting = new ArrayList<>();
    for (int i = 0; i < 6; i++) {
      waiting.add(ask(20 + i, i == 5 ? 7 : 2));
    }
    mayLeave.release(1000);
    for (int i = 0; i < 6; i++) {
      assertAnswer(20 + i, i == 5 ? 7 : 2, waiting.get(i));
    }
    CompletableFuture<float[]> failed =
        one.handle((scores, failure) -> failure != null).get() ? one : other;
    assertSame(lost, failure(InferenceException.class, failed).getCause());
    assertAnswer(10, MAX_BATCH, failed == one ? other : one);
    for (int i = 0; i < 20; i++) {
      assertAnswer(i, 3, ask(i, 3));
    }
    assertEquals("gpu:0 failed, 1 left: scripted", heard.poll(PATIENCE_SECONDS, TimeUnit.SECONDS));
    assertEquals(
        List.of(false, true),
        ranker.stats().replicas().stream().map(Ranker.ReplicaStats::serving).toList());
  }

  @Test
  void devices_thatAreAllLost_refuseWithTheReason() throws Exception {
    open(options -> options.devices(Device.gpu(0), Device.gpu(1)));
    backend.duringRun =
        rows -> {
          throw new DeviceLostException("scripted", 700, "cudaErrorIllegalAddress");
        };
    failure(InferenceException.class, ask(1, 1));
    failure(InferenceException.class, ask(1, 1));
    RequestRefusedException refusal = assertRefused(NO_DEVICE, ask(1, 1));
    assertTrue(refusal.getMessage().contains("scripted"), refusal.getMessage());
    assertInstanceOf(DeviceLostException.class, refusal.getCause());
    assertThrows(ModelException.class, () -> ranker.swap(model));
    assertRefused(NO_DEVICE, ask(1, 1));
  }

  @Test
  void device_thatFailsNowAndThen_staysAndThreeTimesInARowGoes() throws Exception {
    open(options -> {});
    CudaException failure = new CudaException("scripted", 1, "cudaErrorUnknown");
    AtomicInteger failures = new AtomicInteger();
    backend.duringRun =
        rows -> {
          if (failures.getAndDecrement() > 0) {
            throw failure;
          }
        };
    for (int i = 0; i < 5; i++) {
      failures.set(2);
      assertSame(failure, failure(InferenceException.class, ask(1, 1)).getCause());
      assertSame(failure, failure(InferenceException.class, ask(1, 1)).getCause());
      assertAnswer(1, 1, ask(1, 1));
    }
    failures.set(3);
    for (int i = 0; i < 3; i++) {
      failure(InferenceException.class, ask(1, 1));
    }
    assertRefused(NO_DEVICE, ask(1, 1));
    failures.set(0);
    ranker.swap(model);
    assertAnswer(1, 1, ask(1, 1));
  }

  private void failOnTheFirstGpu(RuntimeException failure) {
    backend.duringRunOn.put(
        Device.gpu(0),
        rows -> {
          throw failure;
        });
  }

  /** Asks until a device that fails has been taken out. */
  private void useUntilOut(int device) {
    while (servingDevices().get(device)) {
      ask(1, 1).handle((scores, failure) -> null).join();
    }
  }

  private List<Boolean> servingDevices() {
    return ranker.stats().replicas().stream().map(Ranker.ReplicaStats::serving).toList();
  }

  @Test
  void requests_oneAfterTheOther_useAllDevices() throws Exception {
    open(options -> options.devices(Device.gpu(0), Device.gpu(1), Device.gpu(2)));
    for (int i = 0; i < 200; i++) {
      assertAnswer(i, 1, ask(i, 1));
    }
    for (Ranker.ReplicaStats replica : ranker.stats().replicas()) {
      assertTrue(replica.requests() > 0, replica::toString);
    }
  }

  /** Its answer is to come from one model, so the rest of it cannot be left to another device. */
  @Test
  void request_ofWhichAPartRunsOnADeviceThatIsLost_fails() throws Exception {
    open(options -> options.workers(2));
    CountDownLatch goOn = new CountDownLatch(1);
    backend.duringRun =
        rows -> {
          entered.release();
          if (rows == MAX_BATCH) {
            awaitQuietly(goOn);
          } else {
            mayLeave.acquireUninterruptibly();
            throw new DeviceLostException("scripted", 700, "cudaErrorIllegalAddress");
          }
        };
    CompletableFuture<float[]> lost = ask(10, 1);
    awaitRuns(1);
    CompletableFuture<float[]> begun = ask(20, 3 * MAX_BATCH);
    awaitRuns(1);
    CompletableFuture<float[]> waiting = ask(50, 1);
    mayLeave.release();
    failure(InferenceException.class, lost);
    failure(InferenceException.class, begun);
    assertRefused(NO_DEVICE, waiting);
    goOn.countDown();
    assertEquals(2, ranker.stats().failed());
    assertEquals(1, ranker.stats().refused());
  }

  @Test
  void swap_afterADeviceWasLost_opensTheModelOnTheOthersAlone() throws Exception {
    open(options -> options.devices(Device.gpu(0), Device.gpu(1)));
    failOnTheFirstGpu(new DeviceLostException("scripted", 700, "cudaErrorIllegalAddress"));
    useUntilOut(0);
    int opens = backend.opens.get();
    ranker.swap(second());
    assertEquals(opens + 1, backend.opens.get());
    assertEquals(List.of(false, true), servingDevices());
    assertAnswer(1010, 1, ask(10, 1));
  }

  @Test
  void device_thatFailsWithTheNextModelToo_staysOutUntilOneWorks() throws Exception {
    open(options -> options.devices(Device.gpu(0), Device.gpu(1)));
    failOnTheFirstGpu(new CudaException("scripted", 1, "cudaErrorUnknown"));
    useUntilOut(0);
    ranker.swap(second());
    assertEquals(List.of(false, true), servingDevices());
    assertAnswer(1010, 1, ask(10, 1));
    backend.duringRunOn.clear();
    ranker.swap(model);
    assertEquals(List.of(true, true), servingDevices());
    failOnTheFirstGpu(new CudaException("scripted", 1, "cudaErrorUnknown"));
    assertThrows(CudaException.class, () -> ranker.swap(second()), "it serves, and must not stop");
    backend.duringRunOn.clear();
    assertEquals(List.of(true, true), servingDevices());
  }

  @Test
  void swap_toAModelThatIsNotSound_isRefusedWhereTheDeviceHadFailedAsWell() throws Exception {
    open(options -> {});
    backend.duringRun =
        rows -> {
          throw new CudaException("scripted", 1, "cudaErrorUnknown");
        };
    useUntilOut(0);
    backend.duringRun = rows -> {};
    backend.bias = path -> Double.NaN;
    assertThrows(ModelException.class, () -> ranker.swap(second()));
    assertRefused(NO_DEVICE, ask(10, 1));
    backend.bias = path -> 0;
    ranker.swap(second());
    assertAnswer(10, 1, ask(10, 1));
  }

  @Test
  void device_thatFailsBehindTheSuccessorOfAModel_servesOn() throws Exception {
    open(options -> {});
    hold();
    CompletableFuture<float[]> running = ask(10, 1);
    awaitRuns(1);
    CompletableFuture<float[]> waiting = ask(20, 1);
    Future<?> swap = swapBesideARun();
    AtomicBoolean fails = new AtomicBoolean(true);
    backend.duringRunOn.put(
        Device.gpu(0),
        rows -> {
          if (fails.getAndSet(false)) {
            throw new DeviceLostException("scripted", 700, "cudaErrorIllegalAddress");
          }
        });
    mayLeave.release();
    failure(InferenceException.class, running);
    assertAnswer(1020, 1, waiting);
    swap.get(PATIENCE_SECONDS, TimeUnit.SECONDS);
    assertEquals(List.of("one.onnx to two.onnx"), List.copyOf(heard));
    ranker.swap(model);
    assertAnswer(10, 1, ask(10, 1));
  }

  // ---------------------------------------------------------------------------------------- swap

  private Path second() throws IOException {
    return Files.write(folder.resolve("two.onnx"), new byte[] {2});
  }

  @Test
  void swap_underLoad_answersEveryRequestFromOneModel() throws Exception {
    open(options -> options.devices(Device.gpu(0), Device.gpu(1)).workers(2));
    Path two = second();
    AtomicBoolean stop = new AtomicBoolean();
    AtomicInteger answered = new AtomicInteger();
    List<Future<Void>> callers = new ArrayList<>();
    for (int thread = 0; thread < 4; thread++) {
      int rows = thread == 0 ? 3 * MAX_BATCH + 1 : 1 + thread;
      callers.add(
          threads.submit(
              () -> {
                while (!stop.get()) {
                  float[] scores = ranker.infer(new float[rows], ids(0, rows));
                  float base = scores[0];
                  assertTrue(base == 0 || base == 1000, "" + base);
                  for (int row = 0; row < rows; row++) {
                    assertEquals(base + row, scores[row]);
                  }
                  answered.incrementAndGet();
                }
                return null;
              }));
    }
    for (int i = 0; i < 100; i++) {
      int before = answered.get();
      ranker.swap(i % 2 == 0 ? two : model);
      assertEquals(2, backend.openEngines.get());
      assertArrayEquals(
          new float[] {i % 2 == 0 ? 1000 : 0}, ranker.infer(new float[1], new long[1]));
      while (answered.get() == before) {
        Thread.onSpinWait();
      }
    }
    stop.set(true);
    for (Future<Void> caller : callers) {
      caller.get(PATIENCE_SECONDS, TimeUnit.SECONDS);
    }
    assertEquals(100, heard.size());
    assertEquals("one.onnx to two.onnx", heard.peek());
    assertEquals(0, ranker.stats().failed() + ranker.stats().refused());
  }

  @Test
  void requests_thatWaitDuringASwap_areAnsweredByTheModelThatTookThem() throws Exception {
    open(options -> {});
    hold();
    CompletableFuture<float[]> running = ask(10, 1);
    awaitRuns(1);
    CompletableFuture<float[]> waiting = ask(20, 9);
    Future<?> swap = swapBesideARun();
    assertAnswer(1030, 1, ask(30, 1));
    assertFalse(swap.isDone());
    mayLeave.release(10);
    swap.get(PATIENCE_SECONDS, TimeUnit.SECONDS);
    assertAnswer(10, 1, running);
    assertAnswer(20, 9, waiting);
  }

  /** Begins a swap, and waits until the new model serves; the old one's run is still held. */
  private Future<?> swapBesideARun() {
    backend.duringRun = rows -> {};
    Future<?> swap = threads.submit(() -> swapTo(second()));
    while (ranker.stats().queued() != 0) { // that of the new model
      Thread.onSpinWait();
    }
    return swap;
  }

  private Void swapTo(Path path) {
    ranker.swap(path);
    return null;
  }

  static Stream<Consumer<RankerTest>> refusedModels() {
    return Stream.of(
        test -> test.backend.openFailure = new ModelException("scripted: damaged"),
        test -> test.backend.sessionFailure = new IllegalStateException("scripted: no memory"),
        test -> test.backend.bias = path -> Double.NaN,
        test -> test.backend.outputs = test.backend.inputs,
        test -> test.backend.minBatch = 2,
        test ->
            test.check =
                () -> {
                  throw new IllegalStateException("scripted: scores differ");
                },
        test ->
            test.check =
                () -> {
                  throw new AssertionError("scripted: scores differ");
                },
        test ->
            test.backend.duringRun =
                rows -> {
                  throw new InferenceException("scripted: cannot run");
                },
        test ->
            test.backend.duringRun =
                rows -> {
                  throw new OutOfMemoryError("scripted: heap");
                });
  }

  private volatile Runnable check = () -> {};

  @ParameterizedTest
  @MethodSource("refusedModels")
  void swap_toAModelThatIsRefused_leavesTheOldOneServing(Consumer<RankerTest> fault)
      throws Exception {
    open(
        options ->
            options.check(
                engine -> {
                  assertEquals(1, engine.inputs().get(0).shape().elementsPerRow());
                  check.run();
                }));
    Path two = second();
    fault.accept(this);
    Throwable refusal = assertThrows(Throwable.class, () -> ranker.swap(two));
    assertTrue(
        refusal.getMessage().contains("scripted") || refusal.getMessage().contains("two.onnx"),
        refusal.getMessage());
    backend.duringRun = rows -> {};
    assertAnswer(10, 3, ask(10, 3));
    assertEquals(1, backend.openEngines.get());
    assertEquals(List.of("two.onnx refused"), List.copyOf(heard));
  }

  @Test
  void listener_thatThrowsAnError_doesNotFailTheSwapItHearsOf() throws Exception {
    RankerListener broken =
        new RankerListener() {
          @Override
          public void swapped(Path before, Path now) {
            throw new AssertionError("scripted");
          }
        };
    open(options -> options.listener(broken));
    ranker.swap(second());
    assertAnswer(1010, 1, ask(10, 1));
  }

  @Test
  void swap_toAModelThatFailsInAWorker_preparesNoOther() throws Exception {
    open(options -> options.workers(4));
    Path two = second();
    int before = backend.runs.get();
    backend.duringRun =
        rows -> {
          throw new InferenceException("scripted: cannot run");
        };
    assertThrows(InferenceException.class, () -> ranker.swap(two));
    assertEquals(before + 1, backend.runs.get());
    backend.duringRun = rows -> {};
    assertAnswer(10, 3, ask(10, 3));
    assertEquals(1, backend.openEngines.get());
  }

  @Test
  void swap_fromTheCheckOfAnother_isRefused() throws Exception {
    List<Throwable> refusals = new ArrayList<>();
    open(
        options ->
            options.check(
                engine ->
                    refusals.add(
                        assertThrows(IllegalStateException.class, () -> ranker.swap(model)))));
    ranker.swap(second());
    assertTrue(refusals.get(0).getMessage().contains("under way"), refusals.get(0).getMessage());
    assertAnswer(1010, 1, ask(10, 1));
  }

  @Test
  void swaps_atOnce_followEachOther() throws Exception {
    open(options -> {});
    Path two = second();
    List<Future<Void>> swaps = new ArrayList<>();
    for (int i = 0; i < 8; i++) {
      swaps.add(threads.submit(() -> swapTo(two)));
    }
    for (Future<Void> swap : swaps) {
      swap.get(PATIENCE_SECONDS, TimeUnit.SECONDS);
    }
    assertEquals(1, backend.openEngines.get());
    assertAnswer(1010, 1, ask(10, 1));
  }

  @Test
  void close_duringASwap_endsBoth() throws Exception {
    CountDownLatch checking = new CountDownLatch(1);
    CountDownLatch goOn = new CountDownLatch(1);
    open(
        options ->
            options.check(
                engine -> {
                  checking.countDown();
                  awaitQuietly(goOn);
                }));
    Path two = second();
    Future<Void> swap = threads.submit(() -> swapTo(two));
    assertTrue(checking.await(PATIENCE_SECONDS, TimeUnit.SECONDS));
    ranker.close();
    goOn.countDown();
    ExecutionException thrown =
        assertThrows(ExecutionException.class, () -> swap.get(PATIENCE_SECONDS, TimeUnit.SECONDS));
    assertInstanceOf(IllegalStateException.class, thrown.getCause());
    assertEquals(0, backend.openEngines.get());
  }

  @Test
  void close_rightBehindASwap_waitsForTheModelThatWasReplaced() throws Exception {
    open(options -> {});
    hold();
    CompletableFuture<float[]> running = ask(10, 1);
    awaitRuns(1);
    CompletableFuture<float[]> waiting = ask(20, 1);
    Future<?> swap = swapBesideARun();
    AtomicBoolean answered = new AtomicBoolean();
    Thread closer =
        new Thread(
            () -> {
              ranker.close();
              answered.set(running.isDone() && waiting.isDone());
            });
    closer.start();
    while (backend.openEngines.get() > 1
        || (closer.isAlive() && closer.getState() != Thread.State.TIMED_WAITING)) {
      Thread.onSpinWait();
    }
    mayLeave.release(10);
    closer.join();
    swap.get(PATIENCE_SECONDS, TimeUnit.SECONDS);
    assertTrue(answered.get());
    assertAnswer(10, 1, running);
    assertAnswer(20, 1, waiting);
  }

  /** Asks ten times a second until the ranker is closed. */
  private void keepAsking() {
    threads.execute(
        () -> {
          while (ask(10, 1).handle((scores, failure) -> failure == null).join()) {
            sleep(100);
          }
        });
  }

  /** With its rests the rest of the swap takes more than 20 s, and less than 2 s without. */
  @Test
  void close_whileASwapRestsBetweenPiecesOfItsOpening_waitsForNoRest() throws Exception {
    open(options -> options.workers(8));
    backend.duringRun =
        rows -> {
          if (rows == MAX_BATCH) { // warming up
            entered.release();
          }
          sleep(20);
        };
    keepAsking();
    Future<?> swap = threads.submit(() -> swapTo(second()));
    awaitRuns(2);
    ranker.close();
    ExecutionException thrown =
        assertThrows(ExecutionException.class, () -> swap.get(10, TimeUnit.SECONDS));
    assertInstanceOf(IllegalStateException.class, thrown.getCause());
    assertEquals(0, backend.openSessions.get());
    assertEquals(0, backend.openEngines.get());
  }

  /** With their rests the sessions take 40 s, and less than 2 s without. */
  @Test
  void close_whileASwapRestsBetweenPiecesOfItsEnd_waitsForNoRest() throws Exception {
    open(options -> options.workers(8));
    restWhileClosing(10);
    keepAsking();
    Future<?> swap = threads.submit(() -> swapTo(second()));
    awaitRuns(1);
    assertAnswer(1010, 1, ask(10, 1));
    Future<?> closing = threads.submit(ranker::close);
    closing.get(10, TimeUnit.SECONDS);
    assertEquals(0, backend.openSessions.get());
    assertEquals(0, backend.openEngines.get());
    swap.get(PATIENCE_SECONDS, TimeUnit.SECONDS);
  }

  private void restWhileClosing(int pieces) {
    backend.beforeClose =
        () -> {
          entered.release();
          for (int piece = 0; piece < pieces; piece++) {
            sleep(10);
            Pace.restLong();
          }
        };
  }

  @Test
  void swap_whileNobodyAsks_doesNotRest() throws Exception {
    open(options -> options.workers(8));
    restWhileClosing(10);
    Future<?> swap = threads.submit(() -> swapTo(second()));
    swap.get(10, TimeUnit.SECONDS);
    assertAnswer(1010, 1, ask(10, 1));
  }

  @Test
  void swap_whileSomeoneAsks_rests() throws Exception {
    open(options -> {});
    restWhileClosing(2);
    keepAsking();
    long start = System.nanoTime();
    swapTo(second());
    assertTrue(System.nanoTime() - start > TimeUnit.SECONDS.toNanos(1));
  }

  private static void awaitQuietly(CountDownLatch latch) {
    try {
      assertTrue(latch.await(PATIENCE_SECONDS, TimeUnit.SECONDS));
    } catch (InterruptedException e) {
      throw new CompletionException(e);
    }
  }
}
