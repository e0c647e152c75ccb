package dev.rankrt;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.rankrt.natives.RankRtException;
import dev.rankrt.natives.internal.PlatformThreads;
import dev.rankrt.streams.AffinityPolicy;
import dev.rankrt.testing.FakeBackend;
import dev.rankrt.testing.Forked;
import dev.rankrt.testing.VirtualThreads;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.LockSupport;
import jdk.jfr.Recording;
import jdk.jfr.consumer.RecordedEvent;
import jdk.jfr.consumer.RecordingFile;
import org.junit.jupiter.api.Test;
import org.slf4j.LoggerFactory;
import org.slf4j.simple.SimpleLogger;

/** Virtual threads that call a ranker, in a JVM that has four carriers for them. */
class RankerVirtualThreadsTest {
  private static final int CALLERS = 10_000;

  @Test
  void tenThousandVirtualThreads_onFourCarriers_areNeverPinned() throws Exception {
    assumeTrue(Runtime.version().feature() >= 21, "virtual threads came with Java 21");
    Forked.Result result =
        Forked.run(
            Forked.classPathOf(
                Ranker.class,
                RankerVirtualThreadsTest.class,
                AffinityPolicy.class,
                RankRtException.class,
                VirtualThreads.class,
                LoggerFactory.class,
                SimpleLogger.class),
            List.of("-Djdk.virtualThreadScheduler.parallelism=4"),
            Callers.class);
    assertEquals(0, result.exit(), result.output());
    assertTrue(
        result.output().strip().endsWith("answered 10000, pinned 0; pinned on purpose 1"),
        result.output());
  }

  @Test
  void swap_thatAVirtualThreadAsksFor_opensTheModelOnOneThreadThatRests() throws Throwable {
    assumeTrue(Runtime.version().feature() >= 21, "virtual threads came with Java 21");
    FakeBackend backend = new FakeBackend("fake", Device.Type.GPU);
    List<Boolean> virtual = new CopyOnWriteArrayList<>();
    backend.bias =
        model -> {
          virtual.add(PlatformThreads.isVirtual(Thread.currentThread()));
          return 0;
        };
    VirtualThreads.start(
            () -> {
              try (Ranker ranker =
                  Ranker.open(
                      new Backends(List.of(backend)),
                      FakeBackend.ANY_MODEL,
                      EngineOptions.builder().device(Device.gpu(1)).maxBatch(4).build(),
                      RankerOptions.builder().workers(1).build())) {
                ranker.swap(FakeBackend.ANY_MODEL);
              }
            })
        .join();
    assertEquals(List.of(true, false), virtual);
    assertEquals(0, backend.openEngines.get());
  }

  /** Runs in the other JVM. */
  static final class Callers {
    private Callers() {}

    public static void main(String[] arguments) throws Throwable {
      FakeBackend backend = new FakeBackend("fake", Device.Type.CPU);
      AtomicInteger answered = new AtomicInteger();
      int pinned;
      try (Ranker ranker =
          Ranker.open(
              new Backends(List.of(backend)),
              FakeBackend.ANY_MODEL,
              EngineOptions.builder().device(Device.cpu()).maxBatch(64).build(),
              RankerOptions.builder().workers(2).queueCapacity(2 * CALLERS).build())) {
        backend.duringRun = rows -> LockSupport.parkNanos(100_000);
        Ranker hurried = ranker.within(Duration.ofMinutes(1));
        // The JVM pins threads that wait for classes to be loaded, whoever's they are.
        ranker.infer(new float[1], new long[1]);
        hurried.infer(new float[1], new long[1]);
        pinned =
            pinnedDuring(
                () -> {
                  List<Thread> callers = new ArrayList<>();
                  for (int i = 0; i < CALLERS; i++) {
                    int id = i;
                    Ranker view = i % 2 == 0 ? ranker : hurried;
                    callers.add(
                        VirtualThreads.start(
                            () -> {
                              float[] scores = view.infer(new float[2], new long[] {id, -id});
                              if (scores[0] == id && scores[1] == -id) {
                                answered.incrementAndGet();
                              }
                            }));
                  }
                  for (Thread caller : callers) {
                    caller.join();
                  }
                });
      }
      int control = pinnedDuring(() -> VirtualThreads.start(() -> new Pinned()).join());
      System.out.println(
          "answered " + answered + ", pinned " + pinned + "; pinned on purpose " + control);
    }

    /** What is run while events are recorded. */
    private interface Recorded {
      void run() throws Throwable;
    }

    private static int pinnedDuring(Recorded work) throws Throwable {
      Path file = Files.createTempFile("pinned", ".jfr");
      try (Recording recording = new Recording()) {
        recording.enable("jdk.VirtualThreadPinned").withThreshold(Duration.ZERO);
        recording.start();
        work.run();
        recording.stop();
        recording.dump(file);
        List<RecordedEvent> events = RecordingFile.readAllEvents(file);
        events.forEach(System.err::println);
        return events.size();
      } finally {
        Files.delete(file);
      }
    }

    /** Parks below a native frame, that of its initialisation: this pins in every Java. */
    private static final class Pinned {
      static {
        LockSupport.parkNanos(50_000_000);
      }
    }
  }
}
