package dev.rankrt;

import dev.rankrt.internal.Pace;
import dev.rankrt.natives.internal.Closing;
import dev.rankrt.streams.AffinityThreadFactory;
import dev.rankrt.streams.internal.AdaptiveSpin;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.locks.LockSupport;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A thread that takes requests from a replica's queue and runs them in a session of its own. Its
 * methods are safe for use by several threads, but for those that only its thread calls.
 */
final class Worker implements Runnable {
  private static final Logger log = LoggerFactory.getLogger(Worker.class);

  /** Whose worker a thread is: it must never wait for itself. */
  private static final ThreadLocal<Serving> CURRENT = new ThreadLocal<>();

  /** Sleeping for less would end later than asked. */
  private static final long SHORTEST_SLEEP_NANOS = 100_000;

  /** After a pause all that waits may have expired: others can run what was not looked at yet. */
  private static final int MOST_EXPIRED = 64;

  /** The first runs of a size also prepare it; the fastest of these is what later ones take. */
  private static final int WARM_UP_RUNS = 3;

  private static final long FREE = Long.MIN_VALUE;

  private final Replica replica;
  private final long windowNanos;
  private final CompletableFuture<Void> ready = new CompletableFuture<>();
  private final AtomicBoolean asleep = new AtomicBoolean();
  private final AdaptiveSpin spin = new AdaptiveSpin();
  private final List<Request.Part> batch = new ArrayList<>();

  /** What was taken too late to be answered in time, and is not told yet. */
  private final List<Request<?>> expired = new ArrayList<>();

  /** Whom to wake; set before it sleeps. */
  Thread thread;

  private Session session;

  /** For the estimates of others: the rows that run. */
  private volatile int runningRows;

  /** Likewise: when all of them should be answered. */
  private volatile long busyUntil = FREE;

  /** Likewise: the rows that it has room for while it waits for more. */
  private volatile int openRoom;

  /** How long what it runs one by one should take after the run; its own thread's. */
  private long nanosAfterwards;

  /** The output that was not finite in the warm-up; null if all were. */
  private volatile TensorSpec notFinite;

  Worker(Replica replica, long windowNanos) {
    this.replica = replica;
    this.windowNanos = windowNanos;
  }

  /** Tells whether the calling thread is a worker of a ranker. */
  static boolean isOf(Serving serving) {
    return CURRENT.get() == serving;
  }

  void start(AffinityThreadFactory threads) {
    thread = threads.newThread(this);
    thread.start();
  }

  /** Returns when the session is there and warm, or why it is not. */
  Future<Void> ready() {
    return ready;
  }

  TensorSpec notFinite() {
    return notFinite;
  }

  int runningRows() {
    return runningRows;
  }

  /** Tells whether so many rows are taken at once, into a run that has not begun. */
  boolean waitsFor(long rows) {
    return rows <= openRoom;
  }

  /**
   * Returns how long its run should take from now on. One that should have ended is thought to need
   * as long again as it is late: a device that hangs must not be taken for a free one. A run that
   * still waits for more has not begun.
   */
  long nanosUntilFree(long now) {
    boolean waitsForMore = openRoom > 0; // read first: it ends after the time is set anew
    long until = busyUntil;
    if (until == FREE) {
      return 0;
    }
    return waitsForMore ? Math.max(0, until - now) : Math.abs(until - now);
  }

  /** Wakes the worker if it sleeps, and tells whether it did. */
  boolean wake() {
    if (asleep.get() && asleep.compareAndSet(true, false)) {
      LockSupport.unpark(thread);
      return true;
    }
    return false;
  }

  @Override
  public void run() {
    CURRENT.set(replica.serving());
    try {
      replica.prepare(this::prepare);
      try {
        ready.complete(null);
        while (awaitWork()) {
          serve();
        }
      } finally {
        replica.close(session);
      }
    } catch (RuntimeException | Error e) {
      if (!couldNotStart(e)) {
        log.error("closing a worker of {} failed", replica, e);
      }
    } finally {
      replica.workerEnded();
    }
  }

  /**
   * Says why the worker is never ready, unless it was: where memory has run out, as soon as there
   * is some, or whoever waits for it would do so for ever.
   */
  private boolean couldNotStart(Throwable failure) {
    while (true) {
      try {
        return ready.completeExceptionally(failure);
      } catch (OutOfMemoryError e) {
        Replica.awaitMemory();
      }
    }
  }

  private void prepare() {
    session = replica.engine().newSession();
    try {
      warmUp();
    } catch (RuntimeException | Error e) {
      Closing.after(e, session::close);
      throw e;
    }
  }

  /**
   * Runs every size once or more before anyone waits for it, which also tells how long they take.
   */
  private void warmUp() {
    Engine engine = replica.engine();
    for (int i = 0; i < engine.inputs().size(); i++) {
      session.input(i).fill();
    }
    for (int rows = engine.minBatch(); ; rows = Math.min(2 * rows, engine.maxBatch())) {
      long fastest = Long.MAX_VALUE;
      for (int i = 0; i < WARM_UP_RUNS; i++) {
        long start = System.nanoTime();
        session.execute(rows);
        fastest = Math.min(fastest, System.nanoTime() - start);
        Pace.rest();
      }
      replica.times().ended(rows, fastest);
      if (rows == engine.maxBatch()) {
        break;
      }
    }
    for (int i = 0; i < engine.outputs().size(); i++) {
      if (!session.output(i).isFinite()) {
        notFinite = engine.outputs().get(i);
      }
    }
  }

  /** Waits until there may be work; false when there will be none. */
  private boolean awaitWork() {
    if (nothingToDo()) {
      long began = System.nanoTime();
      if (Spinning.mayWorkers()) {
        look(began, spin.spinNanos());
      }
      sleep();
      spin.ended(System.nanoTime() - began);
    }
    return !replica.isDone();
  }

  /** Spins until there is something to do, or for so long. */
  void look(long began, long limit) {
    replica.beginLooking();
    while (nothingToDo() && System.nanoTime() - began < limit) {
      Thread.onSpinWait();
    }
    replica.endLooking();
  }

  /** Sleeps until there is something to do. */
  void sleep() {
    while (nothingToDo()) {
      asleep.set(true);
      if (nothingToDo()) {
        LockSupport.park(this);
      }
      asleep.set(false);
      Thread.interrupted(); // an action's: with the flag set the next sleep would be none
    }
  }

  private boolean nothingToDo() {
    return !replica.hasWork() && !replica.isDone();
  }

  /** Takes what waits and answers it. */
  void serve() {
    try {
      if (replica.failure() != null) {
        replica.evict();
        return;
      }
      gather();
      replica.wakeOneForWork(); // for what it left
      run(batch);
    } catch (RuntimeException | Error e) {
      // Memory ran out, or this code is wrong: nobody may wait for an answer that never comes.
      runningRows = 0;
      fail(batch, e);
      report(e);
    } finally {
      busyUntil = FREE;
      nanosAfterwards = 0;
      batch.clear(); // requests keep their callers' arrays
    }
  }

  private void report(Throwable failure) {
    try {
      log.error("a worker of {} failed", replica, failure);
    } catch (OutOfMemoryError e) {
      // Everybody has been told. A line in the log is worth less than a worker.
    }
  }

  private void gather() {
    int room = take(replica.maxBatch());
    if (windowNanos > 0 && !batch.isEmpty()) {
      openRoom = room;
      try {
        waitForMore(room);
      } finally {
        busyUntil = System.nanoTime(); // or it would be taken for late
        openRoom = 0;
      }
    }
  }

  private void waitForMore(int firstRoom) {
    long end = System.nanoTime() + windowNanos;
    for (Request.Part part : batch) {
      end = earlier(end, part.request);
    }
    int room = firstRoom;
    while (room > 0 && replica.isOpen()) {
      long left = end - System.nanoTime();
      if (left <= 0) {
        return;
      }
      if (!replica.queue().isEmpty()) {
        int taken = batch.size();
        room = take(room);
        openRoom = room;
        for (Request.Part part : batch.subList(taken, batch.size())) {
          end = earlier(end, part.request);
        }
        if (taken == batch.size() && !replica.queue().isEmpty()) {
          return; // what comes next does not fit
        }
      } else if (left > SHORTEST_SLEEP_NANOS) {
        LockSupport.parkNanos(this, SHORTEST_SLEEP_NANOS);
      } else {
        Thread.onSpinWait();
      }
    }
  }

  /** Returns the end of a window that a request's deadline may cut short. */
  private long earlier(long end, Request<?> request) {
    if (!request.hasDeadline()) {
      return end;
    }
    long run = Replica.withRoom(replica.times().of(replica.maxBatch()));
    long cut = end + request.nanosLeft(end) - run;
    return cut - end < 0 ? cut : end;
  }

  /** Takes parts from the queue's head while they fit, and returns the room that is left. */
  int take(int firstRoom) {
    replica.headLock().lock();
    try {
      return takeLocked(firstRoom);
    } finally {
      replica.headLock().unlock();
      expireAll(); // with the lock free: the caller's own code may hear of it
    }
  }

  /** Their rows leave the count together: every caller counts there, and would have to wait. */
  private int takeLocked(int firstRoom) {
    takeOutWithdrawn();
    if (batch.isEmpty() && !replica.hasWork()) {
      return firstRoom; // another was faster
    }
    int room = firstRoom;
    int rows = replica.maxBatch() - room;
    int claimed = 0;
    long now = System.nanoTime();
    try {
      Request.Part part;
      while (room > 0 && expired.size() < MOST_EXPIRED && (part = replica.queue().peek()) != null) {
        Request<?> request = part.request;
        boolean alone = part.runsAlone();
        if (part.waits() && (part.rows > room || (alone && !batch.isEmpty()))) {
          return alone ? 0 : room;
        }
        batch.add(part); // first: what is claimed must be found, whatever goes wrong
        if (!part.claim()) {
          batch.remove(batch.size() - 1);
        } else if (request.expiresBefore(now + replica.times().of(rows + part.rows))) {
          claimed += part.rows;
          if (batch.size() == 1 && !request.expiresBefore(now)) { // else no run is to blame
            replica.times().doubt(part.rows);
          }
          expired.add(request);
          batch.remove(batch.size() - 1);
          request.claimRest(); // it is dropped as a whole
        } else {
          claimed += part.rows;
          rows += part.rows;
          room = alone ? 0 : room - part.rows;
        }
        replica.queue().poll();
      }
      return room;
    } finally {
      if (rows > 0) {
        running(rows, now); // with the lock held: who takes next must know
      }
      if (claimed > 0) {
        replica.left(claimed);
      }
    }
  }

  private void takeOutWithdrawn() {
    Request.Part head;
    while ((head = replica.queue().peek()) != null && !head.waits()) {
      replica.queue().poll();
    }
  }

  private void expireAll() {
    if (!expired.isEmpty()) {
      ended(); // what was taken with them does not run before they are told
    }
    for (int i = 0; i < expired.size(); i++) {
      replica.expire(expired.get(i));
    }
    expired.clear();
  }

  private void run(List<Request.Part> parts) {
    long start = System.nanoTime();
    int rows = copyIn(parts);
    if (rows == 0) {
      runningRows = 0;
      return;
    }
    boolean fewer = rows < runningRows; // some were cancelled since they were taken
    running(rows, start);
    if (fewer) {
      replica.wakeOneForWork();
    }
    try {
      parts.get(0).request.execute(session, rows);
      replica.succeeded();
    } catch (RuntimeException | Error e) {
      failed(parts, e);
      return;
    }
    Replica.Counters counters = replica.counters();
    counters.batches.increment();
    counters.rows.add(rows);
    ended(); // before those are answered who may do something else here first
    copyOut(parts);
    replica.times().ended(rows, System.nanoTime() - start);
  }

  /**
   * Does not use the device for now, and leaves what waits to another, who may be asleep: before
   * anyone is told anything, whose own code may hear of it and take its time.
   */
  void ended() {
    long now = System.nanoTime();
    if (busyUntil != FREE && busyUntil - now < 0) {
      busyUntil = now; // a run that was late is so no longer
    }
    runningRows = 0;
    replica.wakeOneForWork();
  }

  private void running(int rows, long since) {
    busyUntil = since + replica.times().of(rows) + nanosAfterwards;
    runningRows = rows;
  }

  /** Copies what is still wanted, takes the rest out of the batch, and returns the rows. */
  private int copyIn(List<Request.Part> parts) {
    int rows = 0;
    int kept = 0;
    for (int i = 0; i < parts.size(); i++) {
      Request.Part part = parts.get(i);
      if (part.request.isDone()) {
        continue;
      }
      try {
        part.request.copyIn(session, part.from, part.rows, rows);
        rows += part.rows;
        parts.set(kept++, part);
      } catch (RuntimeException e) {
        // It passed every check: its caller has changed it since.
        ended(); // the others run once it is told
        replica.fail(
            part.request, new InferenceException("values changed while they waited: " + e, e));
      }
    }
    parts.subList(kept, parts.size()).clear();
    return rows;
  }

  void copyOut(List<Request.Part> parts) {
    int at = 0;
    for (int i = 0; i < parts.size(); i++) {
      Request.Part part = parts.get(i);
      part.request.copyOut(session, at, part.rows, part.from);
      if (part.request.answered(part.rows)) {
        replica.counters().answered.increment(); // before anyone can ask
        part.request.finish();
      }
      at += part.rows;
    }
  }

  /**
   * Gives the failure to the request that it is about. A model refuses a whole run for one
   * request's ids: run by itself, each of the others has its answer, if there is time for it.
   */
  private void failed(List<Request.Part> parts, Throwable thrown) {
    if (thrown instanceof InferenceException && parts.size() > 1) {
      ended();
      runOneByOne(List.copyOf(parts));
      return;
    }
    fail(parts, thrown);
  }

  private void runOneByOne(List<Request.Part> parts) {
    ServiceTimes times = replica.times();
    for (Request.Part part : parts) {
      nanosAfterwards += times.of(part.rows);
    }
    for (Request.Part part : parts) {
      long nanos = times.of(part.rows);
      nanosAfterwards = Math.max(0, nanosAfterwards - nanos); // runs change what is thought of them
      if (part.request.expiresBefore(System.nanoTime() + nanos)) {
        replica.expire(part.request);
      } else {
        run(new ArrayList<>(List.of(part)));
      }
    }
  }

  private void fail(List<Request.Part> parts, Throwable thrown) {
    boolean last = replica.failed(thrown);
    ended(); // not before: nobody may begin what waits on a device that is lost
    for (int i = 0; i < parts.size(); i++) { // no iterator: there may be no memory for one
      replica.fail(parts.get(i).request, thrown);
    }
    for (int i = 0; i < expired.size(); i++) {
      replica.fail(expired.get(i), thrown);
    }
    expired.clear();
    if (last) {
      replica.abandon();
    }
  }
}
