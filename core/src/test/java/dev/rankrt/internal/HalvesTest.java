package dev.rankrt.internal;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import ai.onnxruntime.platform.Fp16Conversions;
import dev.rankrt.DataType;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class HalvesTest {
  private static final int HALF_SIGN = 0x8000;
  private static final int HALF_INFINITY = 0x7c00;

  @Test
  void float16_everyValue_comesBack() {
    for (int bits = 0; bits <= 0xffff; bits++) {
      float value = Halves.fromFloat16((short) bits);
      short back = Halves.toFloat16(value);
      if ((bits & ~HALF_SIGN) > HALF_INFINITY) {
        assertTrue(Float.isNaN(value) && Float.isNaN(Halves.fromFloat16(back)), "" + bits);
      } else {
        assertEquals((short) bits, back);
      }
    }
  }

  @Test
  void bfloat16_everyValue_comesBack() {
    for (int bits = 0; bits <= 0xffff; bits++) {
      float value = Halves.fromBfloat16((short) bits);
      short back = Halves.toBfloat16(value);
      if (Float.isNaN(value)) {
        assertTrue(Float.isNaN(Halves.fromBfloat16(back)), "" + bits);
      } else {
        assertEquals((short) bits, back);
      }
    }
  }

  @Test
  void float16_everyValue_isWhatOthersMakeOfIt() {
    for (int bits = 0; bits <= 0xffff; bits++) {
      float expected = Fp16Conversions.fp16ToFloat((short) bits);
      float actual = Halves.fromFloat16((short) bits);
      assertEquals(Float.isNaN(expected) ? Float.NaN : expected, actual);
    }
  }

  /** Rounds by its definition: the nearest of all values, and of two the even one. */
  private static int nearestHalf(double value) {
    int low = 0; // magnitudes grow with their bits
    int high = HALF_INFINITY;
    double magnitude = Math.abs(value);
    while (high - low > 1) {
      int middle = (low + high) / 2;
      if (Halves.fromFloat16((short) middle) <= magnitude) {
        low = middle;
      } else {
        high = middle;
      }
    }
    // The one behind the largest is where infinity begins, as if exponents went on.
    double above = high == HALF_INFINITY ? 65536 : Halves.fromFloat16((short) high);
    double down = magnitude - Halves.fromFloat16((short) low);
    double up = above - magnitude;
    int nearest = down < up || (down == up && low % 2 == 0) ? low : high;
    return nearest | (Math.copySign(1, value) < 0 ? HALF_SIGN : 0);
  }

  @Property(tries = 20_000)
  void float16_ofAnyBits_isTheNearest(@ForAll int bits) {
    float value = Float.intBitsToFloat(bits);
    if (!Float.isNaN(value)) {
      assertEquals((short) nearestHalf(value), Halves.toFloat16(value), Float.toHexString(value));
    }
  }

  @Test
  void float16_betweenAnyTwo_goesToTheNearestAndTiesToTheEven() {
    for (int bits = 0; bits < HALF_INFINITY - 1; bits++) {
      float low = Halves.fromFloat16((short) bits);
      float tie = (low + Halves.fromFloat16((short) (bits + 1))) / 2; // exact in single precision
      assertEquals((short) bits, Halves.toFloat16(Math.nextDown(tie)));
      assertEquals((short) (bits + bits % 2), Halves.toFloat16(tie));
      assertEquals((short) (bits + 1), Halves.toFloat16(Math.nextUp(tie)));
    }
  }

  @Property(tries = 20_000)
  void bfloat16_ofAnyBits_isTheNearest(@ForAll int bits) {
    float value = Float.intBitsToFloat(bits);
    if (Float.isNaN(value)) {
      assertTrue(Float.isNaN(Halves.fromBfloat16(Halves.toBfloat16(value))));
      return;
    }
    int cut = bits >>> 16;
    int rest = bits & 0xffff;
    boolean up = rest > 0x8000 || (rest == 0x8000 && cut % 2 == 1);
    assertEquals((short) (up ? cut + 1 : cut), Halves.toBfloat16(value));
  }

  @ParameterizedTest
  @CsvSource({
    "65504, 65504",
    "65519, 65504",
    "65519.996, 65504",
    "65520, Infinity",
    "-65520, -Infinity",
    "3.4e38, Infinity",
    "Infinity, Infinity",
    "-Infinity, -Infinity",
    "0, 0",
    "-0.0, -0.0",
    "5.9604645e-8, 5.9604645e-8",
    "2.9802322e-8, 0",
    "2.9802326e-8, 5.9604645e-8",
    "-2.9802322e-8, -0.0",
    "6.1035156e-5, 6.1035156e-5",
    "6.1005354e-5, 6.1035156e-5",
    "NaN, NaN"
  })
  void float16_atItsLimits_rounds(float value, float expected) {
    assertEquals(expected, Halves.fromFloat16(Halves.toFloat16(value)));
  }

  @Test
  void buffers_areConvertedUpToTheCountAndNoFurther() {
    for (DataType type : new DataType[] {DataType.FLOAT16, DataType.BFLOAT16}) {
      ByteBuffer floats = ByteBuffer.allocate(12).order(ByteOrder.nativeOrder());
      floats.putFloat(0, 1.5f).putFloat(4, -2).putFloat(8, 7);
      ByteBuffer halves = ByteBuffer.allocate(6).order(ByteOrder.nativeOrder());
      Halves.toHalf(type, floats, halves, 2);
      assertEquals(0, halves.getShort(4));
      ByteBuffer back = ByteBuffer.allocate(12).order(ByteOrder.nativeOrder());
      Halves.toFloat(type, halves, back, 2);
      assertEquals(1.5f, back.getFloat(0));
      assertEquals(-2f, back.getFloat(4));
      assertEquals(0f, back.getFloat(8));
    }
  }

  @Test
  void isHalf_isTrueOfTheTwoTypes() {
    for (DataType type : DataType.values()) {
      assertEquals(type.bytes() == 2, Halves.isHalf(type), type.toString());
    }
  }
}
