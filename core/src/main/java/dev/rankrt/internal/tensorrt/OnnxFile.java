package dev.rankrt.internal.tensorrt;

import dev.rankrt.ModelException;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.file.Path;

/**
 * Tells a file that is not a whole ONNX model from one that is, without TensorRT: that would take
 * seconds to say so, and what is left of a model that ends early can look like another one.
 *
 * <p>An ONNX file is one message of Protocol Buffers: fields, each a tag with a number and a wire
 * type, and a value. Only the outermost fields are looked at; the model itself is one of them.
 */
final class OnnxFile {
  private static final int IR_VERSION = 1;
  private static final int GRAPH = 7;
  private static final int OPSET_IMPORT = 8;

  private static final int VARINT = 0;
  private static final int FIXED_64 = 1;
  private static final int LENGTH_DELIMITED = 2;
  private static final int FIXED_32 = 5;

  private OnnxFile() {}

  /**
   * Checks a file.
   *
   * @throws ModelException if it is no ONNX model, or only the beginning of one
   */
  static void requireWhole(Path model) {
    try (RandomAccessFile file = new RandomAccessFile(model.toFile(), "r")) {
      boolean[] found = new boolean[OPSET_IMPORT + 1];
      while (file.getFilePointer() < file.length()) {
        long tag = varint(file);
        long field = tag >>> 3;
        if (field == 0) {
          throw refused(model, "it has a field without a number");
        }
        long length =
            switch ((int) (tag & 7)) {
              case VARINT -> {
                varint(file);
                yield 0;
              }
              case FIXED_64 -> Long.BYTES;
              case LENGTH_DELIMITED -> varint(file);
              case FIXED_32 -> Integer.BYTES;
              default -> throw refused(model, "it has a field of no known kind");
            };
        long left = file.length() - file.getFilePointer();
        if (length < 0 || length > left) {
          throw refused(
              model,
              "field " + field + " should have " + length + " bytes and " + left + " are left");
        }
        file.seek(file.getFilePointer() + length);
        if (field < found.length) {
          found[(int) field] = field != GRAPH || length > 0;
        }
      }
      if (!found[IR_VERSION] || !found[GRAPH] || !found[OPSET_IMPORT]) {
        throw refused(model, "it has no graph, or not the versions that go with one");
      }
    } catch (IOException e) {
      throw refused(model, e.getMessage());
    }
  }

  private static long varint(RandomAccessFile file) throws IOException {
    long value = 0;
    for (int shift = 0; shift < Long.SIZE; shift += 7) {
      int next = file.read();
      if (next < 0) {
        throw new IOException("it ends within a number");
      }
      value |= (long) (next & 0x7f) << shift;
      if (next < 0x80) {
        return value;
      }
    }
    throw new IOException("it has a number that is too long");
  }

  private static ModelException refused(Path model, String why) {
    return new ModelException(
        model.toAbsolutePath()
            + " is no ONNX model, or only a part of one: "
            + why
            + "; export or copy it again");
  }
}
