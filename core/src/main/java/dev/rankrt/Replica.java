package dev.rankrt;

import dev.rankrt.internal.Pace;
import dev.rankrt.natives.DeviceLostException;
import dev.rankrt.natives.internal.Closing;
import dev.rankrt.natives.internal.Uninterruptibly;
import dev.rankrt.streams.AffinityThreadFactory;
import dev.rankrt.streams.CpuSet;
import dev.rankrt.streams.NumaTopology;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicReference;
import java.util.concurrent.atomic.LongAdder;
import java.util.concurrent.locks.LockSupport;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One model on one device, with its queue and its workers. Safe for use by several threads.
 *
 * <h2>From a caller to a worker and back</h2>
 *
 * <p>A caller counts its rows in, makes its request's parts and puts them into the queue. A worker
 * claims the parts at the queue's head and takes them out, until its run is full or the queue
 * empty; parts that others claimed, because they were cancelled, it takes out in passing. Then it
 * copies the parts' rows into its session's memory one behind the other, runs, and hands each
 * request its rows. So batches are what came in while the workers were busy: one request when there
 * is no load, full runs when there is too much, without a timer.
 *
 * <p>A GPU on which as many rows are under way as keep it busy, one and a half times those of a
 * full run or more, is full: another run would only slow those down. It is begun all the same when
 * what waits fills it; otherwise what waits is taken when one of those has ended, and is more by
 * then. So the same requests make fewer runs, and each has more of the GPU: workers that begin
 * whatever they find are all running long before a GPU is saturated. On processors of their own,
 * and on a GPU that has room for all the runs that there are workers for, nothing waits.
 *
 * <p>Callers hold no lock on this way. Workers take turns at the queue's head: two that took from
 * it at once would fight for every part, and share what one run could do. One number holds the rows
 * that wait and, in its sign, whether the queue is closed: a request that was counted in is
 * answered or moved to another replica, since workers end when the queue is closed and the count is
 * zero, and not before. Every claim, whoever's it is, gives the part's rows back.
 *
 * <p>A worker without work spins for a while, then says that it sleeps, looks at the queue again,
 * and sleeps. A caller puts its part into the queue and then looks for a worker to wake: none,
 * where one is looking at the queue by itself. Either the caller sees the sleeper or the sleeper
 * sees the part.
 *
 * <h2>Ends</h2>
 *
 * <p>Closing lets the workers answer what waits. A device that was lost cannot: what waits goes to
 * the other replicas, while the requests of the run that failed get the failure, because one of
 * them may be what broke the device, and must not break the others. The same is done after {@value
 * #MOST_FAILURES} runs in a row that failed for another reason than {@link InferenceException},
 * which is the model's word on a request's values, not on the device. The last worker to end closes
 * the engine.
 */
final class Replica {
  private static final Logger log = LoggerFactory.getLogger(Replica.class);

  /** What a queue takes. */
  enum Admission {
    ACCEPTED,
    CLOSED,
    FULL,
    LATE
  }

  /**
   * While some wait for a GPU's runs, others copy the next and hand out answers. On an H200 four
   * nearly saturate a GPU and fall behind once something holds one of them up; more than five only
   * make batches smaller.
   */
  private static final int MOST_WORKERS_OF_A_GPU = 5;

  private static final int FEWEST_WORKERS_OF_A_GPU = 2;

  /**
   * Room for the arrivals of so many runs: about ten milliseconds on a fast GPU, twice as long as a
   * swap holds it up at worst. Much less would refuse requests whenever the system holds a thread
   * up, more would only make all of them late.
   */
  private static final int RUNS_THAT_WAIT = 128;

  private static final int MOST_FAILURES = 3;

  /** A collection of garbage takes longer; what it leaves is gone in less. */
  private static final long NANOS_WITHOUT_MEMORY = TimeUnit.MILLISECONDS.toNanos(1);

  private static final long CLOSED = Long.MIN_VALUE;

  /** A run takes milliseconds; a worker that is busy with one for longer will not end. */
  private static final long CLOSE_LIMIT_SECONDS = 30;

  /** What a device did, whichever models it ran. */
  static final class Counters {
    final LongAdder answered = new LongAdder();
    final LongAdder failed = new LongAdder();
    final LongAdder expired = new LongAdder();
    final LongAdder batches = new LongAdder();
    final LongAdder rows = new LongAdder();
  }

  private final Serving serving;
  private final Engine engine;
  private final Counters counters;
  private final boolean batching;
  private final int maxBatch;
  private final long capacity;

  /** While so many rows run, a run that is not full only slows down the others. */
  private final long rowsThatFill;

  private final ServiceTimes times;
  final List<Worker> workers = new ArrayList<>();
  private final ConcurrentLinkedQueue<Request.Part> queue = new ConcurrentLinkedQueue<>();

  /** Held by the worker that takes parts out of the queue. */
  private final SpinLock headLock = new SpinLock();

  /** The rows that wait; negative from when the queue is closed, {@link #CLOSED} at its end. */
  private final AtomicLong waiting = new AtomicLong();

  /** How many runs wait, where each request has its own, and how long all of them should take. */
  private final AtomicInteger waitingRuns = new AtomicInteger();

  private final AtomicLong waitingNanos = new AtomicLong();

  /** How many workers spin in search of work. */
  private final AtomicInteger looking = new AtomicInteger();

  private final AtomicInteger failures = new AtomicInteger();
  private final AtomicReference<Throwable> failure = new AtomicReference<>();
  private final boolean startsBeside;
  private volatile boolean endsBeside;

  /** Held by the worker that closes its session beside another replica. */
  private final Object turn = new Object();

  private final AtomicInteger runningWorkers;
  private final CountDownLatch ended = new CountDownLatch(1);

  /** Creates a replica whose workers have not started. */
  Replica(Serving serving, Engine engine, Counters counters, boolean startsBeside) {
    RankerOptions options = serving.options();
    this.serving = serving;
    this.engine = engine;
    this.counters = counters;
    this.startsBeside = startsBeside;
    this.batching = engine.rowsAreIndependent();
    this.maxBatch = engine.maxBatch();
    this.capacity =
        options.queueCapacity().isPresent()
            ? options.queueCapacity().getAsInt()
            : (long) RUNS_THAT_WAIT * maxBatch;
    // What is held back has up to a run's rows, and a whole run must have a place beside it.
    this.rowsThatFill =
        batching && capacity >= 2L * maxBatch
            ? Math.max(1, (long) (engine.runsThatFill() * maxBatch)) // with nothing it is not full
            : Long.MAX_VALUE;
    this.times = new ServiceTimes(maxBatch);
    int count = options.workers().orElseGet(this::usualWorkers);
    for (int i = 0; i < count; i++) {
      workers.add(new Worker(this, options.batchingWindow().toNanos()));
    }
    this.runningWorkers = new AtomicInteger(count);
  }

  private int usualWorkers() {
    int processors = Runtime.getRuntime().availableProcessors();
    if (device().type() == Device.Type.CPU) {
      return Math.max(1, processors / serving.engineOptions().cpuThreads());
    }
    // Where none is named there is one, which auto may stand for.
    long gpus =
        serving.options().devices().stream()
            .filter(device -> device.type() == Device.Type.GPU)
            .count();
    return usualWorkersOfGpu(processors, (int) Math.max(1, gpus));
  }

  /**
   * They are busy while they wait: half of the processors are left to callers, if there are four.
   */
  static int usualWorkersOfGpu(int processors, int gpus) {
    int share = processors / 2 / gpus;
    return Math.max(FEWEST_WORKERS_OF_A_GPU, Math.min(share, MOST_WORKERS_OF_A_GPU));
  }

  /**
   * Starts workers for an engine, which is the replica's from here on, whatever happens.
   *
   * @param beside whether another replica serves on the same device meanwhile
   */
  static Replica start(Serving serving, Engine engine, Counters counters, boolean beside) {
    Replica replica;
    AffinityThreadFactory threads;
    try {
      CpuSet cpus =
          serving.engineOptions().affinity().cpus(NumaTopology.system(), engine.pciAddress());
      threads = new AffinityThreadFactory("ranker " + engine.device() + " ", cpus);
      replica = new Replica(serving, engine, counters, beside);
    } catch (RuntimeException | Error e) {
      Closing.after(e, engine::close);
      throw e;
    }
    int started = 0;
    try {
      for (Worker worker : replica.workers) {
        worker.start(threads);
        started++;
        if (beside) { // one after another, as they end; and where one fails, no more
          Uninterruptibly.get(worker.ready());
        }
      }
      replica.workers.forEach(worker -> Uninterruptibly.get(worker.ready()));
      return replica;
    } catch (RuntimeException | Error e) {
      replica.endsBeside = beside;
      for (int i = started; i < replica.workers.size(); i++) {
        replica.workerEnded();
      }
      Closing.after(e, replica::close);
      throw e;
    }
  }

  Serving serving() {
    return serving;
  }

  Engine engine() {
    return engine;
  }

  /** Returns an output that was not finite in the warm-up; null if all were. */
  TensorSpec notFinite() {
    return workers.get(0).notFinite();
  }

  Device device() {
    return engine.device();
  }

  Counters counters() {
    return counters;
  }

  ServiceTimes times() {
    return times;
  }

  int maxBatch() {
    return maxBatch;
  }

  /** Returns why the replica was taken out of service; null if it was not. */
  Throwable failure() {
    return failure.get();
  }

  boolean isOpen() {
    return waiting.get() >= 0;
  }

  /** Returns the rows that wait. */
  long waitingRows() {
    return waiting.get() & ~CLOSED;
  }

  /** Returns the rows that wait or run. */
  long load() {
    return waitingRows() + runningRows();
  }

  private long runningRows() {
    long rows = 0;
    for (int i = 0; i < workers.size(); i++) { // no iterator: this is every request's way
      rows += workers.get(i).runningRows();
    }
    return rows;
  }

  // -------------------------------------------------------------------------------- for callers

  /** Takes a request in, or says why not. */
  Admission submit(Request<?> request) {
    Admission admission = admit(request);
    if (admission == Admission.ACCEPTED) {
      enqueue(request);
      wakeOneForWork();
    }
    return admission;
  }

  /** Where memory runs out no row stays in the count: the queue would never be empty again. */
  private void enqueue(Request<?> request) {
    Request.Part[] parts;
    try {
      parts = request.cut(this, request.maySplit() ? maxBatch : request.rows());
    } catch (OutOfMemoryError e) {
      left(request.rows());
      throw e;
    }
    try {
      for (Request.Part part : parts) {
        countRun(part, 1);
      }
      for (Request.Part part : parts) {
        queue.add(part);
      }
    } catch (OutOfMemoryError e) {
      Request.claim(parts); // not the request's: it may have moved on meanwhile
      throw e;
    }
  }

  /**
   * Takes no request in that has less time left than what it would take now, guessed on the high
   * side, and as long again as it would wait. Whatever holds the machine up makes all late that
   * wait, so the end of a long queue is no place for a request with a deadline; a refusal now is
   * worth more to its caller than one after the wait.
   */
  private Admission admit(Request<?> request) {
    while (true) {
      long before = waiting.get();
      if (before < 0) {
        return Admission.CLOSED;
      }
      if (before > 0 && before + request.rows() > capacity) {
        return Admission.FULL;
      }
      if (request.hasDeadline()) {
        long now = System.nanoTime();
        long left = request.nanosLeft(now);
        long forRuns = nanosToAllowForRuns(before, request.rows());
        if (left < 2 * nanosUntilBegun(before, request, now) + forRuns) {
          if (before == 0 && left < forRuns) {
            doubt(request.rows());
          }
          return Admission.LATE;
        }
      }
      if (waiting.compareAndSet(before, before + request.rows())) {
        return Admission.ACCEPTED;
      }
    }
  }

  /**
   * Doubts all that the refusal of a request rests on, which would be refused if it waited for no
   * other.
   */
  private void doubt(int rows) {
    times.doubt(Math.min(maxBatch, rows));
    if (rows > maxBatch) {
      times.doubt((rows - 1) % maxBatch + 1);
    }
  }

  /** Adds to a guess what it may be too low by, where an answer is wanted by a deadline. */
  static long withRoom(long nanos) {
    return nanos + nanos / 4;
  }

  /**
   * Returns how long it takes until a worker may begin with what waits.
   *
   * <p>A batching window adds nothing: the worker that collects a request with a deadline ends its
   * window in time for it. Nor does the run that it collects, which has not begun.
   */
  private long nanosUntilBegun(long rowsAhead, Request<?> request, long now) {
    boolean beginsAtOnce = rowsAhead == 0 && request.runsAlone();
    boolean waitsForRoom = !beginsAtOnce && rowsAhead + request.rows() < maxBatch && isFull();
    long untilFree = Long.MAX_VALUE;
    for (int i = 0; i < workers.size(); i++) {
      Worker worker = workers.get(i);
      if (!request.runsAlone() && worker.waitsFor(rowsAhead + request.rows())) {
        return 0;
      }
      long nanos = worker.nanosUntilFree(now);
      if (nanos < untilFree && (!waitsForRoom || hasRoomAfter(nanos, now))) {
        untilFree = nanos;
      }
    }
    return untilFree == Long.MAX_VALUE ? 0 : untilFree; // others may have begun meanwhile
  }

  /** Tells whether the device is not full any more once so much time has passed. */
  private boolean hasRoomAfter(long nanos, long now) {
    long rows = 0;
    for (int i = 0; i < workers.size(); i++) {
      Worker worker = workers.get(i);
      if (worker.nanosUntilFree(now) > nanos) {
        rows += worker.runningRows();
      }
    }
    return rows < rowsThatFill;
  }

  /**
   * Returns how much time to allow for a request's run and those before: what its own would take
   * now, guessed on the high side, and twice as long as it would wait.
   */
  private long nanosToAllowForRuns(long rowsAhead, int rows) {
    long rowsThatFillRuns = batching ? rowsAhead + rows : rows;
    long full = (rowsThatFillRuns - 1) / maxBatch;
    int lastRun = (int) (rowsThatFillRuns - full * maxBatch);
    long runsBefore = full;
    long nanosBefore = full * times.of(maxBatch);
    if (!batching) { // less than nothing for a moment, where one was cancelled before it counted
      runsBefore += Math.max(0, waitingRuns.get());
      nanosBefore += Math.max(0, waitingNanos.get());
    }
    if (runsBefore == 0) {
      return withRoom(times.of(lastRun));
    }
    long rounds = (runsBefore + workers.size() - 1) / workers.size();
    return 2 * rounds * (nanosBefore / runsBefore) + withRoom(times.of(lastRun));
  }

  /** Returns how long a run of so many rows should take, for one that is counted by itself. */
  long nanosAlone(int rows) {
    return batching ? 0 : nanosOfRun(rows);
  }

  /**
   * Counts a run in, by 1, or out, by -1, where each request has its own: a deadline has to allow
   * for those that wait, and has no time to look at each.
   */
  void countRun(Request.Part part, int by) {
    if (!batching) {
      waitingRuns.addAndGet(by);
      waitingNanos.addAndGet(by * part.nanos);
    }
  }

  /** Returns how long a request's run takes, if it waits for no other. */
  long nanosOfRun(int rows) {
    return rows <= maxBatch ? times.of(rows) : rows / maxBatch * times.of(maxBatch);
  }

  /** Says what a refused request ran into. */
  String describeLoad(Request<?> request) {
    return request.rows()
        + " rows asked of "
        + engine
        + ", "
        + waitingRows()
        + " waiting of at most "
        + capacity
        + ", "
        + workers.size()
        + " workers, a run of "
        + maxBatch
        + " takes about "
        + times.of(maxBatch) / 1000
        + " us";
  }

  /** Drops a request that was accepted. */
  void expire(Request<?> request) {
    if (request.drop()) {
      counters.expired.increment();
    }
    request.completeExceptionally(
        new RequestRefusedException(
            RequestRefusedException.Reason.DEADLINE,
            "dropped before its run, with "
                + request.microsLeft()
                + " us left: "
                + describeLoad(request)));
  }

  /** Takes rows out of the count. */
  void left(int rows) {
    if (waiting.addAndGet(-rows) == CLOSED) {
      wakeAll();
    }
  }

  /** Wakes a worker if there is something for one to take, and none that looks for it. */
  void wakeOneForWork() {
    if (looking.get() > 0 || !hasWork()) {
      return;
    }
    for (int i = 0; i < workers.size(); i++) {
      if (workers.get(i).wake()) {
        return;
      }
    }
  }

  private void wakeAll() {
    for (int i = 0; i < workers.size(); i++) { // no iterator: there may be no memory for one
      workers.get(i).wake();
    }
  }

  // -------------------------------------------------------------------------------- for workers

  ConcurrentLinkedQueue<Request.Part> queue() {
    return queue;
  }

  SpinLock headLock() {
    return headLock;
  }

  /** Tells whether nothing is left to do, and nothing will come. */
  boolean isDone() {
    return waiting.get() == CLOSED;
  }

  void beginLooking() {
    looking.incrementAndGet();
  }

  void endLooking() {
    looking.decrementAndGet();
  }

  /**
   * Tells whether a worker should take what waits: not, while the device is full, before that fills
   * a run. A worker that has run something asks again. From a device that failed all is taken, for
   * others.
   */
  boolean hasWork() {
    Request.Part head = queue.peek();
    if (head == null) {
      return false;
    }
    return waitingRows() >= maxBatch
        || !isFull()
        || head.runsAlone()
        || head.request == null; // withdrawn, and may hide one that runs alone
  }

  private boolean isFull() {
    return failure.get() == null && runningRows() >= rowsThatFill;
  }

  void succeeded() {
    if (failures.get() != 0) {
      failures.set(0);
    }
  }

  /**
   * Takes note of a run that failed, and tells whether it was the one that ends this replica: then
   * the caller tells those that asked for it, and {@link #abandon abandons} the rest.
   */
  boolean failed(Throwable thrown) {
    if (thrown instanceof InferenceException) {
      return false;
    }
    boolean broken =
        thrown instanceof DeviceLostException || failures.incrementAndGet() >= MOST_FAILURES;
    if (!broken || !failure.compareAndSet(null, thrown)) {
      return false;
    }
    leaveService(thrown);
    return true;
  }

  /**
   * Takes requests no more, and has that noted: where memory has run out, as soon as there is some.
   * The worker that is to answer the run's requests must not end by an error instead.
   */
  private void leaveService(Throwable thrown) {
    for (boolean noted = false; !noted; ) {
      try {
        serving.deviceFailed(this, thrown);
        noted = true;
      } catch (OutOfMemoryError e) {
        awaitMemory();
      } finally {
        drain(); // or what is moved on would come back
      }
    }
  }

  /** Leaves what waits to others, and says that this replica has ended. */
  void abandon() {
    evict();
    wakeAll();
    serving.tellOfFailure(this);
  }

  /**
   * Moves what waits to other replicas. Of a request that some worker has begun with, the rest
   * cannot be moved, since the answer is to come from one model: it gets the failure.
   */
  void evict() {
    while (waitingRows() > 0) {
      Request.Part part;
      int rows = 0;
      headLock.lock(); // so that one of several workers claims all of a request
      try {
        part = queue.poll();
        // Not without a claim: the request may have moved on, and its rest be another replica's.
        if (part != null && part.claim()) {
          left(part.rows);
          rows = part.rows + part.request.claimRest();
        }
      } finally {
        headLock.unlock();
      }
      if (rows > 0) {
        moveOn(part.request, rows);
      } else {
        Thread.onSpinWait(); // a caller may be between counting itself in and the queue
      }
    }
  }

  private void moveOn(Request<?> request, int claimed) {
    Throwable reason = failure.get();
    if (claimed == request.rows()) {
      try {
        serving.submit(request);
        return;
      } catch (OutOfMemoryError e) {
        reason = e; // its caller waits all the same
      }
    }
    fail(request, reason);
  }

  /**
   * Gives a failure to whoever waits for an answer: where memory has run out, as soon as there is
   * some, or nobody ever would.
   */
  void fail(Request<?> request, Throwable thrown) {
    while (true) {
      try {
        InferenceException failure = failureOf(thrown);
        if (request.drop()) {
          counters.failed.increment();
        }
        request.completeExceptionally(failure);
        return;
      } catch (OutOfMemoryError e) {
        awaitMemory();
      }
    }
  }

  /** Waits a moment, where memory has run out for what must be done. */
  static void awaitMemory() {
    LockSupport.parkNanos(NANOS_WITHOUT_MEMORY);
  }

  /** Returns what callers get for a run that failed. */
  private InferenceException failureOf(Throwable thrown) {
    return thrown instanceof InferenceException known
        ? known
        : new InferenceException("a run of " + engine + " failed: " + thrown.getMessage(), thrown);
  }

  /** Prepares a worker's session. */
  void prepare(Runnable work) {
    Pace.run(this::restsWhileStarting, work);
  }

  /**
   * Closes a worker's session; beside another replica one at a time, or the moments in which each
   * holds the driver's lock would leave none to those that serve.
   */
  void close(Session session) {
    Runnable work = () -> Pace.run(this::restsWhileEnding, session::close);
    if (endsBeside) {
      synchronized (turn) {
        work.run();
      }
    } else {
      work.run();
    }
  }

  void workerEnded() {
    if (runningWorkers.decrementAndGet() == 0) {
      try {
        Pace.run(this::restsWhileEnding, engine::close);
      } catch (RuntimeException e) {
        log.error("closing {} failed", engine, e);
      } finally {
        ended.countDown();
      }
    }
  }

  // --------------------------------------------------------------------------------------- ends

  /** Refuses new requests; those that wait are answered. */
  void drain() {
    for (long rows; (rows = waiting.get()) >= 0; ) { // no lambda: there may be no memory for one
      if (waiting.compareAndSet(rows, rows | CLOSED)) {
        wakeAll();
      }
    }
  }

  /** Waits until everything is answered and closed; an interrupt does not cut it short. */
  void awaitEnd() {
    boolean interrupted = false;
    try {
      while (true) {
        try {
          // Gently, each worker takes its turn, some fifteen seconds under load.
          boolean gently = endsBeside && serving.swapsGently(device());
          long limit = CLOSE_LIMIT_SECONDS * (gently ? 1 + 2L * workers.size() : 1);
          if (!endsWithin(limit, TimeUnit.SECONDS)) {
            log.error(
                "{} is still running, and has taken nothing up for {} s: its memory is left to it, and"
                    + " {} rows wait",
                engine,
                limit,
                waitingRows());
          }
          return;
        } catch (InterruptedException e) {
          interrupted = true;
        }
      }
    } finally {
      if (interrupted) {
        Thread.currentThread().interrupt();
      }
    }
  }

  /** Tells whether the end comes, or is so long in coming that nothing that waits is taken up. */
  boolean endsWithin(long limit, TimeUnit unit) throws InterruptedException {
    while (true) {
      long before = waitingRows();
      if (ended.await(limit, unit)) {
        return true;
      }
      if (waitingRows() >= before) {
        return false;
      }
    }
  }

  void close() {
    drain();
    awaitEnd();
  }

  /**
   * Refuses new requests, as {@link #drain} does, while another model serves on the same device.
   */
  void drainGently() {
    endsBeside = true;
    drain();
  }

  private boolean restsWhileStarting() {
    return startsBeside && serving.restsNow(device());
  }

  private boolean restsWhileEnding() {
    return endsBeside && serving.restsNow(device());
  }

  @Override
  public String toString() {
    return "replica of " + engine;
  }
}
