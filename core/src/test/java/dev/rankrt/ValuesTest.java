package dev.rankrt;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.rankrt.testing.FakeBackend;
import java.nio.FloatBuffer;
import java.nio.IntBuffer;
import java.nio.LongBuffer;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.function.Consumer;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;

/** Whatever form values come in, the same ones arrive in the model's memory, or none of them. */
class ValuesTest {
  private static final int MAX_BATCH = 9;

  /** Gives a test the only input of a session, whose memory keeps marks where nothing arrives. */
  private static void withInput(DataType type, int width, Consumer<InputTensor> test) {
    FakeBackend backend = new FakeBackend("fake", Device.Type.CPU);
    backend.inputs = List.of(new TensorSpec("x", type, Shape.of(Shape.BATCH, width)));
    EngineOptions options =
        EngineOptions.builder().device(Device.cpu()).maxBatch(MAX_BATCH).build();
    try (Engine engine = new Backends(List.of(backend)).open(FakeBackend.ANY_MODEL, options);
        Session session = engine.newSession()) {
      test.accept(session.input("x"));
    }
  }

  private static long[] idsIn(InputTensor input) {
    long[] ids = new long[MAX_BATCH * input.width()];
    for (int i = 0; i < ids.length; i++) {
      ids[i] = input.intMemory() != null ? input.intMemory().get(i) : input.longMemory().get(i);
    }
    return ids;
  }

  private static void mark(InputTensor input) {
    for (int i = 0; i < MAX_BATCH * input.width(); i++) {
      if (input.intMemory() != null) {
        input.intMemory().put(i, -7);
      } else {
        input.longMemory().put(i, -7);
      }
    }
  }

  @Property(tries = 300)
  void ids_inEveryForm_arriveAlike(
      @ForAll boolean wide,
      @ForAll @IntRange(min = 1, max = 6) int width,
      @ForAll @IntRange(min = 1, max = MAX_BATCH) int rows,
      @ForAll long seed) {
    int[] ids = new Random(seed).ints((long) rows * width).toArray();
    long[] longIds = Arrays.stream(ids).asLongStream().toArray();
    int[][] idRows = new int[rows][];
    long[][] longIdRows = new long[rows][];
    for (int row = 0; row < rows; row++) {
      idRows[row] = Arrays.copyOfRange(ids, row * width, (row + 1) * width);
      longIdRows[row] = Arrays.copyOfRange(longIds, row * width, (row + 1) * width);
    }
    IntBuffer buffer = IntBuffer.allocate(ids.length + 5).position(2).put(ids).flip().position(2);
    LongBuffer longBuffer =
        LongBuffer.allocate(ids.length + 5).position(3).put(longIds).flip().position(3);
    List<Consumer<InputTensor>> forms =
        List.of(
            input -> input.put(ids),
            input -> input.put(longIds),
            input -> input.put(idRows),
            input -> input.put(longIdRows),
            input -> input.put(buffer),
            input -> input.put(longBuffer),
            input -> input.put(buffer.asReadOnlyBuffer()),
            input -> input.put(longBuffer.asReadOnlyBuffer()));
    withInput(
        wide ? DataType.INT64 : DataType.INT32,
        width,
        input -> {
          long[] expected = new long[MAX_BATCH * width];
          Arrays.fill(expected, -7);
          System.arraycopy(longIds, 0, expected, 0, longIds.length);
          for (Consumer<InputTensor> form : forms) {
            mark(input);
            form.accept(input);
            assertArrayEquals(expected, idsIn(input));
          }
        });
  }

  @Property(tries = 300)
  void floats_inEveryForm_arriveAlike(
      @ForAll @IntRange(min = 1, max = 6) int width,
      @ForAll @IntRange(min = 1, max = MAX_BATCH) int rows,
      @ForAll long seed) {
    Random random = new Random(seed);
    float[] values = new float[rows * width];
    for (int i = 0; i < values.length; i++) {
      values[i] = Float.intBitsToFloat(random.nextInt() & 0xFF7FFFFF); // any but NaN and infinity
    }
    float[][] valueRows = new float[rows][];
    for (int row = 0; row < rows; row++) {
      valueRows[row] = Arrays.copyOfRange(values, row * width, (row + 1) * width);
    }
    FloatBuffer buffer =
        FloatBuffer.allocate(values.length + 5).position(4).put(values).flip().position(4);
    List<Consumer<InputTensor>> forms =
        List.of(
            input -> input.put(values),
            input -> input.put(valueRows),
            input -> input.put(buffer),
            input -> input.put(buffer.asReadOnlyBuffer()));
    withInput(
        DataType.FLOAT16,
        width,
        input -> {
          for (Consumer<InputTensor> form : forms) {
            for (int i = 0; i < MAX_BATCH * width; i++) {
              input.floatMemory().put(i, -7);
            }
            form.accept(input);
            float[] arrived = new float[values.length];
            input.floatMemory().get(0, arrived);
            assertArrayEquals(values, arrived);
            for (int i = values.length; i < MAX_BATCH * width; i++) {
              assertEquals(-7, input.floatMemory().get(i));
            }
          }
        });
  }

  @Property(tries = 300)
  void longIds_forAnInputOf32Bits_arriveWholeOrNotAtAll(
      @ForAll @IntRange(min = 1, max = 4) int width,
      @ForAll @IntRange(min = 0, max = 11) int place,
      @ForAll long id) {
    long[] ids = new long[12 / width * width];
    int at = place % ids.length;
    ids[at] = id;
    withInput(
        DataType.INT32,
        width,
        input -> {
          if (ids.length / width > MAX_BATCH) {
            assertThrows(IllegalArgumentException.class, () -> input.put(ids));
            return;
          }
          mark(input);
          if (id == (int) id) {
            input.put(ids);
            assertEquals(id, idsIn(input)[at]);
            return;
          }
          String message =
              assertThrows(IllegalArgumentException.class, () -> input.put(ids)).getMessage();
          assertEquals(
              "input 'x' INT32[batch, "
                  + width
                  + "]: id "
                  + id
                  + " in row "
                  + at / width
                  + ", column "
                  + at % width
                  + " does not fit the 32 bits of the model's ids",
              message);
          assertThrows(IllegalArgumentException.class, () -> input.put(LongBuffer.wrap(ids)));
          for (long untouched : idsIn(input)) {
            assertEquals(-7, untouched);
          }
        });
  }
}
