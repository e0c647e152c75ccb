package dev.rankrt.streams;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotSame;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.ByteArrayOutputStream;
import java.io.File;
import java.io.IOException;
import java.io.PrintStream;
import java.io.UncheckedIOException;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.function.Supplier;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;

class AffinityThreadFactoryTest {
  private static final CpuSet CPUS = CpuSet.of(1, 3);

  private final List<String> log = Collections.synchronizedList(new ArrayList<>());
  private final List<String> bound = Collections.synchronizedList(new ArrayList<>());

  private final Affinity recording =
      cpus -> {
        bound.add(Thread.currentThread().getName() + " on " + cpus);
        return Optional.empty();
      };

  private AffinityThreadFactory factory(CpuSet cpus, Affinity affinity) {
    return new AffinityThreadFactory("worker-", cpus, new ThreadBinder(affinity, log::add));
  }

  // ---- Really ------------------------------------------------------------------------------

  @Test
  @EnabledOnOs(OS.LINUX)
  void thread_onLinux_reallyRunsOnItsCpuAlone() {
    CpuSet last = lastOf(NumaTopology.system().cpus());
    assertEquals(
        last,
        new AffinityThreadFactory("bound-", last)
            .call(AffinityThreadFactoryTest::maskOfThisThread));
  }

  @Test
  @EnabledOnOs(OS.LINUX)
  void thread_onLinux_leavesTheThreadThatAskedWhereItWas() {
    CpuSet before = maskOfThisThread();
    new AffinityThreadFactory("bound-", lastOf(before)).call(() -> null);
    assertEquals(before, maskOfThisThread());
  }

  @Test
  @EnabledOnOs(OS.LINUX)
  void poolOfThreads_onLinux_isBoundThroughout() throws Exception {
    CpuSet first = firstOf(NumaTopology.system().cpus());
    ExecutorService pool =
        Executors.newFixedThreadPool(3, new AffinityThreadFactory("bound-", first));
    try {
      CountDownLatch together = new CountDownLatch(3);
      List<Future<CpuSet>> masks = new ArrayList<>();
      for (int i = 0; i < 3; i++) {
        masks.add(
            pool.submit(
                () -> {
                  together.countDown();
                  together.await();
                  return maskOfThisThread();
                }));
      }
      for (Future<CpuSet> mask : masks) {
        assertEquals(first, mask.get());
      }
    } finally {
      pool.shutdownNow();
    }
  }

  @Test
  @EnabledOnOs(OS.LINUX)
  void bind_onLinux_toCpusThatAreNotThere_saysWhatTheSystemSaid() {
    Optional<String> refusal = new SchedAffinity().bind(CpuSet.of(60_000));
    assertTrue(refusal.orElseThrow().startsWith("sched_setaffinity failed: [22]"), refusal::get);
  }

  @Test
  @EnabledOnOs(OS.LINUX)
  void threads_withoutJna_runAllTheSameAndOneLineSaysWhatToAdd() throws Exception {
    PrintStream err = System.err;
    ByteArrayOutputStream printed = new ByteArrayOutputStream();
    try (URLClassLoader withoutJna = classPathWithout("jna")) {
      System.setErr(new PrintStream(printed, true, StandardCharsets.UTF_8));
      Class<?> sets = withoutJna.loadClass(CpuSet.class.getName());
      Class<?> factories = withoutJna.loadClass(AffinityThreadFactory.class.getName());
      Object factory =
          factories
              .getConstructor(String.class, sets)
              .newInstance("free-", sets.getMethod("parse", String.class).invoke(null, "0"));
      for (int i = 0; i < 2; i++) {
        Supplier<String> task = () -> Thread.currentThread().getName();
        Object name = factories.getMethod("call", Supplier.class).invoke(factory, task);
        assertEquals("free-" + (i + 1), name);
      }
    } finally {
      System.setErr(err);
    }
    List<String> lines = printed.toString(StandardCharsets.UTF_8).lines().toList();
    assertEquals(1, lines.size(), lines::toString);
    assertTrue(lines.get(0).contains("add net.java.dev.jna:jna"), lines::toString);
  }

  private static URLClassLoader classPathWithout(String jar) throws IOException {
    List<URL> urls = new ArrayList<>();
    for (String entry : System.getProperty("java.class.path").split(File.pathSeparator, -1)) {
      if (!Path.of(entry).getFileName().toString().startsWith(jar)) {
        urls.add(Path.of(entry).toUri().toURL());
      }
    }
    return new URLClassLoader(urls.toArray(new URL[0]), ClassLoader.getPlatformClassLoader());
  }

  // ---- Everywhere --------------------------------------------------------------------------

  @Test
  void newThread_bindsItselfBeforeItsTask() throws InterruptedException {
    Thread thread = factory(CPUS, recording).newThread(() -> bound.add("task"));
    assertTrue(thread.isDaemon());
    assertEquals(List.of(), bound);
    thread.start();
    thread.join();
    assertEquals(List.of("worker-1 on 1,3", "task"), bound);
  }

  @Test
  void newThread_anywhere_bindsNothing() throws InterruptedException {
    Thread thread = factory(CpuSet.none(), recording).newThread(() -> bound.add("task"));
    thread.start();
    thread.join();
    assertEquals(List.of("task"), bound);
  }

  @Test
  void manyThreads_whereNothingCanBeBound_runAllTheSameAndLogOneLine() {
    AffinityThreadFactory factory = factory(CPUS, new NoAffinity("binding is not supported"));
    int sum = 0;
    for (int i = 1; i <= 4; i++) {
      int number = i;
      sum += factory.call(() -> number);
    }
    assertEquals(10, sum);
    assertEquals(
        List.of(
            "Threads are not bound to CPUs, and may run far from their GPU: asked for 1,3;"
                + " binding is not supported"),
        log);
  }

  @Test
  void anywhere_whereNothingCanBeBound_logsNothing() {
    factory(CpuSet.none(), new NoAffinity("binding is not supported")).call(() -> null);
    assertEquals(List.of(), log);
  }

  @Test
  void call_runsOnAThreadOfItsOwnAndReturnsItsResult() {
    Thread thread = factory(CPUS, recording).call(Thread::currentThread);
    assertNotSame(Thread.currentThread(), thread);
    assertEquals(List.of("worker-1 on 1,3"), bound);
  }

  @Test
  void call_taskThatThrows_throwsTheSame() {
    AffinityThreadFactory factory = factory(CPUS, recording);
    RuntimeException failure = new IllegalStateException("no memory");
    assertSame(
        failure,
        assertThrows(
            IllegalStateException.class,
            () ->
                factory.call(
                    () -> {
                      throw failure;
                    })));
    Error error = new OutOfMemoryError("none");
    assertSame(
        error,
        assertThrows(
            OutOfMemoryError.class,
            () ->
                factory.call(
                    () -> {
                      throw error;
                    })));
  }

  @Test
  @Timeout(10)
  void call_interruptedMeanwhile_keepsTheResultAndTheFlag() {
    Thread caller = Thread.currentThread();
    String result =
        factory(CPUS, recording)
            .call(
                () -> {
                  caller.interrupt();
                  while (caller.isInterrupted()) {
                    // Until the caller has noticed: it clears its flag, then waits again.
                    Thread.onSpinWait();
                  }
                  return "allocated";
                });
    assertEquals("allocated", result);
    assertTrue(Thread.interrupted());
  }

  private static CpuSet maskOfThisThread() {
    try {
      return Files.readAllLines(Path.of("/proc/thread-self/status")).stream()
          .filter(line -> line.startsWith("Cpus_allowed_list:"))
          .map(line -> CpuSet.parse(line.substring("Cpus_allowed_list:".length())))
          .findFirst()
          .orElseThrow();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static CpuSet firstOf(CpuSet cpus) {
    return CpuSet.of(cpus.stream().min().orElseThrow());
  }

  private static CpuSet lastOf(CpuSet cpus) {
    return CpuSet.of(cpus.stream().max().orElseThrow());
  }
}
