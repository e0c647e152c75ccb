package dev.rankrt;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.rankrt.testing.FakeBackend;
import java.util.List;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class ReplicaTest {
  @ParameterizedTest
  @CsvSource({"32, 1, 5", "32, 2, 5", "16, 1, 5", "16, 2, 4", "64, 8, 4", "4, 1, 2", "1, 1, 2"})
  void workersOfAGpu_ofWhichNobodySaysHowMany_leaveHalfOfTheProcessorsToCallers(
      int processors, int gpus, int workers) {
    assertEquals(workers, Replica.usualWorkersOfGpu(processors, gpus));
  }

  @Test
  void workersOfProcessors_ofWhichNobodySaysHowMany_useEachOfThemOnce() {
    int processors = Runtime.getRuntime().availableProcessors();
    assertEquals(processors, usualWorkers(1));
    assertEquals(1, usualWorkers(processors));
    assertEquals(1, usualWorkers(2 * processors));
  }

  private static int usualWorkers(int cpuThreads) {
    Serving serving =
        Serving.open(
            new Backends(List.of(new FakeBackend("fake", Device.Type.CPU))),
            FakeBackend.ANY_MODEL,
            EngineOptions.builder().device(Device.cpu()).cpuThreads(cpuThreads).build(),
            RankerOptions.defaults());
    serving.close();
    return serving.fleet().replicas().get(0).workers.size();
  }

  /** Fifteen runs of 100 ms, where nobody waits for longer than 500 ms for one. */
  @Test
  void end_thatALongQueueComesBefore_isAwaitedAsLongAsRunsAreTakenUp() throws Exception {
    FakeBackend backend = new FakeBackend("fake", Device.Type.GPU);
    Serving serving =
        Serving.open(
            new Backends(List.of(backend)),
            FakeBackend.ANY_MODEL,
            EngineOptions.builder().device(Device.gpu(0)).maxBatch(4).build(),
            RankerOptions.builder().workers(1).build());
    Semaphore mayLeave = new Semaphore(0);
    backend.duringRun = rows -> mayLeave.acquireUninterruptibly();
    Request<float[]> request = new BlankRequest(60, Request.NO_DEADLINE);
    serving.submit(request);
    Replica replica = serving.fleet().replicas().get(0);
    replica.drain();
    while (replica.waitingRows() > 56) {
      Thread.onSpinWait();
    }
    assertFalse(replica.endsWithin(10, TimeUnit.MILLISECONDS), "a run is held");
    backend.duringRun = rows -> LockSupport.parkNanos(TimeUnit.MILLISECONDS.toNanos(100));
    mayLeave.release();
    assertTrue(replica.endsWithin(500, TimeUnit.MILLISECONDS));
    assertTrue(request.isDone());
    serving.close();
  }
}
