package dev.rankrt;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.rankrt.EngineOptions.IdRange;
import dev.rankrt.EngineOptions.PerformanceHint;
import dev.rankrt.streams.AffinityPolicy;
import dev.rankrt.streams.WaitPolicy;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** What describes engines: devices, options, tensors, types. */
class DescriptionsTest {
  @Property
  void device_withANegativeOrdinal_isRefused(
      @ForAll @IntRange(min = Integer.MIN_VALUE, max = -1) int ordinal) {
    String message =
        assertThrows(IllegalArgumentException.class, () -> Device.gpu(ordinal)).getMessage();
    assertEquals("no such device: GPU " + ordinal, message);
  }

  @Test
  void device_hasAShortName() {
    assertEquals("auto", Device.auto().toString());
    assertEquals("gpu:3", Device.gpu(3).toString());
    assertEquals("cpu", Device.cpu().toString());
    assertEquals(Device.gpu(3), new Device(Device.Type.GPU, 3));
  }

  @Test
  void device_thatCannotBe_isRefused() {
    assertThrows(IllegalArgumentException.class, () -> new Device(Device.Type.CPU, 1));
    assertThrows(IllegalArgumentException.class, () -> new Device(Device.Type.AUTO, 1));
    assertThrows(NullPointerException.class, () -> new Device(null, 0));
  }

  @Test
  void options_leftAlone_areTheDefaults() {
    EngineOptions options = EngineOptions.builder().build();
    assertEquals(Device.auto(), options.device());
    assertEquals(Precision.FP32, options.precision());
    assertEquals(1024, options.maxBatch());
    assertTrue(options.padding());
    assertEquals(Runtime.getRuntime().availableProcessors(), options.cpuThreads());
    assertEquals(Optional.empty(), options.idRange("ids"));
    assertEquals(Optional.empty(), options.performanceHint());
    assertEquals(EngineOptions.defaults().toString(), options.toString());
    assertEquals(options.toString(), options.toBuilder().build().toString());
    assertSame(EngineOptions.defaults(), EngineOptions.defaults());
  }

  @Test
  void sharedColumns_inAnyOrder_areSortedAndJoined() {
    EngineOptions.Builder builder = EngineOptions.builder();
    builder.shared("ids", 6, 8).shared("ids", 0, 2).shared("ids", 1, 4).shared("ids", 4, 5);
    assertEquals("{ids=[0 to 4, 6 to 7]}", builder.build().shared().toString());
    builder.shared("ids").shared("ids", 9, 10).idRange("ids", 0, 9);
    assertEquals("{ids=[]}", builder.build().shared().toString());
    assertThrows(IllegalArgumentException.class, () -> builder.shared("ids", -1, 2));
    assertThrows(IllegalArgumentException.class, () -> builder.shared("ids", 2, 2));
    assertThrows(UnsupportedOperationException.class, () -> builder.build().shared().remove("ids"));
  }

  @Test
  void options_set_areKeptWhateverTheBuilderDoesNext() {
    EngineOptions.Builder builder =
        EngineOptions.builder()
            .device(Device.gpu(1))
            .precision(Precision.BF16)
            .maxBatch(7)
            .padding(false)
            .cpuThreads(2)
            .idRange("ids", 1, 9)
            .optimizeFor(1, 7)
            .builderLevel(5)
            .workspaceBytes(1 << 20)
            .pin("/head/Sigmoid", Precision.BF16)
            .planCache(Path.of("plans"))
            .timingCache(Path.of("timings"))
            .sample("ids", new int[] {1, 2})
            .shared("ids", 0, 2)
            .waitPolicy(WaitPolicy.SPIN)
            .streamPriority(-1)
            .affinity(AffinityPolicy.none())
            .buildListener(step -> {})
            .performanceHint(PerformanceHint.THROUGHPUT);
    EngineOptions options = builder.build();
    builder.maxBatch(8).idRange("ids", 0, 0).idRange("item", 0, 0).shared("ids");
    assertEquals(
        "EngineOptions[device=gpu:1, precision=BF16, maxBatch=7, padding=false, cpuThreads=2, idRanges={ids=1 to 9},"
            + " optimizeFor=[1, 7], builderLevel=5, workspaceBytes=1048576, pins={/head/Sigmoid=BF16},"
            + " planCache=plans, timingCache=timings, sample of [ids], shared={ids=[0 to 1]}, waitPolicy=SPIN,"
            + " streamPriority=-1, affinity=anywhere, performanceHint=THROUGHPUT]",
        options.toString());
    EngineOptions same = options.toBuilder().build();
    assertEquals(options.toString(), same.toString());
    assertEquals(options.buildListener(), same.buildListener());
    assertEquals(options.sample(), same.sample());
    options.toBuilder().maxBatch(8).idRange("ids", 0, 0).shared("ids", 2, 3);
    assertEquals(7, options.maxBatch());
    assertEquals("{ids=[0 to 1]}", options.shared().toString());
    assertEquals(Optional.of(new IdRange(1, 9)), options.idRange("ids"));
    assertEquals(Set.of("ids"), options.idRanges().keySet());
    assertThrows(UnsupportedOperationException.class, () -> options.idRanges().clear());
  }

  @Property
  void options_belowOne_areRefusedByName(
      @ForAll @IntRange(min = Integer.MIN_VALUE, max = 0) int value) {
    EngineOptions.Builder builder = EngineOptions.builder();
    assertEquals(
        "maxBatch must be at least 1: " + value,
        assertThrows(IllegalArgumentException.class, () -> builder.maxBatch(value)).getMessage());
    assertEquals(
        "cpuThreads must be at least 1: " + value,
        assertThrows(IllegalArgumentException.class, () -> builder.cpuThreads(value)).getMessage());
  }

  @Property
  void threads_moreThanAnyMachineRunsAtOnce_areRefusedByName(
      @ForAll @IntRange(min = 1025, max = Integer.MAX_VALUE) int value) {
    EngineOptions.Builder builder = EngineOptions.builder();
    assertEquals(
        "cpuThreads must be at most 1024: " + value,
        assertThrows(IllegalArgumentException.class, () -> builder.cpuThreads(value)).getMessage());
  }

  @Test
  void options_ofNull_areRefusedByName() {
    EngineOptions.Builder builder = EngineOptions.builder();
    assertEquals(
        "device",
        assertThrows(NullPointerException.class, () -> builder.device(null)).getMessage());
    assertEquals(
        "precision",
        assertThrows(NullPointerException.class, () -> builder.precision(null)).getMessage());
    assertEquals(
        "input",
        assertThrows(NullPointerException.class, () -> builder.idRange(null, 0, 1)).getMessage());
  }

  @Property
  void idRange_isRefusedWhereItIsEmpty(@ForAll long min, @ForAll long max) {
    if (min > max) {
      assertEquals(
          "empty id range: " + min + " to " + max,
          assertThrows(IllegalArgumentException.class, () -> new IdRange(min, max)).getMessage());
    } else {
      assertEquals(min + " to " + max, new IdRange(min, max).toString());
    }
  }

  @Test
  void tensor_tellsNameTypeAndShape() {
    TensorSpec spec = new TensorSpec("ids", DataType.INT64, Shape.of(Shape.BATCH, 32));
    assertEquals("'ids' INT64[batch, 32]", spec.toString());
    assertThrows(
        NullPointerException.class, () -> new TensorSpec(null, DataType.INT32, Shape.of()));
    assertThrows(NullPointerException.class, () -> new TensorSpec("x", null, Shape.of()));
    assertThrows(NullPointerException.class, () -> new TensorSpec("x", DataType.INT32, null));
  }

  @ParameterizedTest
  @EnumSource
  void type_ofFloats_isAFloatOnTheHost(DataType type) {
    assertEquals(type.name().contains("FLOAT"), type.isFloat());
    assertEquals(type.isFloat() ? Float.BYTES : type.bytes(), type.hostBytes());
  }

  @Test
  void rankerOptions_setAndLeftAlone_sayWhatTheyAre() {
    RankerOptions defaults = RankerOptions.defaults();
    assertEquals(
        "RankerOptions[devices=[], workers=default, queueCapacity=default, deadline=none,"
            + " batchingWindow=PT0S, gentleSwaps=true]",
        defaults.toString());
    assertTrue(defaults.workers().isEmpty() && defaults.queueCapacity().isEmpty());
    assertTrue(defaults.deadline().isEmpty() && defaults.listener().isEmpty());
    RankerOptions.Builder builder =
        RankerOptions.builder()
            .devices(Device.gpu(0), Device.gpu(1))
            .workers(3)
            .queueCapacity(100)
            .deadline(Duration.ofMillis(10))
            .batchingWindow(Duration.ofNanos(20_000))
            .gentleSwaps(false);
    RankerOptions options = builder.build();
    builder.workers(1).devices(Device.cpu());
    assertEquals(
        "RankerOptions[devices=[gpu:0, gpu:1], workers=3, queueCapacity=100, deadline=PT0.01S,"
            + " batchingWindow=PT0.00002S, gentleSwaps=false]",
        options.toString());
  }

  @Test
  void rankerOptions_thatCannotBe_areRefusedByName() {
    RankerOptions.Builder builder = RankerOptions.builder();
    List<Executable> refused =
        List.of(
            () -> builder.workers(0),
            () -> builder.workers(1025),
            () -> builder.queueCapacity(0),
            () -> builder.deadline(Duration.ZERO),
            () -> builder.batchingWindow(Duration.ofNanos(-1)),
            () -> builder.batchingWindow(Duration.ofSeconds(2)),
            () -> builder.devices(),
            () -> builder.devices(Device.gpu(1), Device.gpu(1)),
            () -> builder.devices(Device.auto(), Device.gpu(0)));
    List<String> words =
        List.of(
            "workers",
            "workers",
            "queueCapacity",
            "deadline",
            "batchingWindow",
            "batchingWindow",
            "devices",
            "devices",
            "auto");
    for (int i = 0; i < refused.size(); i++) {
      String message = assertThrows(IllegalArgumentException.class, refused.get(i)).getMessage();
      assertTrue(message.startsWith(words.get(i)), message);
    }
  }
}
