package dev.rankrt.internal.onnx;

import dev.rankrt.ModelException;
import dev.rankrt.internal.Signature;
import dev.rankrt.internal.onnx.ProtoFile.Field;
import java.io.IOException;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;

/**
 * Tells a file that is not a whole ONNX model, or not one for the API, from one that is, without
 * TensorRT: that would take seconds to say so, takes what is left of a model that ends early for
 * another one, and makes floats of doubles.
 */
public final class OnnxFile {
  private static final Set<String> SERVED =
      Set.of("FLOAT", "FLOAT16", "BFLOAT16", "INT32", "INT64");

  private final Path model;
  private final ProtoFile file;

  private OnnxFile(Path model, ProtoFile file) {
    this.model = model;
    this.file = file;
  }

  /**
   * Checks a file.
   *
   * @throws ModelException if it is no ONNX model, or only the beginning of one, or has inputs that
   *     the API cannot give
   */
  public static void requireServable(Path model) {
    try (ProtoFile file = ProtoFile.open(model)) {
      new OnnxFile(model, file).check();
    } catch (IOException e) {
      throw unreadable(model, e);
    }
  }

  /** Says that a file is no whole model. */
  static ModelException unreadable(Path model, IOException why) {
    return new ModelException(
        model.toAbsolutePath()
            + " is no ONNX model, or only a part of one: "
            + why.getMessage()
            + "; export or copy it again",
        why);
  }

  /**
   * Returns the names of the files that hold a model's weights, as the model gives them: relative
   * to its own folder.
   */
  public static Set<String> externalWeights(Path model) throws IOException {
    Set<String> locations = new TreeSet<>();
    try (ProtoFile file = ProtoFile.open(model)) {
      OnnxFile onnx = new OnnxFile(model, file);
      file.fields(
          field -> {
            if (field.number() == Onnx.MODEL_GRAPH) {
              onnx.findWeights(field, locations);
            }
          });
    }
    return locations;
  }

  private void findWeights(Field graph, Set<String> locations) throws IOException {
    file.fields(
        graph,
        field -> {
          if (field.number() == Onnx.GRAPH_INITIALIZER) {
            findLocation(field, locations);
          } else if (field.number() == Onnx.GRAPH_NODE) {
            file.fields(
                field,
                part -> {
                  if (part.number() == Onnx.NODE_ATTRIBUTE) {
                    findWeightsOfAttribute(part, locations);
                  }
                });
          }
        });
  }

  private void findWeightsOfAttribute(Field attribute, Set<String> locations) throws IOException {
    file.fields(
        attribute,
        field -> {
          if (field.number() == Onnx.ATTRIBUTE_TENSOR || field.number() == Onnx.ATTRIBUTE_TENSORS) {
            findLocation(field, locations);
          } else if (field.number() == Onnx.ATTRIBUTE_GRAPH
              || field.number() == Onnx.ATTRIBUTE_GRAPHS) {
            findWeights(field, locations);
          }
        });
  }

  private void findLocation(Field tensor, Set<String> locations) throws IOException {
    file.fields(
        tensor,
        field -> {
          if (field.number() == Onnx.TENSOR_EXTERNAL_DATA) {
            String[] entry = new String[Onnx.ENTRY_VALUE + 1];
            file.fields(
                field,
                part -> {
                  if (part.number() == Onnx.ENTRY_KEY || part.number() == Onnx.ENTRY_VALUE) {
                    entry[(int) part.number()] = file.text(part);
                  }
                });
            if ("location".equals(entry[Onnx.ENTRY_KEY]) && entry[Onnx.ENTRY_VALUE] != null) {
              locations.add(entry[Onnx.ENTRY_VALUE]);
            }
          }
        });
  }

  private void check() throws IOException {
    Set<Long> found = new HashSet<>();
    file.fields(
        field -> {
          if (field.number() == Onnx.MODEL_GRAPH) {
            if (field.length() == 0) {
              return; // empty
            }
            checkInputs(field);
          }
          found.add(field.number());
        });
    if (!found.contains((long) Onnx.MODEL_IR_VERSION)
        || !found.contains((long) Onnx.MODEL_GRAPH)
        || !found.contains((long) Onnx.MODEL_OPSET_IMPORT)) {
      throw new IOException("it has no graph, or not the versions that go with one");
    }
  }

  private void checkInputs(Field graph) throws IOException {
    Map<String, Long> elements = new LinkedHashMap<>();
    file.fields(
        graph,
        field -> {
          if (field.number() == Onnx.GRAPH_INPUT) {
            OnnxGraph.Input input = OnnxGraph.readInput(file, field);
            if (!elements.containsKey(input.name())) { // null is a weight's
              elements.put(input.name(), input.element());
            }
          } else if (field.number() == Onnx.GRAPH_INITIALIZER) {
            // Older exporters list weights among the inputs.
            file.fields(
                field,
                part -> {
                  if (part.number() == Onnx.TENSOR_NAME) {
                    elements.put(file.text(part), null);
                  }
                });
          }
        });
    elements.forEach(
        (input, element) -> {
          if (element != null) {
            String name = Onnx.elementName(element);
            if (!SERVED.contains(name)) {
              throw Signature.typeRefused(model.toAbsolutePath(), input, name);
            }
          }
        });
  }
}
