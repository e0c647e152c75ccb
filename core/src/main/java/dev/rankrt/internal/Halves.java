package dev.rankrt.internal;

import dev.rankrt.DataType;
import java.nio.ByteBuffer;

/**
 * Conversions between {@code float} and the 16-bit floats that some models' inputs and outputs
 * have. The Java platform has its own only since version 20.
 */
public final class Halves {
  private Halves() {}

  /** Returns whether a type is one of the 16-bit floats. */
  public static boolean isHalf(DataType type) {
    return type == DataType.FLOAT16 || type == DataType.BFLOAT16;
  }

  /** Converts floats to a 16-bit type, rounding to nearest, ties to even. */
  public static void toHalf(DataType type, ByteBuffer floats, ByteBuffer halves, int count) {
    boolean brain = type == DataType.BFLOAT16;
    for (int i = 0; i < count; i++) {
      float value = floats.getFloat(i * Float.BYTES);
      halves.putShort(i * Short.BYTES, brain ? toBfloat16(value) : toFloat16(value));
    }
  }

  /** Converts a 16-bit type to floats, exactly. */
  public static void toFloat(DataType type, ByteBuffer halves, ByteBuffer floats, int count) {
    boolean brain = type == DataType.BFLOAT16;
    for (int i = 0; i < count; i++) {
      short bits = halves.getShort(i * Short.BYTES);
      floats.putFloat(i * Float.BYTES, brain ? fromBfloat16(bits) : fromFloat16(bits));
    }
  }

  static float fromBfloat16(short bits) {
    return Float.intBitsToFloat(bits << 16);
  }

  static short toBfloat16(float value) {
    int bits = Float.floatToRawIntBits(value);
    if (Float.isNaN(value)) {
      return (short)
          (bits >>> 16 | 0x40); // quiet, so that cutting the mantissa cannot leave an infinity
    }
    return (short) ((bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16);
  }

  /** Half precision, IEEE 754: 1 bit of sign, 5 of exponent with a bias of 15, 10 of mantissa. */
  static float fromFloat16(short bits) {
    int sign = (bits & 0x8000) << 16;
    int exponent = (bits >>> 10) & 0x1f;
    int mantissa = bits & 0x3ff;
    if (exponent == 0x1f) {
      return Float.intBitsToFloat(sign | 0x7f800000 | (mantissa << 13));
    }
    if (exponent == 0) {
      float magnitude = mantissa * 0x1p-24f; // subnormal, exact in single precision
      return sign == 0 ? magnitude : -magnitude;
    }
    return Float.intBitsToFloat(sign | ((exponent + 127 - 15) << 23) | (mantissa << 13));
  }

  static short toFloat16(float value) {
    int bits = Float.floatToRawIntBits(value);
    int sign = (bits >>> 16) & 0x8000;
    float magnitude = Math.abs(value);
    if (Float.isNaN(value)) {
      return (short) (sign | 0x7e00);
    }
    if (magnitude >= 65520f) { // half a step above the largest half: rounds to infinity
      return (short) (sign | 0x7c00);
    }
    if (magnitude < 0x1p-14f) {
      // Subnormal: steps of 2^-24. Math.rint rounds ties to even, and 1024 steps are the smallest
      // normal number.
      return (short) (sign | (int) Math.rint(magnitude * 0x1p24f));
    }
    int rounded = (bits & 0x7fffffff) + 0xfff + ((bits >>> 13) & 1);
    return (short) (sign | ((rounded >>> 13) - ((127 - 15) << 10)));
  }
}
