package dev.rankrt;

import static org.openjdk.jcstress.annotations.Expect.ACCEPTABLE;

import org.openjdk.jcstress.annotations.Actor;
import org.openjdk.jcstress.annotations.Arbiter;
import org.openjdk.jcstress.annotations.JCStressTest;
import org.openjdk.jcstress.annotations.Outcome;
import org.openjdk.jcstress.annotations.State;
import org.openjdk.jcstress.infra.results.IZI_Result;
import org.openjdk.jcstress.infra.results.IZ_Result;
import org.openjdk.jcstress.infra.results.I_Result;
import org.openjdk.jcstress.infra.results.ZI_Result;
import org.openjdk.jcstress.infra.results.ZZI_Result;
import org.openjdk.jcstress.infra.results.ZZ_Result;
import org.openjdk.jcstress.infra.results.Z_Result;

/**
 * What two threads can do to one replica's queue. A test that runs into jcstress's time limit has
 * failed too: somebody waits for rows that never come.
 */
@SuppressWarnings("this-escape") // requests know their replica, not the test
public final class ReplicaRaces {
  private ReplicaRaces() {}

  // ----------------------------------------------------------------------------------- the count

  @JCStressTest
  @Outcome(id = "true, false, 2", expect = ACCEPTABLE, desc = "the first caller has it")
  @Outcome(id = "false, true, 2", expect = ACCEPTABLE, desc = "the second caller has it")
  @State
  public static class CallersWantTheLastPlace extends Unstarted {
    public CallersWantTheLastPlace() {
      enqueue(new Sum(CAPACITY - 1));
    }

    @Actor
    public void first(ZZI_Result result) {
      result.r1 = accepts(new Sum(1));
    }

    @Actor
    public void second(ZZI_Result result) {
      result.r2 = accepts(new Sum(1));
    }

    @Arbiter
    public void after(ZZI_Result result) {
      result.r3 = waitingRows();
    }
  }

  @JCStressTest
  @Outcome(id = "true", expect = ACCEPTABLE, desc = "whoever left last, all see the end")
  @State
  public static class LastRowsLeaveAtOnce extends Unstarted {
    private final Sum one = waiting(1);
    private final Sum other = waiting(1);

    public LastRowsLeaveAtOnce() {
      replica.drain();
    }

    @Actor
    public void first() {
      one.withdraw();
    }

    @Actor
    public void second() {
      other.withdraw();
    }

    @Arbiter
    public void after(Z_Result result) {
      result.r1 = replica.isDone();
    }
  }

  // ------------------------------------------------------------------------------------- the end

  @JCStressTest
  @Outcome(id = "true, 1", expect = ACCEPTABLE, desc = "counted in, and run before the worker ends")
  @Outcome(id = "false, 0", expect = ACCEPTABLE, desc = "refused, and not in the queue")
  @State
  public static class CallerMeetsDrain extends Unstarted {
    @Actor
    public void caller(ZI_Result result) {
      result.r1 = accepts(new Sum(1));
    }

    @Actor
    public void worker(ZI_Result result) {
      replica.drain();
      while (!replica.isDone()) {
        sleep();
        result.r2 += take(first);
      }
    }
  }

  @JCStressTest
  @Outcome(id = "true", expect = ACCEPTABLE, desc = "the worker ends")
  @State
  public static class DrainMeetsSleep extends Unstarted {
    @Actor
    public void closer() {
      replica.drain();
    }

    @Actor
    public void worker(Z_Result result) {
      sleep();
      result.r1 = replica.isDone();
    }
  }

  @JCStressTest
  @Outcome(id = "true", expect = ACCEPTABLE, desc = "the worker ends")
  @State
  public static class LastRowsLeaveMeetsSleep extends Unstarted {
    private final Request.Part last;

    public LastRowsLeaveMeetsSleep() {
      enqueue(new Sum(1));
      last = replica.queue().poll(); // by another worker, which is about to claim it
      replica.drain();
    }

    @Actor
    public void other() {
      last.claim();
      replica.left(last.rows);
    }

    @Actor
    public void worker(Z_Result result) {
      sleep();
      result.r1 = replica.isDone();
    }
  }

  // ----------------------------------------------------------------------------- asleep or awake

  @JCStressTest
  @Outcome(id = "1", expect = ACCEPTABLE, desc = "woken, or not asleep yet: it takes the rows")
  @State
  public static class CallerMeetsSleep extends Unstarted {
    @Actor
    public void caller() {
      enqueue(new Sum(1));
    }

    @Actor
    public void worker(I_Result result) {
      sleep();
      result.r1 = take(first);
    }
  }

  @JCStressTest
  @Outcome(id = "1", expect = ACCEPTABLE, desc = "found while looking, or before it slept")
  @State
  public static class CallerMeetsLookThatEnds extends Unstarted {
    @Actor
    public void caller() {
      enqueue(new Sum(1));
    }

    @Actor
    public void worker(I_Result result) {
      first.look(System.nanoTime(), 0);
      sleep();
      result.r1 = take(first);
    }
  }

  // -------------------------------------------------------------------------- a device that is full

  @JCStressTest
  @Outcome(id = "0, true", expect = ACCEPTABLE, desc = "the caller finds room, and wakes a worker")
  @Outcome(id = "1, true", expect = ACCEPTABLE, desc = "both see it, and the worker takes it")
  @Outcome(id = "1, false", expect = ACCEPTABLE, desc = "the worker takes it")
  @State
  public static class CallerMeetsRunThatEnds {
    private static final int LARGE_RUN = 4;
    private static final Serving SERVING =
        ClosedServing.of(LARGE_RUN, RankerOptions.builder().workers(3).build());

    private final Replica replica =
        new Replica(SERVING, SERVING.fleet().engine(), new Replica.Counters(), false);
    private final Worker worker = replica.workers.get(0);

    public CallerMeetsRunThatEnds() {
      for (int i = 0; i < 2; i++) {
        replica.submit(new Unstarted.Sum(LARGE_RUN));
        replica.workers.get(i).take(LARGE_RUN);
      }
    }

    @Actor
    public void caller(IZ_Result result) {
      replica.submit(new Unstarted.Sum(1));
      result.r2 = replica.hasWork();
    }

    @Actor
    public void worker(IZ_Result result) {
      worker.ended();
      result.r1 = LARGE_RUN - worker.take(LARGE_RUN);
    }
  }

  // ----------------------------------------------------------------------- a device that is lost

  @JCStressTest
  @Outcome(id = "true, false", expect = ACCEPTABLE, desc = "the first worker abandons the rest")
  @Outcome(id = "false, true", expect = ACCEPTABLE, desc = "the second worker abandons the rest")
  @State
  public static class RunsLoseOneDevice extends Unstarted {
    @Actor
    public void first(ZZ_Result result) {
      result.r1 = replica.failed(LOST);
    }

    @Actor
    public void second(ZZ_Result result) {
      result.r2 = replica.failed(LOST);
    }
  }

  @JCStressTest
  @Outcome(id = "true, true", expect = ACCEPTABLE, desc = "counted in, and moved on")
  @Outcome(id = "false, false", expect = ACCEPTABLE, desc = "refused, and not in the queue")
  @State
  public static class CallerMeetsEviction extends Unstarted {
    private final Sum request = new Sum(2 * RUN);

    @Actor
    public void caller(ZZ_Result result) {
      result.r1 = accepts(request);
    }

    @Actor
    public void worker() {
      replica.failed(LOST);
      replica.evict();
    }

    @Arbiter
    public void after(ZZ_Result result) {
      result.r2 = request.isRefused();
    }
  }

  @JCStressTest
  @Outcome(id = "true, 0", expect = ACCEPTABLE, desc = "moved on as a whole, by one of them")
  @State
  public static class WorkersEvictOneRequest extends Unstarted {
    private final Sum request = waiting(2 * RUN);

    public WorkersEvictOneRequest() {
      replica.failed(LOST);
    }

    @Actor
    public void first() {
      replica.evict();
    }

    @Actor
    public void second() {
      replica.evict();
    }

    @Arbiter
    public void after(ZI_Result result) {
      result.r1 = request.isRefused();
      result.r2 = waitingRows();
    }
  }

  @JCStressTest
  @Outcome(id = "0, true, 0", expect = ACCEPTABLE, desc = "moved on as a whole")
  @Outcome(id = "1, false, 1", expect = ACCEPTABLE, desc = "begun with: the rest cannot be moved")
  @State
  public static class WorkerTakesWhatIsEvicted extends Unstarted {
    private final Sum request = waiting(2 * RUN);

    public WorkerTakesWhatIsEvicted() {
      replica.failed(LOST);
    }

    @Actor
    public void taker(IZI_Result result) {
      result.r1 = take(first);
    }

    @Actor
    public void evictor() {
      replica.evict();
    }

    @Arbiter
    public void after(IZI_Result result) {
      result.r2 = request.isRefused();
      result.r3 = counters.failed.intValue();
    }
  }
}
