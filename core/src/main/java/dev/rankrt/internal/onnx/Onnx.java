package dev.rankrt.internal.onnx;

import java.util.List;

/** The numbers of {@code onnx.proto}. */
final class Onnx {
  static final int MODEL_IR_VERSION = 1;
  static final int MODEL_GRAPH = 7;
  static final int MODEL_OPSET_IMPORT = 8;
  static final int OPSET_DOMAIN = 1;
  static final int OPSET_VERSION = 2;

  static final int GRAPH_NODE = 1;
  static final int GRAPH_INITIALIZER = 5;
  static final int GRAPH_INPUT = 11;
  static final int GRAPH_OUTPUT = 12;
  static final int GRAPH_VALUE_INFO = 13;
  static final int GRAPH_SPARSE_INITIALIZER = 15;

  static final int NODE_INPUT = 1;
  static final int NODE_OUTPUT = 2;
  static final int NODE_NAME = 3;
  static final int NODE_OPERATOR = 4;
  static final int NODE_ATTRIBUTE = 5;
  static final int NODE_DOMAIN = 7;

  static final int ATTRIBUTE_NAME = 1;
  static final int ATTRIBUTE_INT = 3;
  static final int ATTRIBUTE_TENSOR = 5;
  static final int ATTRIBUTE_GRAPH = 6;
  static final int ATTRIBUTE_INTS = 8;
  static final int ATTRIBUTE_TENSORS = 10;
  static final int ATTRIBUTE_GRAPHS = 11;
  static final int ATTRIBUTE_TYPE = 20;
  static final int TYPE_OF_INT = 2;
  static final int TYPE_OF_TENSOR = 4;

  static final int TENSOR_DIMENSION = 1;
  static final int TENSOR_ELEMENT = 2;
  static final int TENSOR_INT32 = 5;
  static final int TENSOR_INT64 = 7;
  static final int TENSOR_NAME = 8;
  static final int TENSOR_RAW = 9;
  static final int TENSOR_EXTERNAL_DATA = 13;
  static final int SPARSE_VALUES = 1;
  static final int ENTRY_KEY = 1;
  static final int ENTRY_VALUE = 2;

  static final int VALUE_NAME = 1;
  static final int VALUE_TYPE = 2;
  static final int TYPE_TENSOR = 1;
  static final int TENSOR_TYPE_ELEMENT = 1;
  static final int TENSOR_TYPE_SHAPE = 2;
  static final int SHAPE_DIMENSION = 1;
  static final int DIMENSION_VALUE = 1;
  static final int DIMENSION_NAME = 2;

  static final int INT32 = 6;
  static final int INT64 = 7;
  static final int BOOL = 9;

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

  private Onnx() {}

  static String elementName(long element) {
    return element >= 0 && element < ELEMENTS.size()
        ? ELEMENTS.get((int) element)
        : "number " + element;
  }
}
