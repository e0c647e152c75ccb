package dev.rankrt.examples.bench;

import com.google.protobuf.ByteString;
import com.google.protobuf.CodedOutputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;

/**
 * Writes an ONNX model: the few fields of {@code onnx.proto} that a {@link Dlrm} needs, by their
 * numbers there. One thread at a time.
 */
final class OnnxWriter {
  static final int FLOAT = 1;
  static final int INT64 = 7;

  private static final int IR_VERSION = 8;
  private static final int OPSET = 17;
  private static final int ATTRIBUTE_INTEGER = 2;
  private static final int ATTRIBUTE_INTEGERS = 7;

  private final List<ByteString> nodes = new ArrayList<>();
  private final List<ByteString> constants = new ArrayList<>();
  private final List<ByteString> inputs = new ArrayList<>();
  private final List<ByteString> outputs = new ArrayList<>();

  /** Writes the fields of one message. */
  private interface Fields {
    void write(CodedOutputStream out) throws IOException;
  }

  void input(String name, int type, int width) {
    inputs.add(value(name, type, width));
  }

  void output(String name, int type, int width) {
    outputs.add(value(name, type, width));
  }

  /** Returns an attribute of a node. */
  static ByteString attribute(String name, long value) {
    return message(
        out -> {
          out.writeString(1, name);
          out.writeInt64(3, value);
          out.writeEnum(20, ATTRIBUTE_INTEGER);
        });
  }

  /** Returns an attribute of a node. */
  static ByteString attribute(String name, long[] values) {
    return message(
        out -> {
          out.writeString(1, name);
          for (long value : values) {
            out.writeInt64(8, value);
          }
          out.writeEnum(20, ATTRIBUTE_INTEGERS);
        });
  }

  /** Adds an operator, and returns its output's name. */
  String node(String operator, List<String> inputs, String output, ByteString... attributes) {
    nodes.add(
        message(
            out -> {
              for (String input : inputs) {
                out.writeString(1, input);
              }
              out.writeString(2, output);
              out.writeString(3, output);
              out.writeString(4, operator);
              for (ByteString attribute : attributes) {
                out.writeBytes(5, attribute);
              }
            }));
    return output;
  }

  /** Adds a constant, and returns its name. */
  String constant(String name, float[] values, int... dimensions) {
    ByteBuffer raw = littleEndian(values.length * Float.BYTES);
    raw.asFloatBuffer().put(values);
    return constant(name, FLOAT, raw, dimensions);
  }

  /** Adds a constant, and returns its name. */
  String constant(String name, long[] values, int... dimensions) {
    ByteBuffer raw = littleEndian(values.length * Long.BYTES);
    raw.asLongBuffer().put(values);
    return constant(name, INT64, raw, dimensions);
  }

  void writeTo(OutputStream file) throws IOException {
    CodedOutputStream out = CodedOutputStream.newInstance(file);
    out.writeInt64(1, IR_VERSION);
    out.writeBytes(
        7,
        message(
            graph -> {
              write(graph, 1, nodes);
              graph.writeString(2, "dlrm");
              write(graph, 5, constants);
              write(graph, 11, inputs);
              write(graph, 12, outputs);
            }));
    out.writeBytes(8, message(opset -> opset.writeInt64(2, OPSET)));
    out.flush();
  }

  private String constant(String name, int type, ByteBuffer raw, int... dimensions) {
    constants.add(
        message(
            out -> {
              for (int dimension : dimensions) {
                out.writeInt64(1, dimension);
              }
              out.writeInt32(2, type);
              out.writeString(8, name);
              out.writeByteBuffer(9, raw);
            }));
    return name;
  }

  private static ByteBuffer littleEndian(int bytes) {
    return ByteBuffer.allocate(bytes).order(ByteOrder.LITTLE_ENDIAN);
  }

  private static ByteString value(String name, int type, int width) {
    ByteString batch = message(out -> out.writeString(2, "batch"));
    ByteString wide = message(out -> out.writeInt64(1, width));
    ByteString shape =
        message(
            out -> {
              out.writeBytes(1, batch);
              out.writeBytes(1, wide);
            });
    ByteString tensor =
        message(
            out -> {
              out.writeEnum(1, type);
              out.writeBytes(2, shape);
            });
    return message(
        out -> {
          out.writeString(1, name);
          out.writeBytes(2, message(typed -> typed.writeBytes(1, tensor)));
        });
  }

  private static void write(CodedOutputStream out, int field, List<ByteString> messages)
      throws IOException {
    for (ByteString message : messages) {
      out.writeBytes(field, message);
    }
  }

  private static ByteString message(Fields fields) {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    CodedOutputStream out = CodedOutputStream.newInstance(bytes);
    try {
      fields.write(out);
      out.flush();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    return ByteString.copyFrom(bytes.toByteArray());
  }
}
