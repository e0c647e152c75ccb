package dev.rankrt.testing;

import com.google.protobuf.ByteString;
import com.google.protobuf.CodedOutputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;

/**
 * Writes an ONNX model: the fields of onnx.proto that small test models need. Dimensions that are
 * negative are free. One thread at a time.
 */
public final class OnnxModel {
  /** What a dimension that each request decides is written as. */
  public static final long BATCH = -1;

  private static final int IR_VERSION = 8;

  /** Element types, with their numbers in onnx.proto. Immutable. */
  public enum Type {
    FLOAT(1),
    INT32(6),
    INT64(7),
    STRING(8),
    FLOAT16(10),
    DOUBLE(11),
    BFLOAT16(16);

    private final int number;

    Type(int number) {
      this.number = number;
    }
  }

  /** An attribute of a node: a name and its value's fields. Immutable. */
  public record Attribute(String name, ByteString fields) {
    /** Makes an attribute that is an integer. */
    public static Attribute of(String name, long value) {
      return new Attribute(
          name,
          message(
              out -> {
                out.writeInt64(3, value);
                out.writeEnum(20, 2);
              }));
    }

    /** Makes an attribute that is a float. */
    public static Attribute of(String name, float value) {
      return new Attribute(
          name,
          message(
              out -> {
                out.writeFloat(2, value);
                out.writeEnum(20, 1);
              }));
    }

    /** Makes an attribute that is a list of integers. */
    public static Attribute ofList(String name, long... values) {
      return new Attribute(
          name,
          message(
              out -> {
                for (long value : values) {
                  out.writeInt64(8, value);
                }
                out.writeEnum(20, 7);
              }));
    }

    /**
     * Makes an attribute that is a graph of nodes with one output, which reads what is around it.
     */
    public static Attribute of(String name, OnnxModel graph) {
      return new Attribute(
          name,
          message(
              out -> {
                out.writeBytes(6, graph.graph());
                out.writeEnum(20, 5);
              }));
    }

    /** Makes an attribute that is an element type. */
    public static Attribute of(String name, Type type) {
      return of(name, type.number);
    }
  }

  private int opset = 17;
  private final List<ByteString> nodes = new ArrayList<>();
  private final List<ByteString> initializers = new ArrayList<>();
  private final List<ByteString> inputs = new ArrayList<>();
  private final List<ByteString> outputs = new ArrayList<>();

  /** Declares an input. */
  public OnnxModel input(String name, Type type, long... dimensions) {
    inputs.add(valueInfo(name, type, dimensions));
    return this;
  }

  /** Declares an output. */
  public OnnxModel output(String name, Type type, long... dimensions) {
    outputs.add(valueInfo(name, type, dimensions));
    return this;
  }

  /** Declares an output whose shape the file does not tell. */
  public OnnxModel outputOfUnknownShape(String name, Type type) {
    outputs.add(valueInfo(name, type, null));
    return this;
  }

  /** Adds a node. Inputs are separated by blanks, and so are outputs. */
  public OnnxModel node(String operator, String inputs, String outputs, Attribute... attributes) {
    nodes.add(
        message(
            out -> {
              for (String input : inputs.split(" ", -1)) {
                out.writeString(1, input);
              }
              for (String output : outputs.split(" ", -1)) {
                out.writeString(2, output);
              }
              out.writeString(3, operator + "_to_" + outputs);
              out.writeString(4, operator);
              for (Attribute attribute : attributes) {
                ByteString name = message(named -> named.writeString(1, attribute.name()));
                out.writeBytes(5, name.concat(attribute.fields()));
              }
            }));
    return this;
  }

  /** Adds a constant of floats. */
  public OnnxModel floats(String name, float[] values, long... dimensions) {
    ByteBuffer raw =
        ByteBuffer.allocate(values.length * Float.BYTES).order(ByteOrder.LITTLE_ENDIAN);
    raw.asFloatBuffer().put(values);
    return initializer(name, Type.FLOAT, raw, dimensions);
  }

  /** Adds a constant of 64-bit integers. */
  public OnnxModel longs(String name, long[] values, long... dimensions) {
    ByteBuffer raw = ByteBuffer.allocate(values.length * Long.BYTES).order(ByteOrder.LITTLE_ENDIAN);
    raw.asLongBuffer().put(values);
    return initializer(name, Type.INT64, raw, dimensions);
  }

  /** Adds a constant of floats that lie in another file, from its beginning. */
  public OnnxModel floatsInFile(String name, String file, long... dimensions) {
    initializers.add(
        message(
            out -> {
              for (long dimension : dimensions) {
                out.writeInt64(1, dimension);
              }
              out.writeInt32(2, Type.FLOAT.number);
              out.writeString(8, name);
              out.writeBytes(
                  13,
                  message(
                      entry -> {
                        entry.writeString(1, "location");
                        entry.writeString(2, file);
                      }));
              out.writeEnum(14, 1);
            }));
    return this;
  }

  /** Sets the version of the operators. */
  public OnnxModel opset(int version) {
    opset = version;
    return this;
  }

  /** Returns the file's contents. */
  public byte[] bytes() {
    ByteString versions = message(out -> out.writeInt64(2, opset));
    return message(
            out -> {
              out.writeInt64(1, IR_VERSION);
              out.writeBytes(7, graph());
              out.writeBytes(8, versions);
            })
        .toByteArray();
  }

  private ByteString graph() {
    return message(
        out -> {
          write(out, 1, nodes);
          out.writeString(2, "test");
          write(out, 5, initializers);
          write(out, 11, inputs);
          write(out, 12, outputs);
        });
  }

  private OnnxModel initializer(String name, Type type, ByteBuffer raw, long... dimensions) {
    initializers.add(
        message(
            out -> {
              for (long dimension : dimensions) {
                out.writeInt64(1, dimension);
              }
              out.writeInt32(2, type.number);
              out.writeString(8, name);
              out.writeBytes(9, ByteString.copyFrom(raw));
            }));
    return this;
  }

  private static ByteString valueInfo(String name, Type type, long[] dimensions) {
    ByteString tensor =
        message(
            out -> {
              out.writeEnum(1, type.number);
              if (dimensions != null) {
                out.writeBytes(2, shape(dimensions));
              }
            });
    return message(
        out -> {
          out.writeString(1, name);
          out.writeBytes(2, message(typed -> typed.writeBytes(1, tensor)));
        });
  }

  private static ByteString shape(long[] dimensions) {
    return message(
        out -> {
          for (int axis = 0; axis < dimensions.length; axis++) {
            long dimension = dimensions[axis];
            String symbol = axis == 0 ? "batch" : "free" + axis;
            out.writeBytes(
                1,
                message(
                    one -> {
                      if (dimension < 0) {
                        one.writeString(2, symbol);
                      } else {
                        one.writeInt64(1, dimension);
                      }
                    }));
          }
        });
  }

  private static void write(CodedOutputStream out, int field, List<ByteString> messages)
      throws IOException {
    for (ByteString message : messages) {
      out.writeBytes(field, message);
    }
  }

  private interface Fields {
    void write(CodedOutputStream out) throws IOException;
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
