package dev.rankrt;

import static org.openjdk.jcstress.annotations.Expect.ACCEPTABLE;

import java.util.List;
import org.openjdk.jcstress.annotations.Actor;
import org.openjdk.jcstress.annotations.Arbiter;
import org.openjdk.jcstress.annotations.JCStressTest;
import org.openjdk.jcstress.annotations.Outcome;
import org.openjdk.jcstress.annotations.State;
import org.openjdk.jcstress.infra.results.IIII_Result;
import org.openjdk.jcstress.infra.results.III_Result;
import org.openjdk.jcstress.infra.results.II_Result;
import org.openjdk.jcstress.infra.results.IZI_Result;

/** What two threads can do to one request. */
@SuppressWarnings("this-escape") // requests know their replica, not the test
public final class RequestRaces {
  private RequestRaces() {}

  // ------------------------------------------------------------------------------ while it waits

  @JCStressTest
  @Outcome(id = "1, 1, 0, 0", expect = ACCEPTABLE, desc = "each part has one run, and left once")
  @State
  public static class WorkersTakeParts extends Unstarted {
    public WorkersTakeParts() {
      enqueue(new Sum(2 * RUN));
    }

    @Actor
    public void first(IIII_Result result) {
      result.r1 = take(first);
    }

    @Actor
    public void second(IIII_Result result) {
      result.r2 = take(second);
    }

    @Arbiter
    public void after(IIII_Result result) {
      result.r3 = waitingRows();
      result.r4 = replica.queue().size();
    }
  }

  @JCStressTest
  @Outcome(id = "1, false, 0", expect = ACCEPTABLE, desc = "runs, for nobody")
  @Outcome(id = "0, true, 0", expect = ACCEPTABLE, desc = "withdrawn before its run")
  @State
  public static class WorkerTakesWhatIsWithdrawn extends Unstarted {
    private final Sum request = waiting(RUN);

    @Actor
    public void worker(IZI_Result result) {
      result.r1 = take(first);
    }

    @Actor
    public void caller(IZI_Result result) {
      result.r2 = request.withdraw() != null;
    }

    @Arbiter
    public void after(IZI_Result result) {
      result.r3 = waitingRows();
    }
  }

  @JCStressTest
  @Outcome(id = "1, 0", expect = ACCEPTABLE, desc = "runs, for nobody; the rows left once")
  @Outcome(id = "0, 0", expect = ACCEPTABLE, desc = "withdrawn before its run; the rows left once")
  @State
  public static class WorkerTakesWhatIsCancelled extends Unstarted {
    private final Sum request = waiting(RUN);

    @Actor
    public void worker(II_Result result) {
      result.r1 = take(first);
    }

    @Actor
    public void caller() {
      request.cancel(true);
    }

    @Arbiter
    public void after(II_Result result) {
      result.r2 = waitingRows();
    }
  }

  @JCStressTest
  @Outcome(id = "1, 0, 0", expect = ACCEPTABLE, desc = "runs, and nobody says that it expired")
  @Outcome(id = "0, 1, 0", expect = ACCEPTABLE, desc = "expired, and does not run")
  @State
  public static class WorkerTakesWhatExpires extends Unstarted {
    private final Sum request = waiting(RUN);

    @Actor
    public void worker(III_Result result) {
      result.r1 = take(first);
    }

    @Actor
    public void caller() {
      replica.serving().expire(request);
    }

    @Arbiter
    public void after(III_Result result) {
      result.r2 = counters.expired.intValue();
      result.r3 = waitingRows();
    }
  }

  @JCStressTest
  @Outcome(id = "0, 1, 0", expect = ACCEPTABLE, desc = "expired once, whoever found out")
  @State
  public static class WorkerAndCallerFindOneExpired extends Unstarted {
    private final Sum request = waiting(RUN);

    public WorkerAndCallerFindOneExpired() {
      replica.times().ended(RUN, Long.MAX_VALUE / 4); // a run takes longer than is left
    }

    @Actor
    public void worker(III_Result result) {
      result.r1 = take(first);
    }

    @Actor
    public void caller() {
      replica.serving().expire(request);
    }

    @Arbiter
    public void after(III_Result result) {
      result.r2 = counters.expired.intValue();
      result.r3 = waitingRows();
    }
  }

  // ----------------------------------------------------------------------------- when it has run

  /** A request of two parts, both of which were taken. */
  abstract static class TwoRuns extends Unstarted {
    final Sum request = waiting(2 * RUN);
    final List<Request.Part> one = List.of(taken(first));
    final List<Request.Part> other = List.of(taken(second));

    private Request.Part taken(Worker worker) {
      Request.Part part = replica.queue().peek();
      take(worker);
      return part;
    }
  }

  @JCStressTest
  @Outcome(id = "1, 1, 3", expect = ACCEPTABLE, desc = "one finished it, with the rows of both")
  @State
  public static class WorkersAnswerTwoParts extends TwoRuns {
    @Actor
    public void first() {
      first.copyOut(one);
    }

    @Actor
    public void second() {
      second.copyOut(other);
    }

    @Arbiter
    public void after(III_Result result) {
      result.r1 = request.finished;
      result.r2 = counters.answered.intValue();
      result.r3 = request.getNow(0);
    }
  }

  @JCStressTest
  @Outcome(id = "0, 1", expect = ACCEPTABLE, desc = "half an answer is none: failed, once")
  @State
  public static class OnePartIsAnsweredTheOtherFails extends TwoRuns {
    @Actor
    public void first() {
      first.copyOut(one);
    }

    @Actor
    public void second() {
      replica.fail(request, LOST);
    }

    @Arbiter
    public void after(II_Result result) {
      result.r1 = request.finished + counters.answered.intValue();
      result.r2 = counters.failed.intValue();
    }
  }

  @JCStressTest
  @Outcome(id = "0, 1", expect = ACCEPTABLE, desc = "failed, once")
  @State
  public static class BothPartsFail extends TwoRuns {
    @Actor
    public void first() {
      replica.fail(request, LOST);
    }

    @Actor
    public void second() {
      replica.fail(request, LOST);
    }

    @Arbiter
    public void after(II_Result result) {
      result.r1 = request.finished + counters.answered.intValue();
      result.r2 = counters.failed.intValue();
    }
  }
}
