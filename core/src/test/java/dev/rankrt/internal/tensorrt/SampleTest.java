package dev.rankrt.internal.tensorrt;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.rankrt.DataType;
import dev.rankrt.EngineOptions;
import dev.rankrt.Precision;
import dev.rankrt.Shape;
import dev.rankrt.TensorSpec;
import java.nio.Buffer;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import java.nio.LongBuffer;
import java.util.List;
import org.junit.jupiter.api.Test;

class SampleTest {
  private static final TensorSpec DENSE =
      new TensorSpec("dense", DataType.FLOAT16, Shape.of(Shape.BATCH, 2));
  private static final TensorSpec IDS =
      new TensorSpec("ids", DataType.INT32, Shape.of(Shape.BATCH, 3));
  private static final TensorSpec ITEM =
      new TensorSpec("item", DataType.INT64, Shape.of(Shape.BATCH));
  private static final TensorSpec SCALE = new TensorSpec("scale", DataType.FLOAT32, Shape.of(2));
  private static final List<TensorSpec> INPUTS = List.of(DENSE, IDS, ITEM, SCALE);

  private static EngineOptions.Builder given() {
    return EngineOptions.builder()
        .sample("dense", new float[] {1, 2, 3, 4})
        .sample("ids", new int[] {1, 2, 3, 4, 5, 6})
        .sample("item", new long[] {7, 1L << 40})
        .sample("scale", new float[] {0.5f, 0.25f});
  }

  private static Sample of(EngineOptions.Builder options) {
    return Sample.of(INPUTS, 1, 64, options.build());
  }

  private static String refusal(EngineOptions.Builder options) {
    return assertThrows(IllegalArgumentException.class, () -> of(options)).getMessage();
  }

  private static ByteBuffer copied(Sample sample, int input, int start, int rows) {
    ByteBuffer memory = ByteBuffer.allocateDirect(64).order(ByteOrder.nativeOrder());
    sample.copyTo(input, INPUTS.get(input), start, rows, memory);
    return memory;
  }

  @Test
  void givenRows_areCopiedInTheTypesOfTheirInputs() {
    Sample sample = of(given());
    assertEquals(2, sample.rows());
    assertTrue(sample.given());
    assertEquals(4, copied(sample, 0, 0, 2).getFloat(12));
    assertEquals(3, copied(sample, 0, 1, 1).getFloat(0));
    assertEquals(4, copied(sample, 1, 1, 1).getInt(0));
    assertEquals(1L << 40, copied(sample, 2, 1, 1).getLong(0));
    assertEquals(0.25f, copied(sample, 3, 1, 1).getFloat(4), "no batch: whole, every time");
    assertEquals(0, copied(sample, 0, 0, 1).getFloat(8), "nothing behind the rows");
  }

  @Test
  void givenRows_thatDoNotFit_areRefusedWithTheInput() {
    assertTrue(refusal(EngineOptions.builder().sample("dense", new float[2])).contains("[dense]"));
    assertTrue(refusal(given().sample("no", new float[2])).contains("no"));
    assertTrue(
        refusal(given().sample("ids", new int[3]))
            .contains("'ids' INT32[batch, 3] has 3 values, 6 are 2 rows"));
    assertTrue(refusal(given().sample("dense", new float[0])).contains("'dense'"));
    assertTrue(refusal(given().sample("dense", new float[5])).contains("'dense'"));
    assertTrue(refusal(given().sample("scale", new float[3])).contains("'scale'"));
    assertTrue(refusal(given().sample("dense", new long[4])).contains("is of ids"));
    assertTrue(refusal(given().sample("ids", new float[6])).contains("is of floats"));
    assertTrue(
        refusal(given().sample("ids", new long[] {0, 0, 0, 0, 1L << 31, 0}))
            .contains("2147483648 at 4"));
    assertTrue(refusal(given().idRange("item", 0, 100)).contains("not 0 to 100"));
    assertThrows(IllegalArgumentException.class, () -> Sample.of(INPUTS, 4, 4, given().build()));
  }

  @Test
  void drawnRows_areWithinTheDeclaredRanges() {
    EngineOptions options =
        EngineOptions.builder()
            .idRange("ids", -5, Long.MAX_VALUE)
            .idRange("item", Long.MAX_VALUE - 3, Long.MAX_VALUE)
            .build();
    Sample sample = Sample.of(INPUTS, 1, 1024, options);
    assertEquals(256, sample.rows());
    assertFalse(sample.given());
    LongBuffer ids = (LongBuffer) sample.values().get(1);
    LongBuffer items = (LongBuffer) sample.values().get(2);
    assertEquals(3 * 256, ids.limit());
    assertEquals(2, ((FloatBuffer) sample.values().get(3)).limit());
    for (int i = 0; i < ids.limit(); i++) {
      assertTrue(ids.get(i) >= -5 && ids.get(i) <= Integer.MAX_VALUE, "" + ids.get(i));
    }
    for (int i = 0; i < items.limit(); i++) {
      assertTrue(items.get(i) >= Long.MAX_VALUE - 3);
    }
    LongBuffer small = (LongBuffer) of(EngineOptions.builder()).values().get(1);
    for (int i = 0; i < small.limit(); i++) {
      assertTrue(small.get(i) >= 0 && small.get(i) <= 9);
    }
    assertEquals(64, of(EngineOptions.builder()).rows(), "as many as the model takes");
    assertEquals(
        300, Sample.of(INPUTS, 300, 300, EngineOptions.defaults()).rows(), "a fixed batch");
  }

  @Test
  void drawnRows_areTheSameEachTime() {
    EngineOptions options = EngineOptions.builder().idRange("item", 3, 3).build();
    assertEquals(Sample.of(INPUTS, 1, 64, options), Sample.of(INPUTS, 1, 64, options));
    assertEquals(3, ((LongBuffer) Sample.of(INPUTS, 1, 64, options).values().get(2)).get(0));
  }

  @Test
  void key_changesWithEveryValueAndName() {
    String key = Sample.keyOf(given().build());
    assertEquals(key, Sample.keyOf(given().build()));
    assertNotEquals(key, Sample.keyOf(EngineOptions.defaults()));
    assertNotEquals(key, Sample.keyOf(given().sample("x", new float[1]).build()));
    assertNotEquals(key, Sample.keyOf(given().sample("item", new long[] {7, 8}).build()));
    assertNotEquals(key, Sample.keyOf(given().sample("dense", new float[] {1, 2, 3, 5}).build()));
    assertNotEquals(
        Sample.keyOf(EngineOptions.builder().sample("x", new float[1]).build()),
        Sample.keyOf(EngineOptions.builder().sample("x", new int[1]).build()));
  }

  @Test
  void options_keepTheirOwnSample() {
    float[] dense = {1, 2};
    EngineOptions options = EngineOptions.builder().sample("dense", dense).build();
    dense[0] = 9;
    Buffer first = options.sample().get("dense");
    first.position(2);
    FloatBuffer second = (FloatBuffer) options.sample().get("dense");
    assertEquals(0, second.position());
    assertEquals(1, second.get(0));
    assertTrue(second.isReadOnly());
    assertThrows(UnsupportedOperationException.class, () -> options.sample().clear());
  }

  @Test
  void pins_thatTheEngineCannotHonour_areRefused() {
    for (Precision engine : Precision.values()) {
      for (Precision pin : Precision.values()) {
        EngineOptions.Builder options =
            EngineOptions.builder().precision(engine).pin("/head/MatMul", pin);
        boolean low = engine == Precision.FP16 || engine == Precision.BF16;
        if (low && (pin == engine || pin == Precision.FP32)) {
          assertEquals(1, options.build().pins().size());
        } else {
          String refusal =
              assertThrows(IllegalArgumentException.class, options::build).getMessage();
          assertTrue(refusal.contains("'/head/MatMul' is pinned to " + pin), refusal);
          assertTrue(refusal.contains("engine of " + engine), refusal);
        }
      }
    }
  }
}
