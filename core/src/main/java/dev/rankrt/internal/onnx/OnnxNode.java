package dev.rankrt.internal.onnx;

import dev.rankrt.internal.onnx.ProtoFile.Field;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.LongStream;

/**
 * One operator of a graph and the tensors that it reads and makes. Immutable.
 *
 * @param domain empty for the operators of ONNX itself
 * @param inputs names, empty where an optional input is left out
 * @param attributes by name
 * @param rest every field but inputs, outputs and name, as they are written
 * @param captured what its subgraphs may read of the graph around them
 */
record OnnxNode(
    String operator,
    String domain,
    String name,
    List<String> inputs,
    List<String> outputs,
    Map<String, Attribute> attributes,
    Pieces rest,
    Set<String> captured) {

  /**
   * An attribute's value, as far as anybody asks.
   *
   * @param number of an attribute that is one, else 0
   * @param numbers of an attribute that is a list of them, else empty
   * @param tensor of an attribute that is one, else null
   * @param field the whole of it
   */
  record Attribute(long number, List<Long> numbers, OnnxTensor tensor, Pieces field) {}

  /** Tells whether an input is there that may be left out. */
  boolean isGiven(int input) {
    return inputs.size() > input && !inputs.get(input).isEmpty();
  }

  /** Returns the same operator between other tensors. */
  OnnxNode with(String newName, List<String> newInputs, List<String> newOutputs) {
    return new OnnxNode(
        operator, domain, newName, newInputs, newOutputs, attributes, rest, captured);
  }

  /** Returns the same operator without some of its attributes, so that they have their defaults. */
  OnnxNode without(String attribute) {
    Map<String, Attribute> kept = new LinkedHashMap<>(attributes);
    kept.remove(attribute);
    Pieces fields = new Pieces().text(Onnx.NODE_OPERATOR, operator);
    kept.values().forEach(value -> fields.all(value.field()));
    return new OnnxNode(operator, domain, name, inputs, outputs, kept, fields, captured);
  }

  /** Makes an operator of ONNX with attributes that are whole numbers. */
  static OnnxNode of(
      String operator, String name, List<String> inputs, String output, Map<String, Long> numbers) {
    Pieces fields = new Pieces().text(Onnx.NODE_OPERATOR, operator);
    numbers.forEach(
        (attribute, value) ->
            fields.message(
                Onnx.NODE_ATTRIBUTE,
                new Pieces()
                    .text(Onnx.ATTRIBUTE_NAME, attribute)
                    .number(Onnx.ATTRIBUTE_INT, value)
                    .number(Onnx.ATTRIBUTE_TYPE, Onnx.TYPE_OF_INT)));
    return new OnnxNode(operator, "", name, inputs, List.of(output), Map.of(), fields, Set.of());
  }

  /** Makes a constant of 64-bit numbers: one for each value, or a scalar. */
  static OnnxNode constant(String output, boolean scalar, long... values) {
    ByteBuffer raw = ByteBuffer.allocate(values.length * Long.BYTES).order(ByteOrder.LITTLE_ENDIAN);
    raw.asLongBuffer().put(values);
    Pieces tensor = new Pieces();
    if (!scalar) {
      tensor.number(Onnx.TENSOR_DIMENSION, values.length);
    }
    tensor.number(Onnx.TENSOR_ELEMENT, Onnx.INT64).data(Onnx.TENSOR_RAW, raw.array());
    Pieces fields =
        new Pieces()
            .text(Onnx.NODE_OPERATOR, "Constant")
            .message(
                Onnx.NODE_ATTRIBUTE,
                new Pieces()
                    .text(Onnx.ATTRIBUTE_NAME, "value")
                    .message(Onnx.ATTRIBUTE_TENSOR, tensor)
                    .number(Onnx.ATTRIBUTE_TYPE, Onnx.TYPE_OF_TENSOR));
    return new OnnxNode(
        "Constant", "", output, List.of(), List.of(output), Map.of(), fields, Set.of());
  }

  Pieces written() {
    Pieces fields = new Pieces();
    inputs.forEach(input -> fields.text(Onnx.NODE_INPUT, input));
    outputs.forEach(output -> fields.text(Onnx.NODE_OUTPUT, output));
    return fields.text(Onnx.NODE_NAME, name).all(rest);
  }

  long number(String attribute, long otherwise) {
    Attribute value = attributes.get(attribute);
    return value == null ? otherwise : value.number();
  }

  /** Returns an attribute that is a list, null where it is left out. */
  long[] numbers(String attribute) {
    Attribute value = attributes.get(attribute);
    return value == null ? null : value.numbers().stream().mapToLong(Long::longValue).toArray();
  }

  static OnnxNode read(ProtoFile file, Field node) throws IOException {
    String[] text = {"", "", ""}; // operator, domain, name
    List<String> inputs = new ArrayList<>();
    List<String> outputs = new ArrayList<>();
    Map<String, Attribute> attributes = new LinkedHashMap<>();
    Pieces rest = new Pieces();
    Set<String> captured = new HashSet<>();
    file.fields(
        node,
        field -> {
          switch ((int) field.number()) {
            case Onnx.NODE_INPUT -> inputs.add(file.text(field));
            case Onnx.NODE_OUTPUT -> outputs.add(file.text(field));
            case Onnx.NODE_NAME -> text[2] = file.text(field);
            default -> {
              rest.copy(field);
              switch ((int) field.number()) {
                case Onnx.NODE_OPERATOR -> text[0] = file.text(field);
                case Onnx.NODE_DOMAIN -> text[1] = file.text(field);
                case Onnx.NODE_ATTRIBUTE -> readAttribute(file, field, attributes, captured);
                default -> {
                  // documentation, and what newer versions add
                }
              }
            }
          }
        });
    String domain = text[1].equals("ai.onnx") ? "" : text[1];
    return new OnnxNode(text[0], domain, text[2], inputs, outputs, attributes, rest, captured);
  }

  private static void readAttribute(
      ProtoFile file, Field attribute, Map<String, Attribute> attributes, Set<String> captured)
      throws IOException {
    String[] name = {""};
    long[] number = {0};
    // Trees have hundreds of thousands, each a field of its own.
    LongStream.Builder numbers = LongStream.builder();
    OnnxTensor[] tensor = {null};
    file.fields(
        attribute,
        field -> {
          switch ((int) field.number()) {
            case Onnx.ATTRIBUTE_NAME -> name[0] = file.text(field);
            case Onnx.ATTRIBUTE_INT -> number[0] = field.value();
            case Onnx.ATTRIBUTE_INTS -> file.numbers(field, numbers);
            case Onnx.ATTRIBUTE_TENSOR -> tensor[0] = OnnxTensor.read(file, field);
            case Onnx.ATTRIBUTE_GRAPH, Onnx.ATTRIBUTE_GRAPHS -> capture(file, field, captured);
            default -> {
              // of no interest
            }
          }
        });
    attributes.put(
        name[0],
        new Attribute(
            number[0], numbers.build().boxed().toList(), tensor[0], new Pieces().copy(attribute)));
  }

  /** Collects every name that a subgraph reads, whether it is its own or not. */
  private static void capture(ProtoFile file, Field graph, Set<String> captured)
      throws IOException {
    file.fields(
        graph,
        field -> {
          if (field.number() == Onnx.GRAPH_NODE) {
            OnnxNode node = read(file, field);
            captured.addAll(node.inputs());
            captured.addAll(node.captured());
          } else if (field.number() == Onnx.GRAPH_OUTPUT) {
            file.fields(
                field,
                part -> {
                  if (part.number() == Onnx.VALUE_NAME) {
                    captured.add(file.text(part));
                  }
                });
          }
        });
  }
}
