package dev.rankrt.internal.tensorrt;

import dev.rankrt.Device;
import dev.rankrt.Engine;
import dev.rankrt.EngineOptions;
import dev.rankrt.Precision;
import dev.rankrt.Ranker;
import dev.rankrt.RankerOptions;
import dev.rankrt.Session;
import dev.rankrt.TensorSpec;
import dev.rankrt.testing.Figures;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.FutureTask;
import java.util.concurrent.Semaphore;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.LongAdder;
import java.util.concurrent.locks.LockSupport;
import java.util.function.DoublePredicate;
import java.util.function.DoubleUnaryOperator;
import java.util.function.Supplier;
import java.util.stream.Stream;
import org.HdrHistogram.Histogram;

/**
 * Measures what a ranker does for many callers. Open loops send at random times, whatever comes
 * back, and count latency from the time that a request was due, so that no delay hides another.
 *
 * <pre>
 *   RankerFigures inflight MODEL     10 requests of one row in flight: blocking, futures, and a
 *                                    session a thread
 *   RankerFigures server MODEL       the most requests a second with 99 % of answers in 10 ms,
 *                                    against a session a thread without batching
 *   RankerFigures tail MODEL         latency at 92 % of the maximum, or at another load
 *   RankerFigures overload MODEL     twice the maximum, with a deadline of 10 ms
 *   RankerFigures swap MODEL         swaps at 70 % of the maximum
 *   RankerFigures devices MODEL      all devices, saturated, against the first
 * </pre>
 *
 * <p>System properties, all beginning with {@code rankrt.figures.}: {@code devices} (gpu:0), {@code
 * workers} (as the ranker chooses), {@code rows} (32), {@code ids} (10000), {@code seconds} (4),
 * {@code load} (0.92), {@code swaps} (100, at most), {@code swapSeconds} (45), {@code gentle}
 * (true), {@code maxBatch} (1024), {@code precision} (FP16), {@code feeders} (4), {@code inFlight}
 * (requests whose rate counts as the maximum, eight full runs for each device), {@code
 * sessionsMaxBatch} and {@code sessions} (of the engine without a ranker: 64 rows, a session a
 * processor).
 */
final class RankerFigures {
  private static final Duration SLA = Duration.ofMillis(10);
  private static final int IN_FLIGHT = 10;
  private static final int SAMPLES = 512;
  private static final int SWAPS_BETWEEN_LOOKS_AT_MEMORY = 10;

  /** Where the first line of /proc/stat has it, in hundredths of a second. */
  private static final int STEAL = 8;

  private static final double MILLIS_A_TICK = 10;
  private static final double SECONDS = Double.parseDouble(property("seconds", "4"));
  private static final int FEEDERS = Integer.parseInt(property("feeders", "4"));
  private static final int ROWS = Integer.parseInt(property("rows", "32"));
  private static final int IDS = Integer.parseInt(property("ids", "10000"));
  private static final int MAX_BATCH = Integer.parseInt(property("maxBatch", "1024"));

  /** Enough to keep every worker of a device in full batches. */
  private static final int RUNS_IN_FLIGHT = 8;

  private static final List<String> ROUNDS = List.of("warm-up", "first", "second", "third");

  private static final List<Device> DEVICES = devices();

  private RankerFigures() {}

  public static void main(String[] arguments) throws Exception {
    Path model = Path.of(arguments[1]);
    switch (arguments[0]) {
      case "inflight" -> inflight(model);
      case "server" -> server(model);
      case "tail" -> tail(model);
      case "overload" -> overload(model);
      case "swap" -> swap(model);
      case "devices" -> devices(model);
      default -> throw new IllegalArgumentException(arguments[0]);
    }
  }

  private static String property(String name, String otherwise) {
    return System.getProperty("rankrt.figures." + name, otherwise);
  }

  private static List<Device> devices() {
    List<Device> devices = new ArrayList<>();
    for (String name : List.of(property("devices", "gpu:0").split(",", -1))) {
      devices.add(
          name.equals("cpu") ? Device.cpu() : Device.gpu(Integer.parseInt(name.substring(4))));
    }
    return devices;
  }

  private static EngineOptions options(int maxBatch) {
    return EngineOptions.builder()
        .device(DEVICES.get(0))
        .precision(Precision.valueOf(property("precision", "FP16")))
        .maxBatch(maxBatch)
        .build();
  }

  private static Ranker open(Path model, int devices) {
    RankerOptions.Builder serving =
        RankerOptions.builder()
            .devices(DEVICES.subList(0, devices).toArray(Device[]::new))
            .gentleSwaps(Boolean.parseBoolean(property("gentle", "true")));
    int workers = Integer.parseInt(property("workers", "0"));
    if (workers > 0) {
      serving.workers(workers);
    }
    return Ranker.open(model, options(MAX_BATCH), serving.build());
  }

  // --------------------------------------------------------------------------------- the requests

  /** Drawn requests of some rows each, used in turn. */
  private static final class Requests {
    final float[][] dense = new float[SAMPLES][];
    final long[][] ids = new long[SAMPLES][];

    Requests(List<TensorSpec> inputs, int rows) {
      Random random = new Random(rows);
      int first = inputs.get(0).type().isFloat() ? 0 : 1;
      for (int i = 0; i < SAMPLES; i++) {
        dense[i] = new float[rows * inputs.get(first).shape().elementsPerRow()];
        ids[i] = new long[rows * inputs.get(1 - first).shape().elementsPerRow()];
        for (int j = 0; j < dense[i].length; j++) {
          dense[i][j] = (float) random.nextGaussian();
        }
        for (int j = 0; j < ids[i].length; j++) {
          ids[i][j] = random.nextInt(IDS);
        }
      }
    }

    OpenLoop.Sender to(Ranker ranker) {
      return (i, done) -> {
        CompletableFuture<float[]> unused =
            ranker.inferAsync(dense[i % SAMPLES], ids[i % SAMPLES]).whenComplete(done);
      };
    }
  }

  /** Makes a call and waits for its answer. */
  private interface Call {
    void make(int number);
  }

  private static double micros(Histogram latency, double percentile) {
    return latency.getValueAtPercentile(percentile) / 1e3;
  }

  private static void reportLate(String what, Histogram late) {
    Figures.add(what + ", sent late, p99 microseconds", micros(late, 99));
    Figures.add(what + ", sent late, longest, microseconds", micros(late, 100));
  }

  /**
   * Returns how long this machine's processors have been somebody else's so far, all together: a
   * virtual machine's host may have other guests.
   */
  private static double stolenMillis() throws IOException {
    try (Stream<String> lines = Files.lines(Path.of("/proc/stat"))) {
      String total = lines.findFirst().orElseThrow();
      return Long.parseLong(total.split(" +", -1)[STEAL]) * MILLIS_A_TICK;
    }
  }

  private static void report(String what, Histogram latency, double seconds) {
    Figures.add(what + ", requests", (double) latency.getTotalCount());
    Figures.add(what + ", requests per second", latency.getTotalCount() / seconds);
    for (double percentile : new double[] {50, 90, 99, 99.9}) {
      Figures.add(
          what + ", p" + (percentile + " microseconds").replace(".0 ", " "),
          micros(latency, percentile));
    }
  }

  // ----------------------------------------------------------------------------- closed loops

  /** Keeps requests in flight, each sent by the same few threads, and returns answers a second. */
  private static double saturate(OpenLoop.Sender send, int inFlight, double seconds)
      throws InterruptedException {
    LongAdder answered = new LongAdder();
    Callers.together(
        FEEDERS,
        (feeder, began) -> {
          Callers.awaitTime(began);
          long end = began + (long) (seconds * 1e9);
          Semaphore free = new Semaphore(Math.max(1, inFlight / FEEDERS));
          for (int i = feeder; System.nanoTime() < end; i = i + 1 & Integer.MAX_VALUE) {
            while (!free.tryAcquire()) { // asleep it would have to be woken, by a worker
              Thread.onSpinWait();
            }
            send.send(
                i,
                (scores, failure) -> {
                  answered.increment();
                  free.release();
                });
          }
          free.acquireUninterruptibly(Math.max(1, inFlight / FEEDERS));
        });
    return answered.sum() / seconds;
  }

  /** Returns the most requests a second that a ranker answers, after warming it. */
  private static double maximum(Ranker ranker, Requests requests) throws InterruptedException {
    int usual = RUNS_IN_FLIGHT * MAX_BATCH * ranker.stats().replicas().size() / ROWS;
    int inFlight = Integer.parseInt(property("inFlight", "" + usual));
    saturate(requests.to(ranker), inFlight, 3);
    return saturate(requests.to(ranker), inFlight, 2);
  }

  private static void inflight(Path model) throws Exception {
    try (Ranker ranker = open(model, 1)) {
      Requests requests = new Requests(ranker.inputs(), 1);
      Ranker.Stats before = ranker.stats();
      for (String round : new String[] {"warm-up", "first", "second"}) {
        report(
            "inflight, blocking, " + round,
            eachOn(IN_FLIGHT, () -> i -> ranker.infer(requests.dense[i], requests.ids[i])),
            SECONDS);
        report("inflight, futures, " + round, chains(requests.to(ranker)), SECONDS);
      }
      rowsPerRun(before, ranker.stats(), "inflight");
    }
    try (Engine engine = Engine.open(model, options(MAX_BATCH))) {
      Requests requests = new Requests(engine.inputs(), 1);
      for (String round : new String[] {"warm-up", "first", "second"}) {
        List<Session> sessions = new ArrayList<>();
        report(
            "inflight, a session a thread, " + round,
            eachOn(
                IN_FLIGHT,
                () -> {
                  Session session = newSession(engine, sessions);
                  return i -> session.infer(requests.dense[i], requests.ids[i]);
                }),
            SECONDS);
        sessions.forEach(Session::close);
      }
    }
  }

  private static void rowsPerRun(Ranker.Stats before, Ranker.Stats after, String what) {
    double runs = after.batches() - before.batches();
    Figures.add(what + ", rows per run", (after.rows() - before.rows()) / runs);
  }

  private static Session newSession(Engine engine, List<Session> sessions) {
    Session session = engine.newSession();
    synchronized (sessions) {
      sessions.add(session);
    }
    return session;
  }

  /** Each thread sends its next request when it has its answer. */
  private static Histogram eachOn(int count, Supplier<Call> calls) throws InterruptedException {
    Latencies latency = new Latencies();
    Callers.onThreads(
        count,
        thread -> {
          Call call = calls.get();
          long end = System.nanoTime() + (long) (SECONDS * 1e9);
          long now = System.nanoTime();
          for (int i = thread; now < end; i++) {
            call.make(i % SAMPLES);
            long done = System.nanoTime();
            latency.record(done - now);
            now = done;
          }
        });
    return latency.merged();
  }

  /** Each answer sends the next request, on the thread that brings it. */
  private static Histogram chains(OpenLoop.Sender send) throws InterruptedException {
    Latencies latency = new Latencies();
    long end = System.nanoTime() + (long) (SECONDS * 1e9);
    Semaphore ended = new Semaphore(0);
    for (int i = 0; i < IN_FLIGHT; i++) {
      next(send, i, end, latency, ended);
    }
    ended.acquire(IN_FLIGHT);
    return latency.merged();
  }

  private static void next(
      OpenLoop.Sender send, int number, long end, Latencies latency, Semaphore ended) {
    long start = System.nanoTime();
    if (start >= end) {
      ended.release();
      return;
    }
    send.send(
        number & Integer.MAX_VALUE,
        (scores, failure) -> {
          latency.record(System.nanoTime() - start);
          next(send, number + IN_FLIGHT, end, latency, ended);
        });
  }

  // ------------------------------------------------------------------------------- open loops

  private static void server(Path model) throws Exception {
    double seconds = 1.5;
    int threads =
        Integer.parseInt(property("sessions", "" + Runtime.getRuntime().availableProcessors()));
    int maxBatch = Integer.parseInt(property("sessionsMaxBatch", "64"));
    try (Ranker ranker = open(model, 1);
        Engine engine = Engine.open(model, options(maxBatch))) {
      Requests requests = new Requests(ranker.inputs(), ROWS);
      List<Session> sessions = new ArrayList<>();
      for (int i = 0; i < threads; i++) {
        sessions.add(engine.newSession());
      }
      double most = maximum(ranker, requests);
      Figures.add("server, saturated, requests per second", most);
      Histogram warm = openLoopOf(sessions, requests, most / 4, seconds);
      Figures.add("server, sessions, warm-up, p50 microseconds", micros(warm, 50));
      Load unbatched = rate -> openLoopOf(sessions, requests, rate, seconds);
      Load batched =
          rate -> {
            return OpenLoop.run(requests.to(ranker), FEEDERS, rate, seconds).ofAll();
          };
      Search ofRanker = new Search("ranker", batched, most);
      Search ofSessions = new Search("a session a thread", unbatched, most);
      for (int i = 0; i < 7; i++) { // by turns: what disturbs the machine disturbs both
        ofRanker.step();
        ofSessions.step();
      }
      Figures.add("server, ranker against sessions", ofRanker.report() / ofSessions.report());
      sessions.forEach(Session::close);
    }
  }

  /** Applies a load, and returns the latencies. */
  private interface Load {
    Histogram at(double rate) throws InterruptedException;
  }

  /** Looks for the highest rate at which 99 % of answers come in time. */
  private static final class Search {
    private final String name;
    private final Load load;
    private double good;
    private double bad;
    private Histogram best = Latencies.histogram();

    Search(String name, Load load, double most) {
      this.name = name;
      this.load = load;
      this.bad = 1.2 * most;
    }

    void step() throws InterruptedException {
      double rate = (good + bad) / 2;
      Histogram latency = load.at(rate);
      if (latency.getValueAtPercentile(99) >= SLA.toNanos()) {
        latency = load.at(rate); // one pause is not a limit
      }
      if (latency.getValueAtPercentile(99) < SLA.toNanos()) {
        good = rate;
        best = latency;
      } else {
        bad = rate;
      }
    }

    double report() {
      String what = "server, " + name;
      Figures.add(what + ", requests per second at p99 below 10 ms", good);
      Figures.add(what + ", p50 microseconds there", micros(best, 50));
      Figures.add(what + ", p99 microseconds there", micros(best, 99));
      return good;
    }
  }

  /** One queue for all sessions: each takes the next arrival as soon as it is free. */
  private static Histogram openLoopOf(
      List<Session> sessions, Requests requests, double rate, double seconds)
      throws InterruptedException {
    long[] arrivals = new long[(int) (rate * seconds)];
    long at = 0;
    for (int i = 0; i < arrivals.length; i++) {
      at += Callers.untilNext(rate);
      arrivals[i] = at;
    }
    // Where the queue grows without end, its end is not worth waiting for.
    long last = at + 1_000_000_000L;
    Latencies latency = new Latencies();
    AtomicInteger taken = new AtomicInteger();
    Callers.together(
        sessions.size(),
        (thread, began) -> {
          Session session = sessions.get(thread);
          for (int i; (i = taken.getAndIncrement()) < arrivals.length; ) {
            long due = began + arrivals[i];
            Callers.awaitTime(due);
            if (System.nanoTime() - began < last) {
              session.infer(requests.dense[i % SAMPLES], requests.ids[i % SAMPLES]);
            }
            latency.record(System.nanoTime() - due);
          }
        });
    return latency.merged();
  }

  private static void tail(Path model) throws Exception {
    double load = Double.parseDouble(property("load", "0.92"));
    try (Ranker ranker = open(model, 1)) {
      Requests requests = new Requests(ranker.inputs(), ROWS);
      double most = maximum(ranker, requests);
      Figures.add("tail, saturated, requests per second", most);
      for (String round : ROUNDS) {
        String what = "tail, at " + Math.round(100 * load) + " %, " + round;
        Ranker.Stats before = ranker.stats();
        Timeline timeline = Timeline.of(what, requests.to(ranker), load * most, SECONDS);
        Figures.add(what + ", p99 by p50", timeline.micros(99) / timeline.micros(50));
        rowsPerRun(before, ranker.stats(), what);
        timeline.reportSlices();
      }
    }
  }

  private static void overload(Path model) throws Exception {
    try (Ranker ranker = open(model, 1)) {
      Requests requests = new Requests(ranker.inputs(), ROWS);
      double most = maximum(ranker, requests);
      Figures.add("overload, saturated, requests per second", most);
      Ranker hurried = ranker.within(SLA);
      for (String round : ROUNDS) {
        String what = "overload, " + round;
        double expired = ranker.stats().expired();
        Timeline timeline = Timeline.of(what, requests.to(hurried), 2 * most, SECONDS);
        Figures.add(
            what + ", accepted within 10 ms, percent",
            timeline.latency.getPercentileAtOrBelowValue(SLA.toNanos()));
        Figures.add(what + ", dropped behind the queue", ranker.stats().expired() - expired);
        Histogram refused = timeline.loop.refused.merged();
        report(what + ", refused", refused, SECONDS);
        distribution(what + ", accepted", timeline.latency);
        distribution(what + ", refused", refused);
        timeline.reportSlices();
      }
    }
  }

  /** Counts by latency, in steps of 1, 2 and 5. */
  private static void distribution(String what, Histogram latency) {
    DoubleUnaryOperator next = limit -> limit * (("" + (long) limit).charAt(0) == '2' ? 2.5 : 2);
    double before = 0;
    for (double limit = 1;
        before * 1e3 < latency.getMaxValue();
        limit = next.applyAsDouble(limit)) {
      long count = latency.getCountBetweenValues((long) (before * 1e3), (long) (limit * 1e3) - 1);
      Figures.add(
          what + ", requests from " + (long) before + " to " + (long) limit + " us",
          (double) count);
      before = limit;
    }
  }

  private static void swap(Path model) throws Exception {
    int swaps = Integer.parseInt(property("swaps", "100"));
    double limit = Double.parseDouble(property("swapSeconds", "45"));
    try (Ranker ranker = open(model, 1)) {
      Requests requests = new Requests(ranker.inputs(), ROWS);
      double rate = 0.7 * maximum(ranker, requests);
      ranker.swap(model); // what comes once in a process is no swap's
      memory("swap, before");
      OpenLoop.run(requests.to(ranker), FEEDERS, rate, SECONDS);
      Timeline before = Timeline.of("swap, before", requests.to(ranker), rate, 2 * SECONDS);

      long start = System.nanoTime();
      AtomicInteger done = new AtomicInteger();
      AtomicLong slowest = new AtomicLong();
      FutureTask<Void> swapper =
          new FutureTask<>(
              () -> {
                while (done.get() < swaps && since(start) < limit) {
                  long began = System.nanoTime();
                  ranker.swap(model);
                  slowest.accumulateAndGet(System.nanoTime() - began, Math::max);
                  if (done.incrementAndGet() % SWAPS_BETWEEN_LOOKS_AT_MEMORY == 0) {
                    memory("swap, after " + done + " swaps");
                  }
                }
                return null;
              });
      new Thread(swapper, "swaps").start();
      Timeline during =
          Timeline.of("swap, during", requests.to(ranker), rate, seconds -> !swapper.isDone());
      swapper.get();
      Figures.add("swap, swaps", done.get());
      Figures.add("swap, swaps, seconds", since(start));
      Figures.add("swap, slowest, milliseconds", slowest.get() / 1e6);
      Figures.add("swap, p99 during by before", during.micros(99) / before.micros(99));
      memory("swap, after");
      Timeline.of("swap, after", requests.to(ranker), rate, 2 * SECONDS);
      during.reportSlices();
    }
  }

  /** A load, reported, and what each half second of it found. */
  private static final class Timeline {
    private final String name;
    private final OpenLoop loop;
    private final Histogram latency;

    /** By half second. */
    private final List<Double> p99s;

    private Timeline(String name, OpenLoop loop) {
      this.name = name;
      this.loop = loop;
      this.latency = loop.accepted.merged();
      this.p99s =
          loop.accepted.slices().stream().map(slice -> RankerFigures.micros(slice, 99)).toList();
    }

    static Timeline of(String name, OpenLoop.Sender send, double rate, double seconds)
        throws IOException, InterruptedException {
      return of(name, send, rate, due -> due < seconds);
    }

    static Timeline of(String name, OpenLoop.Sender send, double rate, DoublePredicate goesOn)
        throws IOException, InterruptedException {
      double began = ManagementFactory.getRuntimeMXBean().getUptime() / 1e3;
      double stolen = stolenMillis();
      long start = System.nanoTime();
      try (Pauses pauses = new Pauses()) {
        Timeline timeline = new Timeline(name, OpenLoop.run(send, FEEDERS, rate, goesOn));
        double seconds = since(start);
        timeline.report(seconds);
        add(name, "longest pause of an idle thread, milliseconds", pauses.longest() / 1e6);
        add(name, "began, seconds in the collector's log", began);
        add(name, "stolen, milliseconds a second", (stolenMillis() - stolen) / seconds);
        return timeline;
      }
    }

    double micros(double percentile) {
      return RankerFigures.micros(latency, percentile);
    }

    private void report(double seconds) {
      RankerFigures.report(name, latency, seconds);
      add(name, "refused", (double) loop.refused.count());
      add(name, "failed", (double) loop.failed.sum());
      add(
          name,
          "median p99 of half a second, microseconds",
          p99s.stream().sorted().skip(p99s.size() / 2).findFirst().orElseThrow());
      reportLate(name, loop.late.merged());
    }

    void reportSlices() {
      for (int i = 0; i < p99s.size(); i++) {
        add(name, "at " + i * OpenLoop.SLICE_SECONDS + " s, p99 microseconds", p99s.get(i));
      }
    }

    private static void add(String name, String figure, double value) {
      Figures.add(name + ", " + figure, value);
    }
  }

  /** A thread that sleeps a millisecond at a time: what holds it up holds up the process. */
  private static final class Pauses implements AutoCloseable {
    private static final long SLEEP_NANOS = 1_000_000;

    private final AtomicLong longest = new AtomicLong();
    private final Thread thread =
        new Thread(
            () -> {
              long before = System.nanoTime();
              while (!Thread.currentThread().isInterrupted()) {
                LockSupport.parkNanos(SLEEP_NANOS);
                long now = System.nanoTime();
                longest.accumulateAndGet(now - before - SLEEP_NANOS, Math::max);
                before = now;
              }
            },
            "pauses");

    Pauses() {
      thread.start();
    }

    long longest() {
      return longest.get();
    }

    @Override
    public void close() {
      thread.interrupt();
    }
  }

  private static void memory(String what) throws IOException {
    String pages = Files.readString(Path.of("/proc/self/statm")).split(" ", 3)[1];
    Figures.add(what + ", resident MB", Long.parseLong(pages) * 4096 / 1e6);
    if (DEVICES.get(0).type() == Device.Type.GPU) {
      Figures.add(what + ", free GPU MB", TensorRt.load().cuda().memoryInfo().freeBytes() / 1e6);
    }
  }

  private static void devices(Path model) throws Exception {
    double[] best = new double[2];
    for (int round = 0; round < 2; round++) {
      for (int i = 0; i < 2; i++) {
        try (Ranker ranker = open(model, i == 0 ? 1 : DEVICES.size())) {
          best[i] = Math.max(best[i], maximum(ranker, new Requests(ranker.inputs(), ROWS)));
          ranker
              .stats()
              .replicas()
              .forEach(
                  replica ->
                      Figures.add(
                          "devices, of "
                              + ranker.stats().replicas().size()
                              + ", "
                              + replica.device()
                              + ", requests",
                          (double) replica.requests()));
        }
      }
    }
    Figures.add("devices, one, requests per second", best[0]);
    Figures.add("devices, " + DEVICES.size() + ", requests per second", best[1]);
    Figures.add("devices, all against one", best[1] / best[0]);
  }

  private static double since(long start) {
    return (System.nanoTime() - start) / 1e9;
  }
}
