package dev.rankrt;

import dev.rankrt.natives.DeviceLostException;
import java.util.concurrent.locks.LockSupport;

/**
 * A replica whose workers have no threads: those that race do what a worker's thread would. A run
 * takes one row, and two may wait. Nobody else serves: what is moved to other replicas is refused.
 */
abstract class Unstarted {
  static final int RUN = 1;
  static final int CAPACITY = 2;

  /** Made once: filling in its stack trace takes longer than what races with it. */
  @SuppressWarnings("StaticAssignmentOfThrowable")
  static final DeviceLostException LOST =
      new DeviceLostException("scripted", 700, "cudaErrorIllegalAddress");

  private static final long PATIENCE_MILLIS = 10_000;
  private static final Serving CLOSED =
      ClosedServing.of(RUN, RankerOptions.builder().workers(2).queueCapacity(CAPACITY).build());

  /** Whose first worker sleeps, of the one test that runs. */
  private static volatile Unstarted asleep;

  static {
    Thread watch = new Thread(Unstarted::watch, "watch");
    watch.setDaemon(true);
    watch.start();
  }

  final Replica.Counters counters = new Replica.Counters();
  final Replica replica = new Replica(CLOSED, CLOSED.fleet().engine(), counters, false);
  final Worker first = replica.workers.get(0);
  final Worker second = replica.workers.get(1);

  private volatile boolean overslept;

  /** Returns a request that it has put into the queue, where there is room. */
  final Sum waiting(int rows) {
    Sum request = new Sum(rows);
    enqueue(request);
    return request;
  }

  /** Puts a request into the queue, where there is room. */
  final void enqueue(Request<?> request) {
    if (!accepts(request)) {
      throw new AssertionError("refused");
    }
  }

  final boolean accepts(Request<?> request) {
    return replica.submit(request) == Replica.Admission.ACCEPTED;
  }

  /** Takes a run's parts out of the queue as a worker does, and returns their rows. */
  static int take(Worker worker) {
    return RUN - worker.take(RUN);
  }

  /** Sleeps, as the first worker does when it has found nothing to do. */
  final void sleep() {
    first.thread = Thread.currentThread();
    asleep = this;
    first.sleep();
    asleep = null;
    if (overslept) {
      throw new AssertionError("nobody woke the worker");
    }
  }

  /** Wakes a worker that nobody else wakes: the test would hang without a word. */
  private static void watch() {
    while (true) {
      Unstarted before = asleep;
      try {
        Thread.sleep(PATIENCE_MILLIS);
      } catch (InterruptedException e) {
        throw new AssertionError(e);
      }
      if (before != null && before == asleep) {
        before.overslept = true;
        before.replica.queue().add(new Request.Part(new Sum(1), before.replica, 0, 1));
        LockSupport.unpark(before.first.thread);
      }
    }
  }

  /** Returns the rows that wait: negative where some have left twice. */
  final int waitingRows() {
    return (int) replica.waitingRows();
  }

  /** A request whose answer is the sum of its rows' answers: 1, 2 and so on. */
  static final class Sum extends Request<Integer> {
    private final int[] answers;

    /** How often the answer was put together. */
    int finished;

    Sum(int rows) {
      // Within the hour is soon enough, unless a run takes longer.
      super(rows, false, System.nanoTime() + 3_600_000_000_000L);
      this.answers = new int[rows];
    }

    @Override
    void copyIn(Session session, int from, int count, int at) {}

    @Override
    void copyOut(Session session, int at, int count, int to) {
      for (int row = to; row < to + count; row++) {
        answers[row] = row + 1;
      }
    }

    @Override
    Integer answer() {
      finished++;
      int sum = 0;
      for (int answer : answers) {
        sum += answer;
      }
      return sum;
    }

    /** Tells whether it was refused, rather than answered or failed. */
    boolean isRefused() {
      return isDone()
          && handle((answer, failure) -> failure instanceof RequestRefusedException).join();
    }
  }
}
