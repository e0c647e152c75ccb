package dev.rankrt;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.rankrt.natives.DeviceLostException;
import dev.rankrt.testing.FakeBackend;
import java.lang.reflect.Field;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.Test;

/** What a worker takes, of a replica whose workers have no threads. */
class WorkerTest {
  private static final int RUN = 4;
  private static final long HOUR = TimeUnit.HOURS.toNanos(1);
  private static final long LONG_RUN = HOUR / 8;

  /** What nobody's deadline leaves time for. */
  private static final long YEAR = TimeUnit.DAYS.toNanos(365);

  private final Replica.Counters counters = new Replica.Counters();

  private final Serving serving = ClosedServing.of(RUN, RankerOptions.builder().workers(1).build());
  private final Replica replica = new Replica(serving, serving.fleet().engine(), counters, false);
  private final Worker worker = replica.workers.get(0);

  private BlankRequest waiting(BlankRequest request) {
    assertEquals(Replica.Admission.ACCEPTED, replica.submit(request));
    return request;
  }

  private BlankRequest hurried(int rows) {
    return waiting(new BlankRequest(rows, System.nanoTime() + HOUR));
  }

  private BlankRequest patient(int rows) {
    return waiting(new BlankRequest(rows, Request.NO_DEADLINE));
  }

  private void runsBecomeSlow() {
    for (int rows = 1; rows <= RUN; rows *= 2) {
      replica.times().ended(rows, YEAR);
    }
  }

  @Test
  void request_thatExpires_isDroppedWithAllItsPartsAndDoubtedOnce() {
    BlankRequest late = hurried(2 * RUN + 1);
    BlankRequest other = patient(RUN);
    runsBecomeSlow();
    ServiceTimes doubted = new ServiceTimes(RUN);
    doubted.ended(RUN, YEAR);
    doubted.doubt(RUN);

    assertEquals(0, worker.take(RUN), "the other request fills the run");
    CompletionException failure = assertThrows(CompletionException.class, late::join);
    assertInstanceOf(RequestRefusedException.class, failure.getCause());
    assertEquals(doubted.of(RUN), replica.times().of(RUN));
    assertEquals(1, counters.expired.sum());
    assertEquals(0, replica.waitingRows());
    assertTrue(replica.queue().isEmpty());
    assertFalse(other.isDone());
  }

  /** A request whose run is refused unless it is alone. */
  private static class RefusedWithOthers extends BlankRequest {
    RefusedWithOthers(long deadline) {
      super(1, deadline);
    }

    /** What happens when it is. */
    void alone() {}

    @Override
    void execute(Session session, int count) {
      if (count > 1) {
        throw new InferenceException("scripted");
      }
      alone();
    }
  }

  @Test
  void requests_thatRunByThemselvesAfterARefusal_areDroppedOnceThereIsNoTimeForThem() {
    BlankRequest first =
        waiting(
            new RefusedWithOthers(Request.NO_DEADLINE) {
              @Override
              void alone() {
                runsBecomeSlow();
              }
            });
    BlankRequest second = waiting(new RefusedWithOthers(System.nanoTime() + HOUR));
    worker.serve();
    assertEquals(1, first.join()[0]);
    CompletionException failure = assertThrows(CompletionException.class, second::join);
    assertInstanceOf(RequestRefusedException.class, failure.getCause());
    assertEquals(1, counters.expired.sum());
    assertEquals(1, counters.answered.sum());
  }

  @Test
  void runs_thatAreToFollowOneByOne_keepAWorkerBusy() {
    replica.times().ended(1, HOUR);
    AtomicReference<Long> duringTheFirst = new AtomicReference<>();
    AtomicReference<Long> duringTheLast = new AtomicReference<>();
    long began = System.nanoTime();
    for (AtomicReference<Long> found : List.of(duringTheFirst, duringTheLast)) {
      replica.submit(
          new RefusedWithOthers(Request.NO_DEADLINE) {
            @Override
            void alone() {
              found.set(worker.nanosUntilFree(began));
            }
          });
    }
    worker.serve();
    assertTrue(duringTheFirst.get() >= 2 * HOUR, duringTheFirst + " ns");
    assertTrue(duringTheLast.get() >= HOUR / 2, duringTheLast + " ns");
    assertTrue(duringTheLast.get() < 2 * HOUR, duringTheLast + " ns");
    assertEquals(0, worker.nanosUntilFree(began), "it has nothing to do");
  }

  /** Collecting takes a fifth of a second at least; runs take nanoseconds. */
  @Test
  void run_thatWaitsForMore_isNotLate() throws Exception {
    Duration window = Duration.ofMillis(200);
    Serving patient =
        ClosedServing.of(RUN, RankerOptions.builder().workers(1).batchingWindow(window).build());
    Replica collecting = new Replica(patient, patient.fleet().engine(), counters, false);
    collecting.times().ended(1, 1);
    collecting.times().ended(RUN, 1);
    Worker collector = collecting.workers.get(0);
    CompletableFuture<Long> atTheEnd = new CompletableFuture<>();
    collecting.submit(
        new BlankRequest(RUN - 1, Request.NO_DEADLINE) {
          @Override
          void copyIn(Session session, int from, int count, int at) {
            atTheEnd.complete(collector.nanosUntilFree(System.nanoTime()));
          }

          @Override
          void execute(Session session, int count) {}
        });
    Thread thread = new Thread(collector::serve);
    thread.start();
    long most = 0;
    while (thread.isAlive()) {
      if (collector.waitsFor(1)) {
        most = Math.max(most, collector.nanosUntilFree(System.nanoTime()));
      }
    }
    long limit = window.toNanos() / 2;
    assertTrue(most < limit, most + " ns");
    assertTrue(atTheEnd.get() < limit, atTheEnd.get() + " ns");
  }

  @Test
  void run_thatEndedLate_isNotLateWhileItsAnswersAreHandedOut() {
    long run = TimeUnit.MILLISECONDS.toNanos(200);
    replica.times().ended(1, 1);
    AtomicReference<Long> afterwards = new AtomicReference<>();
    replica.submit(
        new BlankRequest(1, Request.NO_DEADLINE) {
          @Override
          void execute(Session session, int count) {
            for (long end = System.nanoTime() + run; System.nanoTime() < end; ) {
              Thread.onSpinWait();
            }
          }

          @Override
          void copyOut(Session session, int at, int count, int to) {
            afterwards.set(worker.nanosUntilFree(System.nanoTime()));
          }
        });
    worker.serve();
    assertTrue(afterwards.get() < run / 2, afterwards + " ns");
  }

  @Test
  void runs_thatDoNotFollowAnyMore_keepNoWorkerBusy() {
    replica.times().ended(1, HOUR);
    for (int i = 0; i < 3; i++) {
      replica.submit(
          new RefusedWithOthers(Request.NO_DEADLINE) {
            @Override
            void copyOut(Session session, int at, int count, int to) {
              throw new IllegalStateException("scripted");
            }
          });
    }
    worker.serve();
    replica.submit(new BlankRequest(1, Request.NO_DEADLINE));
    worker.take(RUN);
    long nanos = worker.nanosUntilFree(System.nanoTime());
    assertTrue(nanos < 2 * HOUR, nanos + " ns");
  }

  @Test
  void run_thatTakesLongerThanItShould_isThoughtToNeedAsLongAgain() {
    replica.times().ended(1, 1);
    replica.submit(new BlankRequest(1, Request.NO_DEADLINE));
    long before = System.nanoTime();
    worker.take(RUN);
    long late = HOUR / 10;
    long nanos = worker.nanosUntilFree(System.nanoTime() + late);
    assertTrue(nanos >= late - 1, nanos + " ns");
    assertTrue(nanos <= late + System.nanoTime() - before, nanos + " ns");
  }

  @Test
  void requests_thatExpireInGreatNumber_leaveWhatFollowsToOtherWorkers() {
    List<BlankRequest> late = new ArrayList<>();
    for (int i = 0; i < 100; i++) {
      late.add(hurried(1));
    }
    BlankRequest last = patient(1);
    runsBecomeSlow();

    assertEquals(RUN, worker.take(RUN));
    long left = replica.waitingRows();
    assertTrue(left > 1 && left < 101, left + " rows wait");
    assertEquals(101 - left, late.stream().filter(BlankRequest::isDone).count());
    assertEquals(RUN - 1, worker.take(RUN));
    assertTrue(late.stream().allMatch(BlankRequest::isDone));
    assertFalse(last.isDone());
    assertEquals(0, replica.waitingRows());
  }

  @Test
  void expiry_thatMemoryRunsOutIn_leavesNobodyWithoutAnAnswer() {
    BlankRequest first =
        waiting(
            new BlankRequest(1, System.nanoTime() + HOUR) {
              @Override
              public boolean completeExceptionally(Throwable failure) {
                if (failure instanceof RequestRefusedException) {
                  throw new OutOfMemoryError("scripted");
                }
                return super.completeExceptionally(failure);
              }
            });
    BlankRequest second = hurried(1);
    runsBecomeSlow();

    worker.serve();
    assertTrue(first.isCompletedExceptionally());
    assertTrue(second.isCompletedExceptionally());
    assertEquals(0, replica.waitingRows());
  }

  private static Replica oneByOne() {
    Serving dependent =
        ClosedServing.of(
            EngineOptions.builder().maxBatch(RUN).padding(false),
            RankerOptions.builder().workers(1).build());
    return new Replica(dependent, dependent.fleet().engine(), new Replica.Counters(), false);
  }

  private static List<BlankRequest> fill(Replica replica, int count, int rows) {
    List<BlankRequest> requests = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      requests.add(new BlankRequest(rows, true, Request.NO_DEADLINE));
      assertEquals(Replica.Admission.ACCEPTED, replica.submit(requests.get(i)));
    }
    return requests;
  }

  private static Replica.Admission ofHurried(Replica replica) {
    return replica.submit(new BlankRequest(1, true, System.nanoTime() + HOUR));
  }

  @Test
  void requests_thatRunOneByOne_countForAsLongAsTheirOwnRowsTakeUnlessTheyWereCancelled() {
    Replica alone = oneByOne();
    alone.times().ended(1, HOUR / 1000);
    alone.times().ended(RUN, HOUR / 10);
    fill(alone, 100, 1);
    assertEquals(Replica.Admission.ACCEPTED, ofHurried(alone));
    List<BlankRequest> large = fill(alone, 20, RUN);
    assertEquals(Replica.Admission.LATE, ofHurried(alone));
    large.forEach(request -> request.cancel(true));
    assertEquals(Replica.Admission.ACCEPTED, ofHurried(alone));
  }

  @Test
  void requests_thatRunOneByOne_countNoLongerOnceTheyAreTaken() {
    Replica alone = oneByOne();
    alone.times().ended(1, HOUR / 100);
    for (int i = 0; i < 100; i++) {
      alone.submit(
          new BlankRequest(1, true, Request.NO_DEADLINE) {
            @Override
            void execute(Session session, int count) {}
          });
    }
    assertEquals(Replica.Admission.LATE, ofHurried(alone));
    for (int i = 0; i < 100; i++) {
      alone.workers.get(0).serve();
    }
    assertEquals(0, alone.waitingRows());
    assertEquals(Replica.Admission.ACCEPTED, ofHurried(alone));
  }

  @Test
  void queue_thatHasRoomForARunBesideWhatIsHeldBack_holdsBack() {
    for (int capacity : new int[] {2 * RUN - 1, 2 * RUN}) {
      Replica full = full(RankerOptions.builder().queueCapacity(capacity));
      full.submit(new BlankRequest(1, Request.NO_DEADLINE));
      assertEquals(capacity < 2 * RUN, full.hasWork(), "room for " + capacity);
    }
  }

  @Test
  void request_thatIsRefusedForItsLastRun_isTakenInOnceThatIsDoubtedEnough() {
    replica.times().ended(1, YEAR);
    replica.times().ended(RUN, 1);
    assertTakenInOnceDoubted(RUN + 1);
  }

  @Test
  void request_thatIsRefusedForAFullRun_isTakenInOnceThatIsDoubtedEnough() {
    replica.times().ended(RUN, YEAR);
    assertTakenInOnceDoubted(RUN);
  }

  private void assertTakenInOnceDoubted(int rows) {
    int refusals = 0;
    while (replica.submit(new BlankRequest(rows, System.nanoTime() + HOUR))
        != Replica.Admission.ACCEPTED) {
      assertTrue(
          ++refusals < 1000,
          () ->
              "a run of one row still counts as "
                  + replica.times().of(1)
                  + ", a full one as "
                  + replica.times().of(RUN));
    }
    assertTrue(refusals > 0, "it was not slow");
  }

  @Test
  void load_thatARequestMeets_isDescribedWithAllNumbers() {
    replica.times().ended(RUN, 1_500_000);
    replica.submit(new BlankRequest(2, Request.NO_DEADLINE));
    assertEquals(
        "3 rows asked of "
            + replica.engine()
            + ", 2 waiting of at most 512, 1 workers, a run of 4 takes about 1500 us",
        replica.describeLoad(new BlankRequest(3, Request.NO_DEADLINE)));
  }

  /** As a heap is exhausted by others for a while, rather than for one allocation. */
  @Test
  void failure_thatMemoryRunsOutInAsWell_isToldOnceThereIsSome() {
    BlankRequest first = outOfMemory(3);
    BlankRequest second = patient(1);
    replica.failed(new OutOfMemoryError("scripted")); // one of three in a row

    worker.serve();
    assertTrue(first.isCompletedExceptionally());
    assertTrue(second.isCompletedExceptionally());
    assertEquals(2, counters.failed.sum());
    assertEquals(0, replica.waitingRows());
    assertTrue(replica.isOpen(), "memory that is short is no reason to leave a device");
  }

  @Test
  void request_thatCannotBeMovedForWantOfMemory_isToldOnceThereIsSome() {
    BlankRequest request = outOfMemory(3);
    assertTrue(replica.failed(new DeviceLostException("scripted", 700, "scripted")));
    worker.serve();
    assertTrue(request.isCompletedExceptionally());
  }

  /** Of three failures in a row, the last of which there is no memory to take note of at first. */
  @Test
  void device_thatFailsForWantOfMemory_leavesNobodyWithoutAnAnswer() throws Exception {
    FakeBackend backend = new FakeBackend("fake", Device.Type.GPU);
    Serving open =
        Serving.open(
            new Backends(List.of(backend)),
            FakeBackend.ANY_MODEL,
            EngineOptions.builder().device(Device.gpu(0)).maxBatch(RUN).build(),
            RankerOptions.builder().workers(1).build());
    AtomicInteger left = new AtomicInteger(3);
    set(
        open,
        "failed",
        new ConcurrentHashMap<Device, Throwable>() {
          @Override
          public Throwable put(Device device, Throwable failure) {
            if (left.getAndDecrement() > 0) {
              throw new OutOfMemoryError("scripted");
            }
            return super.put(device, failure);
          }
        });
    for (int i = 0; i < 3; i++) {
      BlankRequest request =
          new BlankRequest(1, Request.NO_DEADLINE) {
            @Override
            void copyIn(Session session, int from, int count, int at) {
              throw new OutOfMemoryError("scripted");
            }
          };
      open.submit(request);
      ExecutionException failure =
          assertThrows(ExecutionException.class, () -> request.get(30, TimeUnit.SECONDS));
      assertInstanceOf(InferenceException.class, failure.getCause());
    }
    BlankRequest refused = new BlankRequest(1, Request.NO_DEADLINE);
    open.submit(refused);
    CompletionException refusal = assertThrows(CompletionException.class, refused::join);
    assertInstanceOf(OutOfMemoryError.class, refusal.getCause().getCause(), "what the device did");
    open.close();
    assertEquals(0, backend.openSessions.get());
  }

  @Test
  void worker_thatCannotStart_saysSoOnceThereIsMemory() throws Exception {
    AtomicInteger left = new AtomicInteger(3);
    set(
        worker,
        "ready",
        new CompletableFuture<Void>() {
          @Override
          public boolean completeExceptionally(Throwable failure) {
            if (left.getAndDecrement() > 0) {
              throw new OutOfMemoryError("scripted");
            }
            return super.completeExceptionally(failure);
          }
        });
    Thread thread = new Thread(worker);
    thread.setDaemon(true);
    thread.start();
    ExecutionException failure =
        assertThrows(ExecutionException.class, () -> worker.ready().get(30, TimeUnit.SECONDS));
    assertInstanceOf(IllegalStateException.class, failure.getCause(), "the engine is closed");
  }

  private static void set(Object object, String field, Object value) throws Exception {
    Field found = object.getClass().getDeclaredField(field);
    found.setAccessible(true);
    found.set(object, value);
  }

  /** Returns a request whose end there is no memory for, so many times. */
  private BlankRequest outOfMemory(int times) {
    AtomicInteger left = new AtomicInteger(times);
    return waiting(
        new BlankRequest(1, Request.NO_DEADLINE) {
          @Override
          void copyIn(Session session, int from, int count, int at) {
            throw new OutOfMemoryError("scripted");
          }

          @Override
          public boolean completeExceptionally(Throwable failure) {
            if (left.getAndDecrement() > 0) {
              throw new OutOfMemoryError("scripted");
            }
            return super.completeExceptionally(failure);
          }
        });
  }

  /** They come without limit where no worker takes any: what waits does not become more. */
  @Test
  void request_thatIsCancelled_isNotHeldByTheQueueUntilAWorkerComesBy() {
    BlankRequest other = patient(1);
    patient(2 * RUN).cancel(true);
    assertEquals(3, replica.queue().size());
    assertEquals(1, replica.queue().stream().filter(part -> part.request != null).count());
    assertEquals(RUN - 1, worker.take(RUN));
    assertTrue(replica.queue().isEmpty());
    assertFalse(other.isDone());
  }

  @Test
  void worker_thatAnotherWasFasterThan_takesNothingAndGoesOn() {
    for (int i = 0; i < 5; i++) {
      worker.serve();
    }
    assertEquals(RUN, worker.take(RUN));
    assertNull(replica.failure());
  }

  private void runsAreLong(Replica full) {
    full.times().ended(RUN, LONG_RUN);
    full.times().ended(1, LONG_RUN);
    for (int i = 0; i < 2; i++) {
      full.submit(new BlankRequest(RUN, Request.NO_DEADLINE));
      assertEquals(0, full.workers.get(i).take(RUN)); // begun when runs are known to be long
    }
  }

  /** Returns a replica of which two workers of three have taken a run each. */
  private Replica full() {
    return full(RankerOptions.builder());
  }

  private Replica full(RankerOptions.Builder options) {
    Serving three = ClosedServing.of(RUN, options.workers(3).build());
    Replica full = new Replica(three, three.fleet().engine(), counters, false);
    for (int i = 0; i < 2; i++) {
      full.submit(new BlankRequest(RUN, Request.NO_DEADLINE));
      assertEquals(0, full.workers.get(i).take(RUN));
    }
    return full;
  }

  @Test
  void request_thatDoesNotFillARun_isTakenOnceTheGpuIsNotFullAnyMore() {
    Replica full = full();
    full.submit(new BlankRequest(1, Request.NO_DEADLINE));
    Worker idle = full.workers.get(2);
    for (int i = 0; i < 5; i++) {
      idle.serve();
    }
    assertEquals(1, full.waitingRows());
    assertNull(full.failure());
    full.workers.get(0).ended();
    assertEquals(RUN - 1, idle.take(RUN));
  }

  @Test
  void deadline_thatLeavesNoTimeToWaitForARunThatEnds_isRefused() {
    Replica full = full();
    runsAreLong(full);
    assertEquals(
        Replica.Admission.LATE, full.submit(new BlankRequest(1, System.nanoTime() + 3 * LONG_RUN)));
    assertEquals(
        Replica.Admission.ACCEPTED,
        full.submit(new BlankRequest(1, System.nanoTime() + 4 * LONG_RUN)));
    assertEquals(
        Replica.Admission.ACCEPTED,
        replica.submit(new BlankRequest(1, System.nanoTime() + 2 * LONG_RUN)),
        "nothing runs there");
  }

  @Test
  void requests_ofADeviceThatIsLost_doNotWaitForARunThatEnds() {
    Replica full = full();
    full.submit(new BlankRequest(1, Request.NO_DEADLINE));
    assertFalse(full.hasWork());
    full.failed(new DeviceLostException("scripted", 700, "scripted"));
    assertTrue(full.hasWork());
  }

  @Test
  void deadline_ofARequestThatMustRunAlone_needNotAllowForARunThatEnds() {
    Replica full = full();
    runsAreLong(full);
    assertEquals(
        Replica.Admission.ACCEPTED,
        full.submit(new BlankRequest(1, true, System.nanoTime() + 2 * LONG_RUN)));
  }

  @Test
  void deadline_thatLeavesNoTimeForAllRunsThatMustEnd_isRefused() {
    Serving five = ClosedServing.of(RUN, RankerOptions.builder().workers(5).build());
    Replica full = new Replica(five, five.fleet().engine(), counters, false);
    for (int i = 0; i < 3; i++) {
      full.submit(new BlankRequest(RUN, Request.NO_DEADLINE));
      assertEquals(0, full.workers.get(i).take(RUN));
      if (i == 0) { // which should have ended already
        full.times().ended(RUN, LONG_RUN);
        full.times().ended(1, LONG_RUN);
      }
    }
    assertEquals(
        Replica.Admission.LATE, full.submit(new BlankRequest(1, System.nanoTime() + 3 * LONG_RUN)));
    assertEquals(
        Replica.Admission.ACCEPTED,
        full.submit(new BlankRequest(1, System.nanoTime() + 4 * LONG_RUN)));
  }

  @Test
  void requests_thatAreRefusedForTheRunsOfOthers_areNoReasonToDoubtHowLongTheirOwnTakes() {
    Replica full = full();
    runsAreLong(full);
    for (int i = 0; i < 100; i++) {
      assertEquals(
          Replica.Admission.LATE,
          full.submit(new BlankRequest(1, System.nanoTime() + 2 * LONG_RUN)));
    }
    assertEquals(LONG_RUN, full.times().of(1));
  }

  @Test
  void request_thatMustRunAlone_doesNotWaitBehindOneThatWasCancelled() {
    Replica full = full();
    BlankRequest cancelled = new BlankRequest(1, Request.NO_DEADLINE);
    full.submit(cancelled);
    cancelled.cancel(true);
    full.submit(new BlankRequest(1, true, Request.NO_DEADLINE));
    assertTrue(full.hasWork());
    assertEquals(0, full.workers.get(2).take(RUN));
    assertEquals(0, full.waitingRows());
  }

  @Test
  void requests_thatWereCancelled_beginNoRunOfWhatWaitsBehindThem() {
    Replica full = full();
    BlankRequest cancelled = new BlankRequest(1, Request.NO_DEADLINE);
    full.submit(cancelled);
    cancelled.cancel(true);
    full.submit(new BlankRequest(1, Request.NO_DEADLINE));
    assertEquals(RUN, full.workers.get(2).take(RUN));
    assertEquals(1, full.waitingRows());
    assertFalse(full.hasWork());
  }

  @Test
  void worker_thatHandsOutAnswers_isNotFreeForADeadline() {
    AtomicReference<Replica.Admission> meanwhile = new AtomicReference<>();
    replica.times().ended(1, LONG_RUN);
    BlankRequest first =
        waiting(
            new BlankRequest(1, Request.NO_DEADLINE) {
              @Override
              void execute(Session session, int count) {}

              @Override
              float[] answer() {
                meanwhile.set(replica.submit(hurriedBy(2 * LONG_RUN)));
                return super.answer();
              }
            });
    worker.serve();
    assertTrue(first.isDone());
    assertEquals(Replica.Admission.LATE, meanwhile.get());
    assertEquals(Replica.Admission.ACCEPTED, replica.submit(hurriedBy(2 * LONG_RUN)));
  }

  @Test
  void run_thatSucceeds_isLearntFromAndOneThatFailsIsNot() {
    replica.submit(
        new BlankRequest(1, Request.NO_DEADLINE) {
          @Override
          void execute(Session session, int count) {
            throw new InferenceException("scripted");
          }
        });
    worker.serve();
    assertEquals(0, replica.times().of(1));
    replica.submit(unrun(1, Request.NO_DEADLINE));
    worker.serve();
    assertTrue(replica.times().of(1) > 0);
  }

  private static BlankRequest hurriedBy(long nanos) {
    return new BlankRequest(1, System.nanoTime() + nanos);
  }

  @Test
  void rows_thatAreCancelledBeforeTheirRun_leaveRoomForWhatWaits() throws Exception {
    Serving three = ClosedServing.of(RUN, RankerOptions.builder().workers(3).build());
    Replica full = new Replica(three, three.fleet().engine(), counters, false);
    full.submit(new BlankRequest(RUN, Request.NO_DEADLINE));
    assertEquals(0, full.workers.get(0).take(RUN));
    BlankRequest cancelled = new BlankRequest(RUN - 1, Request.NO_DEADLINE);
    Worker idle = full.workers.get(2);
    idle.thread = new Thread(idle::sleep);
    AtomicBoolean woken = new AtomicBoolean();
    full.submit(
        new BlankRequest(1, Request.NO_DEADLINE) {
          @Override
          void copyIn(Session session, int from, int count, int at) {
            full.submit(new BlankRequest(1, Request.NO_DEADLINE));
            startAndAwaitSleep(idle.thread);
            cancelled.cancel(true);
          }

          @Override
          void execute(Session session, int count) {
            woken.set(ends(idle.thread));
          }
        });
    full.submit(cancelled);
    full.workers.get(1).serve();
    assertTrue(woken.get());
  }

  private static void startAndAwaitSleep(Thread thread) {
    thread.setDaemon(true);
    thread.start();
    while (thread.getState() != Thread.State.WAITING) {
      Thread.onSpinWait();
    }
  }

  private static boolean ends(Thread thread) {
    try {
      thread.join(5000);
      return !thread.isAlive();
    } catch (InterruptedException e) {
      throw new AssertionError(e);
    }
  }

  @Test
  void request_thatMustRunAlone_doesNotWaitOnceTheOneBeforeItIsCancelled() {
    Replica full = full();
    Worker idle = full.workers.get(2);
    idle.thread = new Thread(idle::sleep);
    BlankRequest cancelled = new BlankRequest(1, Request.NO_DEADLINE);
    full.submit(cancelled);
    full.submit(new BlankRequest(1, true, Request.NO_DEADLINE));
    startAndAwaitSleep(idle.thread);
    cancelled.cancel(true);
    assertTrue(ends(idle.thread));
  }

  @Test
  void worker_thatHasStoppedLooking_isWokenForWhatComes() {
    worker.look(System.nanoTime(), 0);
    worker.thread = new Thread(worker::sleep);
    startAndAwaitSleep(worker.thread);
    replica.submit(new BlankRequest(1, Request.NO_DEADLINE));
    assertTrue(ends(worker.thread));
  }

  @Test
  void request_behindOneThatIsCancelledBeforeTheirRun_isAnsweredOnceFromItsOwnRows() {
    BlankRequest cancelled = new BlankRequest(1, Request.NO_DEADLINE);
    List<Integer> copied = new ArrayList<>();
    replica.submit(
        new BlankRequest(1, Request.NO_DEADLINE) {
          @Override
          void copyIn(Session session, int from, int count, int at) {
            cancelled.cancel(true);
          }

          @Override
          void execute(Session session, int count) {}
        });
    replica.submit(cancelled);
    replica.submit(
        new BlankRequest(2, Request.NO_DEADLINE) {
          @Override
          void copyOut(Session session, int at, int count, int to) {
            copied.add(at);
          }
        });
    worker.serve();
    assertEquals(List.of(1), copied);
    assertEquals(2, counters.answered.sum());
  }

  /** By now the ranker is closed, which it says to what is moved on. */
  @Test
  void request_ofSeveralParts_isMovedAsAWholeFromADeviceThatWasLost() {
    BlankRequest request = patient(2 * RUN + 1);
    replica.failed(new DeviceLostException("scripted", 700, "scripted"));
    worker.serve();
    CompletionException moved = assertThrows(CompletionException.class, request::join);
    assertInstanceOf(RequestRefusedException.class, moved.getCause());
    assertEquals(0, counters.failed.sum());
    assertEquals(0, replica.waitingRows());
  }

  @Test
  void gpu_isNotFullOfRowsThatWaitUntilAnotherRequestIsToldThatItExpired() {
    Serving two = ClosedServing.of(RUN, RankerOptions.builder().workers(2).build());
    Replica full = new Replica(two, two.fleet().engine(), counters, false);
    full.submit(new BlankRequest(RUN, Request.NO_DEADLINE));
    assertEquals(0, full.workers.get(0).take(RUN));
    AtomicBoolean workForOthers = new AtomicBoolean();
    full.submit(
        new BlankRequest(1, System.nanoTime() + HOUR) {
          @Override
          public boolean completeExceptionally(Throwable failure) {
            workForOthers.set(full.hasWork());
            return super.completeExceptionally(failure);
          }
        });
    full.submit(new BlankRequest(RUN, Request.NO_DEADLINE));
    full.submit(new BlankRequest(1, Request.NO_DEADLINE));
    full.times().ended(1, YEAR);
    assertEquals(0, full.workers.get(1).take(RUN));
    assertEquals(1, full.waitingRows());
    assertTrue(workForOthers.get());
  }

  @Test
  void deadline_thatAWindowIsEndedInTimeFor_needNotAllowForARunThatHasNotBegun() throws Exception {
    Serving patient =
        ClosedServing.of(
            RUN, RankerOptions.builder().workers(1).batchingWindow(Duration.ofSeconds(1)).build());
    Replica collecting = new Replica(patient, patient.fleet().engine(), counters, false);
    collecting.times().ended(1, LONG_RUN);
    collecting.submit(unrun(1, Request.NO_DEADLINE));
    Thread thread = new Thread(collecting.workers.get(0)::serve);
    thread.start();
    while (!collecting.workers.get(0).waitsFor(RUN - 1)) {
      Thread.onSpinWait();
    }
    assertEquals(
        Replica.Admission.ACCEPTED, collecting.submit(unrun(1, System.nanoTime() + 2 * LONG_RUN)));
    assertEquals(Replica.Admission.ACCEPTED, collecting.submit(unrun(2, Request.NO_DEADLINE)));
    thread.join();
    assertEquals(1, counters.batches.sum());
  }

  private static BlankRequest unrun(int rows, long deadline) {
    return new BlankRequest(rows, deadline) {
      @Override
      void execute(Session session, int count) {}
    };
  }

  @Test
  void request_thatMustRunAlone_joinsNoRunOfOthers() {
    replica.submit(new BlankRequest(1, Request.NO_DEADLINE));
    replica.submit(new BlankRequest(1, true, Request.NO_DEADLINE));
    replica.submit(new BlankRequest(1, Request.NO_DEADLINE));
    assertEquals(0, worker.take(RUN), "nobody overtakes it");
    assertEquals(2, replica.waitingRows());
  }

  @Test
  void request_thatMustRunAlone_doesNotWaitForOthersToShareItsRun() {
    Replica full = full();
    full.submit(new BlankRequest(1, true, Request.NO_DEADLINE));
    assertEquals(0, full.workers.get(2).take(RUN));
    assertEquals(0, full.waitingRows());
  }

  @Test
  void requests_whoseDeadlinesHavePassedAnyway_areNoReasonToDoubtHowLongRunsTake() {
    replica.times().ended(1, 1000);
    long soon = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(500);
    for (int i = 0; i < 60; i++) {
      assertFalse(waiting(new BlankRequest(1, soon)).isDone());
    }
    while (System.nanoTime() - soon <= 0) {
      Thread.onSpinWait();
    }
    assertEquals(RUN, worker.take(RUN));
    assertEquals(60, counters.expired.sum());
    assertEquals(1000, replica.times().of(1));
  }

  /** Once a pause has made runs of all sizes slow, they must not stay so for want of runs. */
  @Test
  void requests_thatWaitBehindOthers_areTakenInAgainOnceThoseRunAsFastAsBefore() {
    replica.times().ended(RUN / 2, 1000);
    replica.times().ended(RUN, YEAR);
    long deadline = System.nanoTime() + HOUR;
    BlankRequest first = new BlankRequest(RUN / 2, deadline);
    assertEquals(Replica.Admission.ACCEPTED, replica.submit(first));
    assertEquals(Replica.Admission.LATE, replica.submit(new BlankRequest(RUN - RUN / 2, deadline)));
    for (int i = 0; i < 500; i++) {
      replica.times().ended(RUN / 2, 1000);
    }
    assertEquals(
        Replica.Admission.ACCEPTED, replica.submit(new BlankRequest(RUN - RUN / 2, deadline)));
  }
}
