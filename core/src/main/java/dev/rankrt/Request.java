package dev.rankrt;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.util.Objects;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.Executor;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Supplier;

/**
 * What a caller wants to know, and the future of its answer. Safe for use by several threads: the
 * caller, who may cancel it at any time, and the workers that answer it.
 *
 * <p>It waits as one part, or as several where it has more rows than a run takes. Each part belongs
 * to whoever claims it: a worker, which runs it, or the one who takes it out of the queue. A future
 * that ends in any other way than by an answer withdraws the parts that still wait.
 *
 * @param <A> the answer
 */
abstract class Request<A> extends Awaited<A> {
  static final long NO_DEADLINE = Long.MAX_VALUE;

  private static final int DROPPED = -1;

  private final int rows;
  private final boolean alone;
  private final long deadline;
  private final AtomicInteger unanswered;

  /** Where it waits, or has waited, since the last time that it was accepted. */
  private volatile Part[] parts = {};

  /**
   * Creates a request.
   *
   * @param rows how many rows it has
   * @param alone whether it must have a run of its own
   * @param deadline when its answer must be there, by {@link System#nanoTime}
   */
  Request(int rows, boolean alone, long deadline) {
    this.rows = rows;
    this.alone = alone;
    this.deadline = deadline;
    this.unanswered = new AtomicInteger(rows);
  }

  /** Copies some of the rows into a session's memory. */
  abstract void copyIn(Session session, int from, int count, int at);

  /**
   * Runs the rows that were copied, its own and perhaps others' of its kind; a request that runs
   * alone may do so in its own way.
   */
  void execute(Session session, int count) {
    session.execute(count);
  }

  /** Copies the answer to some of the rows from a session's memory. */
  abstract void copyOut(Session session, int at, int count, int to);

  /** Returns the whole answer, when every row is there. */
  abstract A answer();

  final int rows() {
    return rows;
  }

  final boolean runsAlone() {
    return alone;
  }

  /** Tells whether its rows may be in several runs, where they do not fit into one. */
  boolean maySplit() {
    return !alone;
  }

  final boolean expiresBefore(long time) {
    return deadline != NO_DEADLINE && deadline - time < 0;
  }

  /** Returns the time until the deadline, which there is if anyone asks. */
  final long nanosLeft(long now) {
    return deadline - now;
  }

  /** Returns the time until the deadline for a message, 0 once it has passed. */
  final long microsLeft() {
    return Math.max(0, nanosLeft(System.nanoTime()) / 1000);
  }

  final boolean hasDeadline() {
    return deadline != NO_DEADLINE;
  }

  /** Cuts itself up for a queue. */
  final Part[] cut(Replica replica, int most) {
    Part[] all = new Part[(rows - 1) / most + 1];
    for (int i = 0; i < all.length; i++) {
      all[i] = new Part(this, replica, i * most, Math.min(most, rows - i * most));
    }
    parts = all;
    return all;
  }

  /** Returns how long a run of these rows takes where it waits; 0 before it is accepted. */
  final long typicalNanos() {
    Part[] waiting = parts;
    return waiting.length == 0 ? 0 : waiting[0].replica.nanosOfRun(rows);
  }

  /** Takes the parts that still wait out of their queue, and returns whose it is; null if none. */
  final Replica withdraw() {
    Part[] waiting = parts; // of one replica, whichever the request moves to meanwhile
    if (claim(waiting) == 0) {
      return null;
    }
    Replica replica = waiting[0].replica;
    replica.wakeOneForWork(); // for one that runs alone, which it may have held up
    return replica;
  }

  /** Takes the parts that still wait out of their queue, and returns how many rows they have. */
  final int claimRest() {
    return claim(parts);
  }

  /** Claims those of some parts that nobody has yet, and returns how many rows they have. */
  static int claim(Part[] parts) {
    int claimed = 0;
    for (Part part : parts) {
      if (part.claim()) {
        claimed += part.rows;
        part.request = null; // what it holds must not stay until a worker comes by
      }
    }
    if (claimed > 0) {
      parts[0].replica.left(claimed); // of one queue, all of them
    }
    return claimed;
  }

  /** Takes note that some rows are answered, and tells whether all are and someone waits. */
  final boolean answered(int count) {
    return unanswered.addAndGet(-count) == 0 && !isDone();
  }

  /**
   * Gives up on an answer that somebody still waits for, and returns true to the first who does:
   * several parts may go wrong at once.
   */
  final boolean drop() {
    return !isDone() && unanswered.getAndSet(DROPPED) > 0;
  }

  /** Hands the whole answer over. */
  final void finish() {
    complete(answer());
  }

  /** Returns the answer, once it is there, to a caller that waited for it. */
  final A waitedFor() {
    try {
      return join();
    } catch (CompletionException e) {
      // The one exception that is for each caller alone has no stack trace anyway; any other is
      // the worker's and shared, while this caller's stack is what its log should show.
      throw e.getCause() instanceof RequestRefusedException refused
          ? refused
          : new InferenceException(e.getCause().getMessage(), e.getCause());
    }
  }

  @Override
  Serving serving() {
    Part[] known = parts;
    return known.length == 0 ? null : known[0].replica.serving();
  }

  // The place in the queue is free before anyone can see that the request is done, or in the moment
  // after, where a worker is just taking it.

  @Override
  public boolean complete(A value) {
    withdraw();
    return super.complete(value);
  }

  @Override
  public boolean completeExceptionally(Throwable failure) {
    withdraw();
    return super.completeExceptionally(failure);
  }

  @Override
  public boolean cancel(boolean mayInterruptIfRunning) {
    withdraw();
    return super.cancel(mayInterruptIfRunning);
  }

  /** The inherited one completes the future by a way that is not seen here. */
  @Override
  public CompletableFuture<A> completeAsync(Supplier<? extends A> supplier, Executor executor) {
    Objects.requireNonNull(supplier, "supplier");
    return super.completeAsync(
        () -> {
          try {
            return supplier.get();
          } finally {
            withdraw();
          }
        },
        executor);
  }

  @Override
  public void obtrudeValue(A value) {
    withdraw();
    super.obtrudeValue(value);
  }

  @Override
  public void obtrudeException(Throwable failure) {
    withdraw();
    super.obtrudeException(failure);
  }

  /** Some rows of a request that wait for a replica, and run together. */
  static final class Part {
    private static final VarHandle WAITING;

    static {
      try {
        WAITING = MethodHandles.lookup().findVarHandle(Part.class, "waiting", boolean.class);
      } catch (ReflectiveOperationException e) {
        throw new ExceptionInInitializerError(e);
      }
    }

    /** Null once it was withdrawn; not before, nor for a worker that has claimed it. */
    Request<?> request;

    final int from;
    final int rows;
    private final Replica replica;

    /** How long it was thought to run when it began to wait, where it has a run of its own. */
    final long nanos;

    private volatile boolean waiting = true;

    Part(Request<?> request, Replica replica, int from, int rows) {
      this.request = request;
      this.replica = replica;
      this.from = from;
      this.rows = rows;
      this.nanos = replica.nanosAlone(rows);
    }

    boolean waits() {
      return waiting;
    }

    boolean runsAlone() {
      Request<?> known = request;
      return known != null && known.alone;
    }

    /**
     * Ends the wait, for the one caller that gets true: it {@linkplain Replica#left gives the rows
     * back}.
     */
    boolean claim() {
      if (!waiting || !WAITING.compareAndSet(this, true, false)) {
        return false;
      }
      replica.countRun(this, -1);
      return true;
    }
  }
}
