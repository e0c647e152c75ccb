package dev.rankrt.internal.tensorrt;

import static org.bytedeco.tensorrt.global.nvonnxparser.createParser;

import dev.rankrt.EngineOptions.Columns;
import dev.rankrt.ModelException;
import dev.rankrt.internal.onnx.SharedModel;
import dev.rankrt.natives.internal.NativeObjects;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.StringJoiner;
import org.bytedeco.javacpp.BytePointer;
import org.bytedeco.tensorrt.global.nvinfer.NetworkDefinitionCreationFlag;
import org.bytedeco.tensorrt.nvinfer.IBuilder;
import org.bytedeco.tensorrt.nvinfer.INetworkDefinition;
import org.bytedeco.tensorrt.nvonnxparser.IParser;
import org.bytedeco.tensorrt.nvonnxparser.IParserError;

/**
 * A network parsed from an ONNX file, with the parser, whose memory holds the weights. One thread
 * at a time.
 */
final class OnnxParsing implements AutoCloseable {
  private final INetworkDefinition network;
  private final IParser parser;
  private final NativeFile bytes;

  /** Tells the parser where weights in other files are; it may look at it as long as it lives. */
  private final BytePointer path;

  private OnnxParsing(
      INetworkDefinition network, IParser parser, NativeFile bytes, BytePointer path) {
    this.network = network;
    this.parser = parser;
    this.bytes = bytes;
    this.path = path;
  }

  /**
   * Parses a file into a new strongly typed network. TensorRT 11 has no other kind, and deprecates
   * the flag that 10 needs.
   */
  @SuppressWarnings("deprecation")
  static OnnxParsing parse(
      TensorRt tensorRt, IBuilder builder, Path model, Map<String, List<Columns>> shared) {
    int stronglyTyped = 1 << NetworkDefinitionCreationFlag.kSTRONGLY_TYPED.value;
    return parse(tensorRt, builder, model, shared, stronglyTyped);
  }

  /** Parses a file into a new network with flags. */
  static OnnxParsing parse(
      TensorRt tensorRt,
      IBuilder builder,
      Path model,
      Map<String, List<Columns>> shared,
      int flags) {
    try (Messages messages = new Messages(tensorRt.log())) {
      BytePointer path = new BytePointer(model.toAbsolutePath().toString(), StandardCharsets.UTF_8);
      NativeFile bytes = shared.isEmpty() ? NativeFile.read(model) : rewritten(model, shared);
      INetworkDefinition network = builder.createNetworkV2(flags);
      IParser parser = network == null ? null : createParser(network, tensorRt.log());
      OnnxParsing parsing = new OnnxParsing(network, parser, bytes, path);
      boolean success = false;
      try {
        if (parser == null) {
          throw new ModelException("TensorRT made no parser for " + model + ": " + messages.text());
        }
        if (!parser.parse(bytes.data(), bytes.size(), parsing.path)) {
          throw new ModelException(
              "TensorRT cannot parse " + model.toAbsolutePath() + ": " + parsing.errors(messages));
        }
        if (network.getNbOutputs() == 0) {
          throw new ModelException(model.toAbsolutePath() + " has no outputs");
        }
        success = true;
        return parsing;
      } finally {
        if (!success) {
          parsing.close();
        }
      }
    } catch (IOException e) {
      throw new ModelException("cannot read model file " + model.toAbsolutePath() + ": " + e, e);
    }
  }

  private static NativeFile rewritten(Path model, Map<String, List<Columns>> shared)
      throws IOException {
    try (SharedModel rewritten = SharedModel.open(model, shared)) {
      return NativeFile.read(rewritten, rewritten.size(), piece -> {});
    }
  }

  INetworkDefinition network() {
    return network;
  }

  private String errors(Messages messages) {
    StringJoiner text = new StringJoiner("; ");
    for (int i = 0; i < parser.getNbErrors(); i++) {
      IParserError error = parser.getError(i);
      String operator = error.nodeOperator();
      String at =
          operator == null || operator.isEmpty()
              ? ""
              : " (node "
                  + error.node()
                  + " '"
                  + error.nodeName()
                  + "', operator "
                  + operator
                  + ")";
      text.add(error.desc() + at);
    }
    return text.length() == 0 ? messages.text() : text.toString();
  }

  @Override
  public void close() {
    NativeObjects.destroy(parser);
    NativeObjects.destroy(network);
    bytes.close();
    path.close();
  }
}
