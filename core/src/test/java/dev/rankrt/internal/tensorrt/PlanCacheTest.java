package dev.rankrt.internal.tensorrt;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.protobuf.ByteString;
import com.google.protobuf.CodedOutputStream;
import dev.rankrt.natives.RankRtException;
import dev.rankrt.testing.CapturedLog;
import dev.rankrt.testing.Forked;
import dev.rankrt.testing.OnnxModel;
import dev.rankrt.testing.OnnxModels;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.JarURLConnection;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.bytedeco.javacpp.Pointer;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.slf4j.Logger;

@Timeout(60)
class PlanCacheTest {
  private static final byte[] CONTENT = {1, 2, 3};
  private static final String KEY = "0123abcd";

  @TempDir Path folder;
  private final AtomicInteger builds = new AtomicInteger();

  @AfterEach
  void nothingIsLeft() throws IOException {
    assertEquals(0, Plans.OPEN.get());
    try (var files = Files.walk(folder)) {
      assertEquals(List.of(), files.filter(file -> file.toString().endsWith(".tmp")).toList());
    }
  }

  private Path plans() {
    return folder.resolve("deep/plans");
  }

  private Plan build() {
    builds.incrementAndGet();
    return Plans.of(CONTENT);
  }

  private void get(Path plans) {
    try (Plan plan = new PlanCache(plans).get(() -> KEY, this::build)) {
      assertArrayEquals(CONTENT, Plans.contentOf(plan));
    }
  }

  @Test
  void entry_isBuiltOnceAndThenRead() {
    get(plans());
    get(plans());
    assertEquals(1, builds.get());
    new PlanCache(plans()).get(() -> "4567", this::build).close();
    assertEquals(2, builds.get());
  }

  @Test
  void folder_isCreatedForItsOwnerOnly() throws IOException {
    get(plans());
    for (Path made : List.of(plans(), plans().getParent())) {
      assertEquals("rwx------", PosixFilePermissions.toString(Files.getPosixFilePermissions(made)));
    }
    assertEquals(
        "rw-------",
        PosixFilePermissions.toString(
            Files.getPosixFilePermissions(plans().resolve(KEY + ".plan"))));
  }

  @Test
  void damagedEntry_isBuiltAgainAndSaidSo() throws IOException {
    get(plans());
    Path entry = plans().resolve(KEY + ".plan");
    byte[] whole = Files.readAllBytes(entry);
    for (int place : new int[] {0, 8, 13, whole.length / 2, whole.length - 1}) {
      byte[] damaged = whole.clone();
      damaged[place] ^= 1;
      Files.write(entry, damaged);
      try (CapturedLog log = new CapturedLog()) {
        get(plans());
        assertTrue(log.lines().stream().anyMatch(line -> line.contains(KEY)), "" + log.lines());
      }
      assertArrayEquals(whole, Files.readAllBytes(entry));
    }
    assertEquals(6, builds.get());
    Files.write(entry, new byte[0]);
    get(plans());
    get(plans());
    assertEquals(7, builds.get());
  }

  @Test
  void placeThatCannotBeAFolder_buildsAndKeepsNothing() throws IOException {
    Path file = Files.writeString(folder.resolve("file"), "x");
    try (CapturedLog log = new CapturedLog()) {
      get(file);
      get(file.resolve("below"));
      get(Path.of("/proc/rankrt/plans"));
      assertTrue(
          log.lines().stream().anyMatch(line -> line.contains("cannot be kept in " + file)),
          "" + log.lines());
    }
    assertEquals(3, builds.get());
    assertEquals("x", Files.readString(file));
  }

  @Test
  void entryThatCannotBeReplaced_leavesTheBuiltPlanToItsCaller() throws IOException {
    Files.createDirectories(plans().resolve(KEY + ".plan/in the way"));
    get(plans());
    assertEquals(1, builds.get());
  }

  @Test
  void lockThatCannotBeTaken_buildsOnceAndKeepsIt() throws IOException {
    Files.createDirectories(plans().resolve(KEY + ".lock"));
    get(plans());
    get(plans());
    assertEquals(1, builds.get());
  }

  @Test
  void leftoversOfADeadProcess_areRemovedByTheNextBuild() throws IOException {
    Files.createDirectories(plans());
    Files.write(plans().resolve(KEY + "123.tmp"), CONTENT);
    get(plans());
  }

  @Test
  void builderThatFails_leavesTheEntryToTheNext() {
    PlanCache cache = new PlanCache(plans());
    IllegalStateException failure = new IllegalStateException("no");
    assertEquals(
        failure,
        assertThrows(
            IllegalStateException.class,
            () ->
                cache.get(
                    () -> KEY,
                    () -> {
                      throw failure;
                    })));
    get(plans());
    assertEquals(1, builds.get());
  }

  @Test
  void builderThatComesBack_isRefusedInsteadOfWaitingForItself() {
    PlanCache cache = new PlanCache(plans());
    assertThrows(
        IllegalStateException.class,
        () -> cache.get(() -> KEY, () -> cache.get(() -> KEY, this::build)));
    assertEquals(0, builds.get());
  }

  @Test
  void modelThatIsReplacedWhileItIsBuilt_isNotKeptAsTheOneBefore() throws IOException {
    Path model =
        Files.write(folder.resolve("model.onnx"), message(7, ByteString.EMPTY).toByteArray());
    byte[] before = Files.readAllBytes(model);
    PlanCache cache = new PlanCache(plans());
    byte[] other = {4, 5};
    cache
        .get(
            () -> PlanCache.key(model, List.of()),
            () -> {
              try {
                Files.write(model, message(2, ByteString.copyFromUtf8("new")).toByteArray());
              } catch (IOException e) {
                throw new UncheckedIOException(e);
              }
              return Plans.of(other);
            })
        .close();
    Files.write(model, before);
    try (Plan plan = cache.get(() -> PlanCache.key(model, List.of()), this::build)) {
      assertArrayEquals(CONTENT, Plans.contentOf(plan));
    }
  }

  @Test
  void modelThatIsGoneAfterItsBuild_leavesTheBuiltPlanToItsCaller() throws IOException {
    Path model =
        Files.write(folder.resolve("model.onnx"), message(7, ByteString.EMPTY).toByteArray());
    new PlanCache(plans())
        .get(
            () -> PlanCache.key(model, List.of()),
            () -> {
              assertTrue(model.toFile().delete());
              return build();
            })
        .close();
    assertEquals(1, builds.get());
  }

  @Test
  void threads_thatOpenAtOnce_buildOnce() throws Exception {
    int threads = 8;
    CyclicBarrier together = new CyclicBarrier(threads);
    ExecutorService pool = Executors.newFixedThreadPool(threads);
    try {
      List<Future<?>> all = new ArrayList<>();
      for (int i = 0; i < threads; i++) {
        all.add(
            pool.submit(
                () -> {
                  together.await();
                  get(plans());
                  return null;
                }));
      }
      for (Future<?> one : all) {
        one.get();
      }
    } finally {
      pool.shutdown();
    }
    assertEquals(1, builds.get());
  }

  @Test
  void lockOfAnotherClassLoader_isWaitedFor() throws Exception {
    Files.createDirectories(plans());
    ExecutorService other = Executors.newSingleThreadExecutor();
    try (FileChannel held =
        FileChannel.open(
            plans().resolve(KEY + ".lock"), StandardOpenOption.CREATE, StandardOpenOption.WRITE)) {
      FileLock lock = held.lock();
      Future<?> waiting = other.submit(() -> get(plans()));
      assertThrows(
          java.util.concurrent.TimeoutException.class,
          () -> waiting.get(300, TimeUnit.MILLISECONDS));
      assertEquals(0, builds.get());
      lock.release();
      waiting.get();
    } finally {
      other.shutdown();
    }
    assertEquals(1, builds.get());
  }

  @Test
  void interruptWhileWaiting_endsTheWaitAndIsKept() throws Exception {
    Files.createDirectories(plans());
    List<Object> seen = new ArrayList<>();
    try (FileChannel held =
        FileChannel.open(
            plans().resolve(KEY + ".lock"), StandardOpenOption.CREATE, StandardOpenOption.WRITE)) {
      held.lock();
      Thread waiting =
          new Thread(
              () -> {
                seen.add(assertThrows(RankRtException.class, () -> get(plans())));
                seen.add(Thread.currentThread().isInterrupted());
              });
      waiting.start();
      Thread.sleep(200);
      waiting.interrupt();
      waiting.join();
    }
    assertEquals(2, seen.size(), "" + seen);
    assertTrue(seen.get(0).toString().contains("interrupted"), "" + seen);
    assertEquals(true, seen.get(1));
    assertEquals(0, builds.get());
  }

  @Test
  void interruptWhileBuilding_keepsThePlanAndTheFlag() {
    PlanCache cache = new PlanCache(plans());
    cache
        .get(
            () -> KEY,
            () -> {
              Thread.currentThread().interrupt();
              return build();
            })
        .close();
    assertTrue(Thread.interrupted());
    get(plans());
    assertEquals(1, builds.get());
  }

  /** Opens one entry in a process of its own. */
  static final class Opener {
    private Opener() {}

    public static void main(String[] arguments) throws Exception {
      Path plans = Path.of(arguments[0]);
      Path built = Path.of(arguments[1]);
      try (Plan plan =
          new PlanCache(plans)
              .get(
                  () -> KEY,
                  () -> {
                    try {
                      Files.createTempFile(built, "build", "");
                      Thread.sleep(500);
                    } catch (IOException | InterruptedException e) {
                      throw new IllegalStateException(e);
                    }
                    return Plans.of(CONTENT);
                  })) {
        System.out.println("got " + plan.size());
      }
    }
  }

  @Test
  void processes_thatOpenAtOnce_buildOnce() throws Exception {
    Path built = Files.createDirectory(folder.resolve("built"));
    String nativeJar =
        Path.of(
                ((JarURLConnection)
                        Pointer.class
                            .getResource("/org/bytedeco/javacpp/linux-x86_64/libjnijavacpp.so")
                            .openConnection())
                    .getJarFileURL()
                    .toURI())
            .toString();
    String classPath =
        Forked.classPathOf(
                PlanCache.class,
                PlanCacheTest.class,
                RankRtException.class,
                ByteString.class,
                Pointer.class,
                Logger.class)
            + ":"
            + nativeJar;
    ExecutorService pool = Executors.newFixedThreadPool(4);
    try {
      List<Future<Forked.Result>> all = new ArrayList<>();
      for (int i = 0; i < 4; i++) {
        all.add(
            pool.submit(
                () ->
                    Forked.run(
                        classPath, List.of(), Opener.class, plans().toString(), built.toString())));
      }
      for (Future<Forked.Result> one : all) {
        assertEquals(0, one.get().exit(), one.get().output());
        assertTrue(one.get().output().contains("got 3"), one.get().output());
      }
    } finally {
      pool.shutdown();
    }
    try (var files = Files.list(built)) {
      assertEquals(1, files.count());
    }
  }

  @Test
  void key_changesWithTheModelAndEverySetting() throws IOException {
    Path model = folder.resolve("model.onnx");
    byte[] bytes = OnnxModels.ranker(OnnxModel.Type.INT64).bytes();
    Files.write(model, bytes);
    Set<String> keys = new HashSet<>();
    keys.add(PlanCache.key(model, List.of("a", "b")));
    assertFalse(keys.add(PlanCache.key(model, List.of("a", "b"))));
    Path copy = Files.write(folder.resolve("copy.onnx"), bytes);
    assertFalse(keys.add(PlanCache.key(copy, List.of("a", "b"))));
    for (List<String> other :
        List.of(
            List.of("a"),
            List.of("a", "c"),
            List.of("b", "a"),
            List.of("ab"),
            List.of("a", "b", ""),
            List.of("a\nb"),
            List.<String>of())) {
      assertTrue(keys.add(PlanCache.key(model, other)), other.toString());
    }
    bytes[bytes.length / 2] ^= 1; // a weight
    Files.write(model, bytes);
    assertTrue(keys.add(PlanCache.key(model, List.of("a", "b"))));
    assertTrue(keys.iterator().next().matches("[0-9a-f]{64}"));
  }

  /** Writes a message with one field that is a message again, or a string. */
  private static ByteString message(int field, ByteString value) throws IOException {
    ByteString.Output bytes = ByteString.newOutput();
    CodedOutputStream out = CodedOutputStream.newInstance(bytes);
    out.writeBytes(field, value);
    out.flush();
    return bytes.toByteString();
  }

  /** Writes a tensor that says where its values are. */
  private static ByteString tensor(String location) throws IOException {
    return message(
        13,
        message(1, ByteString.copyFromUtf8("location"))
            .concat(message(2, ByteString.copyFromUtf8(location))));
  }

  @Test
  void key_changesWithTheWeightsThatTheModelNames() throws IOException {
    String longName = "w".repeat(200) + ".bin";
    for (String name :
        new String[] {"weights.data", "below/w.bin", "gewichte \u00fc.bin", longName}) {
      ByteString initializer = message(5, tensor(name));
      ByteString constant = message(1, message(5, message(5, tensor(name))));
      ByteString branch = message(1, message(5, message(6, initializer)));
      for (ByteString graph : List.of(initializer, constant, branch)) {
        Path model = folder.resolve("model.onnx");
        Path weights = folder.resolve(name);
        Files.createDirectories(weights.getParent());
        Files.deleteIfExists(weights);
        Files.write(
            model, message(7, graph.concat(message(5, tensor("missing.bin")))).toByteArray());
        String without = PlanCache.key(model, List.of());
        Files.write(weights, new byte[] {1});
        String first = PlanCache.key(model, List.of());
        assertNotEquals(without, first);
        Files.write(weights, new byte[] {2});
        assertNotEquals(first, PlanCache.key(model, List.of()), name);
        Files.write(folder.resolve("other.data"), new byte[] {1});
        Files.write(weights, new byte[] {1});
        assertEquals(first, PlanCache.key(model, List.of()));
      }
    }
  }

  @Test
  void key_ofAModelWithANameThatIsNone_isMadeAllTheSame() throws IOException {
    Path model = folder.resolve("model.onnx");
    Files.write(model, message(7, message(5, tensor("a\0b"))).toByteArray());
    assertTrue(PlanCache.key(model, List.of()).matches("[0-9a-f]{64}"));
  }
}
