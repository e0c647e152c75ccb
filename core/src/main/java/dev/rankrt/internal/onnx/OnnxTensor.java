package dev.rankrt.internal.onnx;

import dev.rankrt.internal.onnx.ProtoFile.Field;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;
import java.util.function.LongConsumer;
import java.util.stream.LongStream;

/**
 * A constant of a model, without its values. Immutable.
 *
 * @param dimensions none for a scalar
 */
record OnnxTensor(String name, List<Long> dimensions, long element, List<Field> values) {
  /** Indices, axes and shapes are few; more numbers than these are ids or weights. */
  private static final long MAX_BYTES = 1 << 23;

  static OnnxTensor read(ProtoFile file, Field tensor) throws IOException {
    String[] name = {""};
    long[] element = {0};
    LongStream.Builder dimensions = LongStream.builder();
    List<Field> values = new ArrayList<>();
    file.fields(
        tensor,
        field -> {
          switch ((int) field.number()) {
            case Onnx.TENSOR_DIMENSION -> file.numbers(field, dimensions);
            case Onnx.TENSOR_ELEMENT -> element[0] = field.value();
            case Onnx.TENSOR_NAME -> name[0] = file.text(field);
            case Onnx.TENSOR_RAW, Onnx.TENSOR_INT32, Onnx.TENSOR_INT64 -> values.add(field);
            default -> {
              // floats, and values in other files
            }
          }
        });
    return new OnnxTensor(
        name[0], dimensions.build().boxed().toList(), element[0], List.copyOf(values));
  }

  long[] shape() {
    return dimensions.stream().mapToLong(Long::longValue).toArray();
  }

  /** Returns the values of a list of whole numbers; null for anything else, and a very long one. */
  long[] wholeNumbers(ProtoFile file) throws IOException {
    boolean whole = element == Onnx.INT32 || element == Onnx.INT64;
    if (!whole
        || dimensions.size() > 1
        || values.stream().mapToLong(Field::length).sum() > MAX_BYTES) {
      return null;
    }
    LongStream.Builder read = LongStream.builder();
    for (Field field : values) {
      if (field.number() == Onnx.TENSOR_RAW) {
        raw(file, field, read);
      } else {
        file.numbers(field, read);
      }
    }
    long[] numbers = read.build().toArray();
    return numbers.length == (dimensions.isEmpty() ? 1 : dimensions.get(0)) ? numbers : null;
  }

  private void raw(ProtoFile file, Field field, LongConsumer numbers) throws IOException {
    ByteBuffer bytes = ByteBuffer.wrap(file.bytes(field)).order(ByteOrder.LITTLE_ENDIAN);
    int width = element == Onnx.INT32 ? Integer.BYTES : Long.BYTES;
    while (bytes.remaining() >= width) {
      numbers.accept(width == Long.BYTES ? bytes.getLong() : bytes.getInt());
    }
  }
}
