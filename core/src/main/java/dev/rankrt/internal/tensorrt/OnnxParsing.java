package dev.rankrt.internal.tensorrt;

import static org.bytedeco.tensorrt.global.nvonnxparser.createParser;

import dev.rankrt.ModelException;
import dev.rankrt.natives.internal.NativeObjects;
import java.nio.file.Path;
import java.util.StringJoiner;
import org.bytedeco.tensorrt.global.nvinfer.NetworkDefinitionCreationFlag;
import org.bytedeco.tensorrt.nvinfer.IBuilder;
import org.bytedeco.tensorrt.nvinfer.ILogger.Severity;
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

  private OnnxParsing(INetworkDefinition network, IParser parser) {
    this.network = network;
    this.parser = parser;
  }

  /** Parses a file into a new strongly typed network. */
  static OnnxParsing parse(TensorRt tensorRt, IBuilder builder, Path model) {
    try (Messages messages = new Messages(tensorRt.log())) {
      INetworkDefinition network =
          builder.createNetworkV2(1 << NetworkDefinitionCreationFlag.kSTRONGLY_TYPED.value);
      IParser parser = network == null ? null : createParser(network, tensorRt.log());
      OnnxParsing parsing = new OnnxParsing(network, parser);
      boolean success = false;
      try {
        if (parser == null) {
          throw new ModelException("TensorRT made no parser for " + model + ": " + messages.text());
        }
        if (!parser.parseFromFile(model.toString(), Severity.kWARNING.value)) {
          throw new ModelException(
              "TensorRT cannot parse " + model.toAbsolutePath() + ": " + parsing.errors(messages));
        }
        success = true;
        return parsing;
      } finally {
        if (!success) {
          parsing.close();
        }
      }
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
  }
}
