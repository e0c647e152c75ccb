package dev.rankrt.internal.tensorrt;

import dev.rankrt.ModelException;
import dev.rankrt.internal.Signature;
import java.io.EOFException;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;

/**
 * Tells a file that is not a whole ONNX model, or not one for the API, from one that is, without
 * TensorRT: that would take seconds to say so, takes what is left of a model that ends early for
 * another one, and makes floats of doubles.
 *
 * <p>An ONNX file is one message of Protocol Buffers: fields, each a tag with a number and a wire
 * type, and a value, which may be a message again. Numbers here are those of {@code onnx.proto}.
 */
final class OnnxFile {
  private static final int MODEL_IR_VERSION = 1;
  private static final int MODEL_GRAPH = 7;
  private static final int MODEL_OPSET_IMPORT = 8;
  private static final int GRAPH_NODE = 1;
  private static final int GRAPH_INITIALIZER = 5;
  private static final int GRAPH_INPUT = 11;
  private static final int NODE_ATTRIBUTE = 5;
  private static final int ATTRIBUTE_TENSOR = 5;
  private static final int ATTRIBUTE_GRAPH = 6;
  private static final int ATTRIBUTE_TENSORS = 10;
  private static final int ATTRIBUTE_GRAPHS = 11;
  private static final int INITIALIZER_NAME = 8;
  private static final int INITIALIZER_EXTERNAL_DATA = 13;
  private static final int ENTRY_KEY = 1;
  private static final int ENTRY_VALUE = 2;
  private static final int INPUT_NAME = 1;
  private static final int INPUT_TYPE = 2;
  private static final int TYPE_TENSOR = 1;
  private static final int TENSOR_ELEMENT = 1;

  /** The names of {@code TensorProto.DataType}, by number. */
  private static final List<String> ELEMENTS =
      List.of(
          "UNDEFINED",
          "FLOAT",
          "UINT8",
          "INT8",
          "UINT16",
          "INT16",
          "INT32",
          "INT64",
          "STRING",
          "BOOL",
          "FLOAT16",
          "DOUBLE",
          "UINT32",
          "UINT64",
          "COMPLEX64",
          "COMPLEX128",
          "BFLOAT16");

  private static final Set<String> SERVED =
      Set.of("FLOAT", "FLOAT16", "BFLOAT16", "INT32", "INT64");

  private static final int VARINT = 0;
  private static final int FIXED_64 = 1;
  private static final int LENGTH_DELIMITED = 2;
  private static final int FIXED_32 = 5;

  private final Path model;
  private final RandomAccessFile file;

  private OnnxFile(Path model, RandomAccessFile file) {
    this.model = model;
    this.file = file;
  }

  /** Takes a field: its number, and its value if it is a number, else where it ends. */
  private interface Field {
    void at(long number, long value) throws IOException;
  }

  /**
   * Checks a file.
   *
   * @throws ModelException if it is no ONNX model, or only the beginning of one, or has inputs that
   *     the API cannot give
   */
  static void requireServable(Path model) {
    try (RandomAccessFile file = new RandomAccessFile(model.toFile(), "r")) {
      new OnnxFile(model, file).check();
    } catch (IOException e) {
      throw new ModelException(
          model.toAbsolutePath()
              + " is no ONNX model, or only a part of one: "
              + e.getMessage()
              + "; export or copy it again",
          e);
    }
  }

  /**
   * Returns the names of the files that hold a model's weights, as the model gives them: relative
   * to its own folder.
   */
  static Set<String> externalWeights(Path model) throws IOException {
    Set<String> locations = new TreeSet<>();
    try (RandomAccessFile file = new RandomAccessFile(model.toFile(), "r")) {
      OnnxFile onnx = new OnnxFile(model, file);
      onnx.fields(
          file.length(),
          (number, value) -> {
            if (number == MODEL_GRAPH) {
              onnx.findWeights(value, locations);
            }
          });
    }
    return locations;
  }

  private void findWeights(long graphEnd, Set<String> locations) throws IOException {
    fields(
        graphEnd,
        (number, value) -> {
          if (number == GRAPH_INITIALIZER) {
            findLocation(value, locations);
          } else if (number == GRAPH_NODE) {
            fields(
                value,
                (field, end) -> {
                  if (field == NODE_ATTRIBUTE) {
                    findWeightsOfAttribute(end, locations);
                  }
                });
          }
        });
  }

  private void findWeightsOfAttribute(long attributeEnd, Set<String> locations) throws IOException {
    fields(
        attributeEnd,
        (number, value) -> {
          if (number == ATTRIBUTE_TENSOR || number == ATTRIBUTE_TENSORS) {
            findLocation(value, locations);
          } else if (number == ATTRIBUTE_GRAPH || number == ATTRIBUTE_GRAPHS) {
            findWeights(value, locations);
          }
        });
  }

  private void findLocation(long tensorEnd, Set<String> locations) throws IOException {
    fields(
        tensorEnd,
        (number, value) -> {
          if (number == INITIALIZER_EXTERNAL_DATA) {
            String[] entry = new String[ENTRY_VALUE + 1];
            fields(
                value,
                (field, end) -> {
                  if (field == ENTRY_KEY || field == ENTRY_VALUE) {
                    entry[(int) field] = text(end);
                  }
                });
            if ("location".equals(entry[ENTRY_KEY]) && entry[ENTRY_VALUE] != null) {
              locations.add(entry[ENTRY_VALUE]);
            }
          }
        });
  }

  private void check() throws IOException {
    Set<Long> found = new HashSet<>();
    fields(
        file.length(),
        (number, value) -> {
          if (number == MODEL_GRAPH) {
            if (value == file.getFilePointer()) {
              return; // empty
            }
            checkInputs(value);
          }
          found.add(number);
        });
    if (!found.contains((long) MODEL_IR_VERSION)
        || !found.contains((long) MODEL_GRAPH)
        || !found.contains((long) MODEL_OPSET_IMPORT)) {
      throw new IOException("it has no graph, or not the versions that go with one");
    }
  }

  private void checkInputs(long graphEnd) throws IOException {
    Map<String, Long> elements = new LinkedHashMap<>();
    fields(
        graphEnd,
        (number, value) -> {
          if (number == GRAPH_INPUT) {
            readInput(value, elements);
          } else if (number == GRAPH_INITIALIZER) {
            // Older exporters list weights among the inputs.
            fields(
                value,
                (field, end) -> {
                  if (field == INITIALIZER_NAME) {
                    elements.put(text(end), null);
                  }
                });
          }
        });
    elements.forEach(
        (input, element) -> {
          if (element != null) {
            String name =
                element >= 0 && element < ELEMENTS.size()
                    ? ELEMENTS.get(element.intValue())
                    : "number " + element;
            if (!SERVED.contains(name)) {
              throw Signature.typeRefused(model.toAbsolutePath(), input, name);
            }
          }
        });
  }

  private void readInput(long inputEnd, Map<String, Long> elements) throws IOException {
    String[] name = {""};
    long[] element = {-1};
    fields(
        inputEnd,
        (number, value) -> {
          if (number == INPUT_NAME) {
            name[0] = text(value);
          } else if (number == INPUT_TYPE) {
            fields(
                value,
                (kind, end) -> {
                  if (kind == TYPE_TENSOR) {
                    fields(
                        end,
                        (field, type) -> {
                          if (field == TENSOR_ELEMENT) {
                            element[0] = type;
                          }
                        });
                  }
                });
          }
        });
    if (!elements.containsKey(name[0])) {
      elements.put(name[0], element[0]);
    }
  }

  /** Goes through the fields from the file's position to an end, and leaves the position there. */
  private void fields(long end, Field visitor) throws IOException {
    while (file.getFilePointer() < end) {
      long tag = varint();
      long number = tag >>> 3;
      if (number == 0) {
        throw new IOException("it has a field without a number");
      }
      int kind = (int) (tag & 7);
      if (kind == VARINT) {
        visitor.at(number, varint());
        continue;
      }
      long length =
          switch (kind) {
            case FIXED_64 -> Long.BYTES;
            case FIXED_32 -> Integer.BYTES;
            case LENGTH_DELIMITED -> varint();
            default -> throw new IOException("it has a field of no known kind");
          };
      long left = end - file.getFilePointer();
      if (length < 0 || length > left) {
        throw new EOFException(
            "field " + number + " should have " + length + " bytes and " + left + " are left");
      }
      long next = file.getFilePointer() + length;
      if (kind == LENGTH_DELIMITED) {
        visitor.at(number, next);
      }
      file.seek(next);
    }
  }

  private String text(long end) throws IOException {
    byte[] bytes = new byte[Math.toIntExact(end - file.getFilePointer())];
    file.readFully(bytes);
    return new String(bytes, StandardCharsets.UTF_8);
  }

  private long varint() throws IOException {
    long value = 0;
    for (int shift = 0; shift < Long.SIZE; shift += 7) {
      int next = file.read();
      if (next < 0) {
        throw new EOFException("it ends within a number");
      }
      value |= (long) (next & 0x7f) << shift;
      if (next < 0x80) {
        return value;
      }
    }
    throw new IOException("it has a number that is too long");
  }
}
