package dev.rankrt.internal.tensorrt;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.rankrt.EngineOptions;
import dev.rankrt.ModelException;
import dev.rankrt.natives.RankRtException;
import dev.rankrt.testing.OnnxModel;
import dev.rankrt.testing.OnnxModels;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.Random;
import java.util.concurrent.atomic.AtomicInteger;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.Size;
import net.jqwik.api.constraints.StringLength;
import org.bytedeco.javacpp.BytePointer;
import org.bytedeco.javacpp.Pointer;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;
import org.junit.jupiter.api.io.TempDir;

class PlanTest {
  @TempDir Path folder;

  @AfterEach
  void everyPlanIsClosed() {
    assertEquals(0, Plans.OPEN.get());
  }

  private static byte[] noise(int length) {
    byte[] bytes = new byte[length];
    new Random(length).nextBytes(bytes);
    return bytes;
  }

  private Path written(byte[] content, String... header) throws IOException {
    Path file = folder.resolve("ranker.plan");
    try (Plan plan = Plans.of(content, header)) {
      plan.write(file);
    }
    return file;
  }

  private static String refusal(Path file) {
    return assertThrows(ModelException.class, () -> Plan.read(file).close()).getMessage();
  }

  @Test
  void plan_writtenAndRead_isTheSame() throws IOException {
    for (int length : new int[] {0, 1, 1000, (1 << 26) + 1}) {
      byte[] content = noise(length);
      Path file = written(content, Plan.TENSORRT, "10.6.0", Plan.GPU, "NVIDIA H200");
      assertEquals(Plan.Kind.RANKRT_PLAN, Plan.kindOf(file));
      try (Plan plan = Plan.read(file)) {
        assertEquals(length, plan.size());
        assertArrayEquals(content, Plans.contentOf(plan));
        assertEquals("10.6.0", plan.header().getProperty(Plan.TENSORRT));
        assertEquals("NVIDIA H200", plan.header().getProperty(Plan.GPU));
      }
    }
  }

  @Property(tries = 200)
  void header_ofAnyText_comesBack(
      @ForAll @Size(max = 5)
          Map<@StringLength(max = 20) String, @StringLength(max = 50) String> text)
      throws IOException {
    Path file = Files.createTempFile("rankrt", ".plan");
    try (Plan plan = Plans.of(noise(10), "format", Plan.FORMAT)) {
      Map<String, String> expected = new HashMap<>(text);
      // A lone half of a surrogate pair is no text that a file can hold.
      expected.values().removeIf(PlanTest::isNoText);
      expected.keySet().removeIf(PlanTest::isNoText);
      expected.put("format", Plan.FORMAT);
      plan.header().putAll(expected);
      plan.write(file);
      try (Plan read = Plan.read(file)) {
        assertEquals(expected, new HashMap<Object, Object>(read.header()));
      }
    } finally {
      Files.delete(file);
    }
  }

  private static boolean isNoText(String text) {
    return !StandardCharsets.UTF_8.newEncoder().canEncode(text);
  }

  @Test
  void samePlan_writtenTwice_givesTheSameBytes() throws IOException {
    byte[] first = Files.readAllBytes(written(noise(10), "a", "1", "b", "2"));
    assertArrayEquals(first, Files.readAllBytes(written(noise(10), "a", "1", "b", "2")));
  }

  @Test
  void shorterPlan_replacesALongerOneWhole() throws IOException {
    written(noise(1000));
    try (Plan plan = Plan.read(written(noise(5)))) {
      assertEquals(5, plan.size());
    }
  }

  @Test
  void everyFlippedBit_isRefusedWithTheFilesName() throws IOException {
    Path file = written(noise(40), Plan.TENSORRT, "10.6.0", Plan.GPU, "a\u00fc\u4e2d");
    byte[] bytes = Files.readAllBytes(file);
    for (int bit = 0; bit < bytes.length * 8; bit++) {
      byte[] damaged = bytes.clone();
      damaged[bit / 8] ^= (byte) (1 << bit % 8);
      Files.write(file, damaged);
      String refusal = refusal(file);
      assertTrue(refusal.contains(file.toString()), bit + ": " + refusal);
      assertTrue(bit < 64 || !refusal.contains("version"), bit + ": " + refusal);
    }
  }

  @Test
  void everyTruncation_isRefusedWithTheFilesName() throws IOException {
    Path file = written(noise(40), Plan.TENSORRT, "10.6.0");
    byte[] bytes = Files.readAllBytes(file);
    for (int length = 0; length < bytes.length; length++) {
      Files.write(file, Arrays.copyOf(bytes, length));
      String refusal = refusal(file);
      assertTrue(refusal.contains(file.toString()), length + ": " + refusal);
      assertTrue(refusal.contains("damaged"), length + ": " + refusal);
    }
  }

  @Test
  void bytesBehindAPlan_areRefused() throws IOException {
    Path file = written(noise(40));
    byte[] bytes = Files.readAllBytes(file);
    Files.write(file, Arrays.copyOf(bytes, bytes.length + 1));
    String refusal = refusal(file);
    assertTrue(refusal.contains("should have 40 bytes and has 41"), refusal);
  }

  @Test
  void headerOfImpossibleLength_isRefusedBeforeItIsRead() throws IOException {
    Path file = written(noise(40));
    byte[] bytes = Files.readAllBytes(file);
    for (int length : new int[] {-1, Integer.MIN_VALUE, (1 << 20) + 1, Integer.MAX_VALUE}) {
      ByteBuffer.wrap(bytes).putInt(8, length);
      Files.write(file, bytes);
      assertTrue(refusal(file).contains("is no plan of RankRT's"), "" + length);
    }
  }

  @Test
  void randomBytesBehindTheBeginning_areRefused() throws IOException {
    Path file = folder.resolve("noise.plan");
    for (int i = 0; i < 500; i++) {
      byte[] bytes = noise(100 + i);
      System.arraycopy("RankRT\r\n\0\0".getBytes(StandardCharsets.US_ASCII), 0, bytes, 0, 10);
      Files.write(file, bytes);
      assertTrue(refusal(file).contains(file.toString()));
    }
  }

  @Test
  void planOfAnotherVersion_isRefusedWithBoth() throws IOException {
    Path file = written(noise(40));
    byte[] bytes = Files.readAllBytes(file);
    // What another version would write: its own format, under a checksum that fits.
    byte[] text = "format=99\n".getBytes(StandardCharsets.UTF_8);
    byte[] body = Arrays.copyOfRange(bytes, bytes.length - 40, bytes.length);
    var digest = Plan.sha256();
    digest.update(text);
    digest.update(body);
    ByteBuffer other = ByteBuffer.allocate(12 + text.length + 40 + 40);
    other.put(bytes, 0, 8).putInt(text.length).put(text).putLong(40).put(digest.digest()).put(body);
    Files.write(file, other.array());
    String refusal = refusal(file);
    assertTrue(refusal.contains("its format is 99, here it is " + Plan.FORMAT), refusal);
    assertTrue(refusal.contains(file.toString()), refusal);
  }

  @Test
  void kinds_areToldByTheBeginning() throws IOException {
    Path file = folder.resolve("model");
    Files.write(file, "ftrt and more".getBytes(StandardCharsets.US_ASCII));
    assertEquals(Plan.Kind.TENSORRT_PLAN, Plan.kindOf(file));
    Files.write(file, "ftrt".getBytes(StandardCharsets.US_ASCII));
    assertEquals(Plan.Kind.TENSORRT_PLAN, Plan.kindOf(file));
    for (String other : new String[] {"", "f", "ftr", "RankRT\r", "RankRT\n\n", "something"}) {
      Files.write(file, other.getBytes(StandardCharsets.US_ASCII));
      assertEquals(Plan.Kind.OTHER, Plan.kindOf(file), other);
    }
    Files.write(file, OnnxModels.ranker(OnnxModel.Type.INT64).bytes());
    assertEquals(Plan.Kind.OTHER, Plan.kindOf(file));
    Path missing = folder.resolve("missing");
    ModelException refusal = assertThrows(ModelException.class, () -> Plan.kindOf(missing));
    assertTrue(refusal.getMessage().contains(missing.toString()));
  }

  @Test
  void planOfAnotherTool_isReadAsItIs() throws IOException {
    Path file = Files.write(folder.resolve("bare.plan"), noise(1000));
    try (Plan plan = Plan.readForeign(file)) {
      assertArrayEquals(noise(1000), Plans.contentOf(plan));
      assertTrue(plan.header().isEmpty());
    }
    Path missing = folder.resolve("missing");
    assertTrue(
        assertThrows(ModelException.class, () -> Plan.readForeign(missing))
            .getMessage()
            .contains(missing.toString()));
    assertTrue(refusal(missing).contains(missing.toString()));
  }

  @Test
  void closing_freesOnceAndEndsTheMemory() throws IOException {
    AtomicInteger freed = new AtomicInteger();
    Plan plan = new Plan(new Properties(), new Pointer(), 0, freed::incrementAndGet);
    plan.close();
    plan.close();
    assertEquals(1, freed.get());
    assertEquals(
        "the plan is closed", assertThrows(IllegalStateException.class, plan::data).getMessage());
    Plan read = Plan.read(written(noise(10)));
    read.close();
    read.close();
    assertThrows(IllegalStateException.class, () -> read.write(folder.resolve("other.plan")));
  }

  @Test
  void interrupt_isNoDamageAndIsKept() throws IOException {
    Path file = written(noise(10));
    Thread.currentThread().interrupt();
    RankRtException refusal;
    try {
      refusal = assertThrows(RankRtException.class, () -> Plan.read(file));
    } finally {
      assertTrue(Thread.interrupted());
    }
    assertNotEquals(ModelException.class, refusal.getClass());
    assertTrue(refusal.getMessage().contains("interrupted"));
  }

  @Test
  void plan_thatCannotBeWritten_saysSo() {
    try (Plan plan = Plans.of(noise(10))) {
      assertThrows(IOException.class, () -> plan.write(folder.resolve("no/such/folder.plan")));
      assertThrows(IOException.class, () -> plan.write(Path.of("/dev/full")));
    }
  }

  @Test
  void pieces_beyondTwoGibibytes_areTheRightOnes() throws IOException {
    long size = (1L << 31) + 100;
    Pointer memory = Pointer.malloc(size); // pages that nobody writes take no memory
    try {
      BytePointer bytes = new BytePointer(memory);
      bytes.put(size - 1, (byte) 7);
      bytes.put((1L << 31) - 1, (byte) 5);
      long[] seen = new long[2];
      NativeFile.forEachPiece(
          memory,
          size,
          piece -> {
            seen[0] += piece.remaining();
            seen[1] = seen[1] * 10 + piece.get(piece.limit() - 1);
          });
      assertEquals(size, seen[0]);
      assertEquals(57, seen[1] % 100);
    } finally {
      Pointer.free(memory);
    }
  }

  @Test
  void reader_thatFails_freesWhatWasRead() throws IOException {
    Path file = written(noise(10));
    try (var channel = java.nio.channels.FileChannel.open(file)) {
      assertThrows(
          UncheckedIOException.class,
          () ->
              NativeFile.read(
                  channel,
                  5,
                  piece -> {
                    throw new UncheckedIOException(new IOException("stop"));
                  }));
      assertThrows(IOException.class, () -> NativeFile.read(channel, 1 << 20, piece -> {}));
    }
  }

  @Test
  void plan_thatSharesOtherInputsThanAskedFor_isRefused() {
    EngineOptions none = EngineOptions.defaults();
    EngineOptions asked =
        EngineOptions.builder()
            .shared("ids")
            .shared("dense", 0, 48)
            .shared("dense", 50, 51)
            .build();
    assertEquals("{dense=[0 to 47, 50], ids=[]}", asked.shared().toString());
    try (Plan plan = Plans.of(noise(10), Plan.SHARED, asked.shared().toString());
        Plan without = Plans.of(noise(10))) {
      plan.requireShared("ranker.plan", asked);
      without.requireShared("ranker.plan", none);
      for (boolean shares : new boolean[] {true, false}) {
        String message =
            assertThrows(
                    ModelException.class,
                    () ->
                        (shares ? plan : without)
                            .requireShared("ranker.plan", shares ? none : asked))
                .getMessage();
        assertTrue(message.contains("ranker.plan"), message);
        assertTrue(message.contains("[0 to 47, 50]"), message);
        assertTrue(message.contains("{}"), message);
      }
    }
  }

  @Test
  void file_readOnAnInterruptedThread_isNotRefusedForIt() throws IOException {
    Path file = Files.write(folder.resolve("model.onnx"), new byte[] {58, 0});
    for (Executable reading :
        List.<Executable>of(
            () -> Plan.kindOf(file),
            () -> Plan.readForeign(file),
            () -> PlanCache.key(file, List.of()))) {
      Thread.currentThread().interrupt();
      RankRtException failure;
      try {
        failure = assertThrows(RankRtException.class, reading);
      } finally {
        assertTrue(Thread.interrupted());
      }
      assertEquals(RankRtException.class, failure.getClass(), failure.getMessage());
    }
  }
}
