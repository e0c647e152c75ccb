package dev.rankrt.internal.tensorrt;

import dev.rankrt.ModelException;
import dev.rankrt.Precision;
import dev.rankrt.internal.onnx.SharedModel;
import java.nio.FloatBuffer;
import java.util.EnumSet;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import org.bytedeco.javacpp.FloatPointer;
import org.bytedeco.tensorrt.global.nvinfer.ActivationType;
import org.bytedeco.tensorrt.global.nvinfer.DataType;
import org.bytedeco.tensorrt.global.nvinfer.ElementWiseOperation;
import org.bytedeco.tensorrt.global.nvinfer.LayerType;
import org.bytedeco.tensorrt.nvinfer.IActivationLayer;
import org.bytedeco.tensorrt.nvinfer.ICastLayer;
import org.bytedeco.tensorrt.nvinfer.IConstantLayer;
import org.bytedeco.tensorrt.nvinfer.IElementWiseLayer;
import org.bytedeco.tensorrt.nvinfer.ILayer;
import org.bytedeco.tensorrt.nvinfer.INetworkDefinition;
import org.bytedeco.tensorrt.nvinfer.ITensor;
import org.bytedeco.tensorrt.nvinfer.Weights;

/**
 * Writes a precision into a strongly typed network, layer by layer, by casts. One thread at a time.
 *
 * <p>Strongly typed networks compute every layer in the types that come in, so a layer's precision
 * is decided by what it is fed. The pass visits each layer once, in the network's order, which is
 * topological:
 *
 * <ul>
 *   <li><b>low</b> layers get their {@code float} inputs through a cast to the low type: matrix
 *       products, convolutions, einsums, the tables of gathers, elementwise arithmetic,
 *       concatenations;
 *   <li><b>exact</b> layers get their low inputs through a cast back: softmax, sigmoid and its kin,
 *       reductions, normalisation, unary functions, powers, comparisons and divisions to whole
 *       numbers, which turn a rounding into another answer, anything not known here, and what the
 *       user pinned;
 *   <li><b>passing</b> layers compute nothing and take what comes: shuffles, slices, ReLU,
 *       identities. If such a layer has several float inputs of different types, they all become
 *       exact.
 * </ul>
 *
 * <p>A tensor is cast once to each type and the cast is shared; TensorRT folds casts of constants
 * and of casts. An output that became low is cast back, under its own name: the interface of the
 * model never changes.
 *
 * <p>Two things would change a score by far more than rounding. A constant beyond half precision's
 * range, such as the {@code -1e9} of an attention mask, would become infinite, and infinity times
 * zero is no number: a layer with such a constant stays exact, and so do those that its sums,
 * products and choices go on to. And integers are never touched: ids and shapes are no values to
 * round.
 */
final class PrecisionPass {
  private static final float LARGEST_HALF = 65504f;

  private final INetworkDefinition network;
  private final DataType low;
  private final Map<String, Precision> pins;
  private final Set<String> unusedPins;

  /** Casts by the address of the tensor that they read. */
  private final Map<Long, ITensor> toLow = new HashMap<>();

  private final Map<Long, ITensor> toExact = new HashMap<>();

  /** Tensors whose values half precision cannot hold, by address. */
  private final Set<Long> tooLarge = new HashSet<>();

  private PrecisionPass(INetworkDefinition network, DataType low, Map<String, Precision> pins) {
    this.network = network;
    this.low = low;
    this.pins = pins;
    this.unusedPins = new HashSet<>(pins.keySet());
  }

  /**
   * Rewrites a network.
   *
   * @param pins precisions by layer name, for layers that are to differ
   * @throws ModelException if a pinned layer does not exist
   */
  static void apply(INetworkDefinition network, Precision precision, Map<String, Precision> pins) {
    DataType low =
        switch (precision) {
          case FP32, TF32 -> null;
          case FP16 -> DataType.kHALF;
          case BF16 -> DataType.kBF16;
        };
    if (low != null) {
      new PrecisionPass(network, low, pins).rewrite();
    }
  }

  private void rewrite() {
    Map<String, DataType> declared = new HashMap<>();
    for (int i = 0; i < network.getNbOutputs(); i++) {
      declared.put(network.getOutput(i).getName(), network.getOutput(i).getType().intern());
    }
    int layers = network.getNbLayers(); // casts that are added below come after these
    for (int i = 0; i < layers; i++) {
      ILayer layer = network.getLayer(i);
      rememberLargeConstant(layer);
      Kind kind = kindOf(layer);
      rememberLargeResult(layer);
      switch (kind) {
        case LOW -> castInputs(layer, true);
        case EXACT -> castInputs(layer, false);
        case PASSING -> {
          if (hasMixedInputs(layer)) {
            castInputs(layer, false);
          }
        }
      }
    }
    for (int i = 0; i < layers; i++) {
      // A loop's recurrence reads what comes after it, whose type has only been decided by now.
      if (network.getLayer(i).getType().intern() == LayerType.kRECURRENCE) {
        castInputs(network.getLayer(i), false);
      }
    }
    if (!unusedPins.isEmpty()) {
      throw new ModelException(
          "pinned layers that the network does not have: "
              + unusedPins
              + "; it has "
              + layerNames(layers));
    }
    restoreOutputs(declared);
  }

  private enum Kind {
    LOW,
    EXACT,
    PASSING
  }

  private Kind kindOf(ILayer layer) {
    String name =
        pins.containsKey(layer.getName()) ? layer.getName() : SharedModel.layerOf(layer.getName());
    Precision pin = pins.get(name);
    if (pin != null) {
      unusedPins.remove(name);
      return pin == Precision.FP32 ? Kind.EXACT : Kind.LOW;
    }
    LayerType type = layer.getType().intern();
    return switch (type) {
      case kMATRIX_MULTIPLY, kCONVOLUTION, kDECONVOLUTION, kEINSUM, kGATHER, kCONCATENATION ->
          hasTooLargeInput(layer) ? Kind.EXACT : Kind.LOW;
      case kELEMENTWISE ->
          hasTooLargeInput(layer) || !isSmooth(operationOf(layer)) ? Kind.EXACT : Kind.LOW;
      case kACTIVATION -> {
        ActivationType function = new IActivationLayer(layer).getActivationType().intern();
        yield function == ActivationType.kRELU || function == ActivationType.kLEAKY_RELU
            ? Kind.PASSING
            : Kind.EXACT;
      }
      case kSHUFFLE, kSLICE, kIDENTITY, kSELECT, kPADDING, kCAST, kCONSTANT, kSHAPE -> Kind.PASSING;
      default -> Kind.EXACT;
    };
  }

  private void castInputs(ILayer layer, boolean toLowType) {
    // A gather's second input is made of ids.
    int inputs = layer.getType().intern() == LayerType.kGATHER ? 1 : layer.getNbInputs();
    for (int i = 0; i < inputs; i++) {
      ITensor input = layer.getInput(i);
      if (input == null || input.isNull()) {
        continue; // optional and absent
      }
      DataType type = input.getType().intern();
      DataType wanted = toLowType ? low : DataType.kFLOAT;
      if (isFloat(type) && type != wanted) {
        Map<Long, ITensor> casts = toLowType ? toLow : toExact;
        layer.setInput(i, casts.computeIfAbsent(input.address(), address -> cast(input, wanted)));
      }
    }
  }

  private static ElementWiseOperation operationOf(ILayer layer) {
    return new IElementWiseLayer(layer).getOperation().intern();
  }

  /** Tells whether rounding the inputs a little changes the result a little. */
  private static boolean isSmooth(ElementWiseOperation operation) {
    return switch (operation) {
      case kSUM, kSUB, kPROD, kDIV, kMIN, kMAX -> true;
      default -> false;
    };
  }

  private static boolean isFloat(DataType type) {
    return type == DataType.kFLOAT || type == DataType.kHALF || type == DataType.kBF16;
  }

  private boolean hasMixedInputs(ILayer layer) {
    Set<DataType> types = EnumSet.noneOf(DataType.class);
    for (int i = 0; i < layer.getNbInputs(); i++) {
      ITensor input = layer.getInput(i);
      if (input != null && !input.isNull() && isFloat(input.getType().intern())) {
        types.add(input.getType().intern());
      }
    }
    return types.size() > 1;
  }

  private ITensor cast(ITensor tensor, DataType type) {
    ICastLayer cast = network.addCast(tensor, type);
    cast.setName("rankrt cast of " + tensor.getName() + " to " + type);
    return cast.getOutput(0);
  }

  private void rememberLargeConstant(ILayer layer) {
    if (low == DataType.kHALF && layer.getType().intern() == LayerType.kCONSTANT) {
      try (Weights weights = new IConstantLayer(layer).getWeights()) {
        if (weights.type().intern() == DataType.kFLOAT && exceedsHalf(weights)) {
          tooLarge.add(layer.getOutput(0).address());
        }
      }
    }
  }

  /**
   * Follows large values as far as they stay large: the parser broadcasts constants through
   * shuffles, and models multiply, add and choose their masks.
   */
  private void rememberLargeResult(ILayer layer) {
    boolean large =
        switch (layer.getType().intern()) {
          case kSHUFFLE, kSLICE, kIDENTITY, kSELECT, kCONCATENATION, kGATHER ->
              hasTooLargeInput(layer);
          case kELEMENTWISE ->
              switch (operationOf(layer)) {
                case kSUM, kSUB, kPROD, kMIN, kMAX -> hasTooLargeInput(layer);
                // What is divided by a large number is small.
                case kDIV -> tooLarge.contains(layer.getInput(0).address());
                default -> false;
              };
          default -> false;
        };
    if (large) {
      tooLarge.add(layer.getOutput(0).address());
    }
  }

  private static boolean exceedsHalf(Weights weights) {
    long count = weights.count();
    FloatPointer values = new FloatPointer(weights.values());
    // In pieces: a buffer cannot be larger than 2 GiB, a table can.
    int piece = 1 << 28;
    for (long start = 0; start < count; start += piece) {
      FloatBuffer part =
          values.getPointer(start).capacity(Math.min(piece, count - start)).asBuffer();
      while (part.hasRemaining()) {
        if (Math.abs(part.get()) > LARGEST_HALF) {
          return true;
        }
      }
    }
    return false;
  }

  private boolean hasTooLargeInput(ILayer layer) {
    for (int i = 0; i < layer.getNbInputs(); i++) {
      ITensor input = layer.getInput(i);
      if (input != null && !input.isNull() && tooLarge.contains(input.address())) {
        return true;
      }
    }
    return false;
  }

  private void restoreOutputs(Map<String, DataType> declared) {
    for (int i = 0, n = network.getNbOutputs(); i < n; i++) {
      // Outputs move up as they are unmarked and the restored one goes last: after n turns the
      // order is the old one.
      ITensor output = network.getOutput(0);
      String name = output.getName();
      network.unmarkOutput(output);
      ITensor restored = output;
      DataType wanted = declared.get(name);
      if (output.getType().intern() != wanted) {
        output.setName(name + " before its cast");
        restored = cast(output, wanted);
        restored.setName(name);
      }
      network.markOutput(restored);
    }
  }

  private Set<String> layerNames(int layers) {
    Set<String> names = new TreeSet<>();
    for (int i = 0; i < layers && names.size() < 50; i++) {
      names.add(network.getLayer(i).getName());
    }
    return names;
  }
}
