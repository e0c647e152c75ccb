package dev.rankrt.internal.onnx;

import dev.rankrt.internal.onnx.ProtoFile.Field;
import java.io.IOException;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * A model's graph in the form in which it can be changed and written again. One thread at a time.
 */
final class OnnxGraph {
  final List<Input> inputs = new ArrayList<>();
  final List<String> outputs = new ArrayList<>();
  final List<OnnxNode> nodes = new ArrayList<>();
  final Map<String, OnnxTensor> initializers = new LinkedHashMap<>();
  final Set<String> sparseInitializers = new HashSet<>();
  long opset;

  /**
   * What is neither an input nor a node; nor what is said of tensors in between, as they change.
   */
  private final Pieces restOfGraph = new Pieces();

  private final Pieces restOfModel = new Pieces();

  /**
   * An input, or a constant that is listed among them.
   *
   * @param element the number of its type; negative where none is said
   * @param dimensions with a value, with a name, or with neither
   * @param original the whole of it where it was read and not changed, else null
   */
  record Input(String name, long element, List<Dimension> dimensions, Pieces original) {
    Input with(String newName, List<Dimension> newDimensions) {
      return new Input(newName, element, newDimensions, null);
    }

    Pieces written() {
      if (original != null) {
        return original;
      }
      Pieces shape = new Pieces();
      dimensions.forEach(dimension -> shape.message(Onnx.SHAPE_DIMENSION, dimension.written()));
      Pieces tensor =
          new Pieces()
              .number(Onnx.TENSOR_TYPE_ELEMENT, element)
              .message(Onnx.TENSOR_TYPE_SHAPE, shape);
      Pieces value =
          new Pieces()
              .text(Onnx.VALUE_NAME, name)
              .message(Onnx.VALUE_TYPE, new Pieces().message(Onnx.TYPE_TENSOR, tensor));
      return new Pieces().message(Onnx.GRAPH_INPUT, value);
    }
  }

  /**
   * A dimension of an input.
   *
   * @param size negative where it is free
   * @param symbol what a free dimension is called, may be empty
   */
  record Dimension(long size, String symbol) {
    static Dimension of(long size) {
      return new Dimension(size, "");
    }

    Pieces written() {
      if (size >= 0) {
        return new Pieces().number(Onnx.DIMENSION_VALUE, size);
      }
      return symbol.isEmpty() ? new Pieces() : new Pieces().text(Onnx.DIMENSION_NAME, symbol);
    }
  }

  static OnnxGraph read(ProtoFile file) throws IOException {
    OnnxGraph graph = new OnnxGraph();
    file.fields(
        field -> {
          if (field.number() == Onnx.MODEL_GRAPH) {
            file.fields(field, part -> graph.readPart(file, part));
            return;
          }
          if (field.number() == Onnx.MODEL_OPSET_IMPORT) {
            graph.readOpset(file, field);
          }
          graph.restOfModel.copy(field);
        });
    return graph;
  }

  private void readOpset(ProtoFile file, Field field) throws IOException {
    String[] domain = {""};
    long[] version = {0};
    file.fields(
        field,
        part -> {
          if (part.number() == Onnx.OPSET_DOMAIN) {
            domain[0] = file.text(part);
          } else if (part.number() == Onnx.OPSET_VERSION) {
            version[0] = part.value();
          }
        });
    if (domain[0].isEmpty() || domain[0].equals("ai.onnx")) {
      opset = version[0];
    }
  }

  private void readPart(ProtoFile file, Field field) throws IOException {
    switch ((int) field.number()) {
      case Onnx.GRAPH_NODE -> nodes.add(OnnxNode.read(file, field));
      case Onnx.GRAPH_INPUT -> inputs.add(readInput(file, field));
      case Onnx.GRAPH_VALUE_INFO -> {
        // left out
      }
      default -> {
        restOfGraph.copy(field);
        switch ((int) field.number()) {
          case Onnx.GRAPH_OUTPUT -> outputs.add(readInput(file, field).name());
          case Onnx.GRAPH_INITIALIZER -> {
            OnnxTensor tensor = OnnxTensor.read(file, field);
            initializers.put(tensor.name(), tensor);
          }
          case Onnx.GRAPH_SPARSE_INITIALIZER ->
              file.fields(
                  field,
                  part -> {
                    if (part.number() == Onnx.SPARSE_VALUES) {
                      sparseInitializers.add(OnnxTensor.read(file, part).name());
                    }
                  });
          default -> {
            // of no interest
          }
        }
      }
    }
  }

  static Input readInput(ProtoFile file, Field input) throws IOException {
    String[] name = {""};
    long[] element = {-1};
    List<Dimension> dimensions = new ArrayList<>();
    file.fields(
        input,
        field -> {
          if (field.number() == Onnx.VALUE_NAME) {
            name[0] = file.text(field);
          } else if (field.number() == Onnx.VALUE_TYPE) {
            file.fields(
                field,
                kind -> {
                  if (kind.number() == Onnx.TYPE_TENSOR) {
                    file.fields(
                        kind,
                        part -> {
                          if (part.number() == Onnx.TENSOR_TYPE_ELEMENT) {
                            element[0] = part.value();
                          } else if (part.number() == Onnx.TENSOR_TYPE_SHAPE) {
                            file.fields(
                                part, dimension -> dimensions.add(readDimension(file, dimension)));
                          }
                        });
                  }
                });
          }
        });
    return new Input(name[0], element[0], List.copyOf(dimensions), new Pieces().copy(input));
  }

  private static Dimension readDimension(ProtoFile file, Field dimension) throws IOException {
    long[] size = {-1};
    String[] symbol = {""};
    file.fields(
        dimension,
        field -> {
          if (field.number() == Onnx.DIMENSION_VALUE) {
            size[0] = field.value();
          } else if (field.number() == Onnx.DIMENSION_NAME) {
            symbol[0] = file.text(field);
          }
        });
    return new Dimension(size[0], symbol[0]);
  }

  /** Returns the model with these inputs and nodes. */
  Pieces written(List<Input> newInputs, List<OnnxNode> newNodes) {
    Pieces graph = new Pieces();
    newNodes.forEach(node -> graph.message(Onnx.GRAPH_NODE, node.written()));
    newInputs.forEach(input -> graph.all(input.written()));
    return new Pieces().all(restOfModel).message(Onnx.MODEL_GRAPH, graph.all(restOfGraph));
  }
}
