package dev.rankrt.internal.onnx;

import java.io.IOException;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;
import java.util.stream.LongStream;

/**
 * The whole numbers that a graph computes from constants and the number of rows: axes, indices, and
 * the shapes that exporters like to compute at run time. One thread at a time.
 */
final class Numbers {
  /** The number of rows, among numbers of which -1 may be one, and the least for an open end. */
  static final long ROW_COUNT = Long.MIN_VALUE / 2 - 1;

  private final ProtoFile file;
  private final Map<String, OnnxTensor> constants;
  private final Map<String, long[]> known = new HashMap<>();

  Numbers(ProtoFile file, Map<String, OnnxTensor> constants) {
    this.file = file;
    this.constants = constants;
  }

  /**
   * Follows a node with one output.
   *
   * @param shape the dimensions of its first input where that has rows, else null
   */
  void follow(OnnxNode node, long[] shape) throws IOException {
    long[] made = computed(node, shape);
    if (made != null) {
      known.put(node.outputs().get(0), made);
    }
  }

  /** Returns the whole numbers that a node makes, as far as they are known; null where not. */
  private long[] computed(OnnxNode node, long[] shape) throws IOException {
    String first = node.inputs().isEmpty() ? "" : node.inputs().get(0);
    switch (node.operator()) {
      case "Constant" -> {
        OnnxNode.Attribute value = node.attributes().get("value");
        if (value != null) {
          return value.tensor() == null ? null : value.tensor().wholeNumbers(file);
        }
        if (node.attributes().containsKey("value_int")) {
          return new long[] {node.number("value_int", 0)};
        }
        return node.numbers("value_ints");
      }
      case "Shape" -> {
        return shape == null ? null : partOf(shape, node);
      }
      case "Cast" -> {
        long[] from = of(first);
        return from != null && keeps(from, node.number("to", 0)) ? from : null;
      }
      case "Identity" -> {
        return of(first);
      }
      case "Squeeze", "Unsqueeze" -> {
        long[] one = of(first);
        return one != null && one.length == 1 ? one : null;
      }
      case "Gather" -> {
        long[] from = of(first);
        long[] places = of(node.inputs().get(1));
        if (from == null || places == null || node.number("axis", 0) != 0) {
          return null;
        }
        for (long place : places) {
          if (place < -from.length || place >= from.length) {
            return null;
          }
        }
        return Arrays.stream(places)
            .map(place -> from[(int) (place < 0 ? place + from.length : place)])
            .toArray();
      }
      case "Slice" -> {
        long[] from = of(first);
        long[] starts = argument(node, 1);
        long[] ends = argument(node, 2);
        if (from == null || starts == null || ends == null || starts.length != 1) {
          return null;
        }
        long[] steps = argument(node, 4);
        if (steps == null && node.isGiven(4)) {
          return null;
        }
        return Arrays.stream(range(from.length, starts[0], ends[0], steps == null ? 1 : steps[0]))
            .mapToLong(place -> from[place])
            .toArray();
      }
      case "Concat" -> {
        long[] all = {};
        for (String input : node.inputs()) {
          long[] more = of(input);
          if (more == null) {
            return null;
          }
          all = LongStream.concat(Arrays.stream(all), Arrays.stream(more)).toArray();
        }
        return all;
      }
      default -> {
        return null;
      }
    }
  }

  /** Tells whether a type has all these numbers; any has room for the number of rows. */
  private static boolean keeps(long[] numbers, long element) {
    return element == Onnx.INT64
        || (element == Onnx.INT32
            && Arrays.stream(numbers)
                .allMatch(number -> number == (int) number || number == ROW_COUNT));
  }

  /** Returns the numbers of a tensor, null where they are not known. */
  long[] of(String name) throws IOException {
    long[] numbers = known.get(name);
    OnnxTensor constant = constants.get(name);
    if (numbers == null && constant != null) {
      numbers = constant.wholeNumbers(file);
      known.put(name, numbers);
    }
    return numbers;
  }

  /** Returns the numbers of a node's input, null where it is left out or they are not known. */
  long[] argument(OnnxNode node, int input) throws IOException {
    return node.inputs().size() > input ? of(node.inputs().get(input)) : null;
  }

  /** Returns the axes that a node is about, null where they are not known. */
  long[] axes(OnnxNode node) throws IOException {
    return node.inputs().size() > 1 ? argument(node, 1) : node.numbers("axes");
  }

  /** Returns the places that a slice takes. */
  static int[] range(int width, long start, long end, long step) {
    if (step == 0) {
      return new int[0];
    }
    boolean up = step > 0;
    long first = Math.max(0, Math.min(up ? width : width - 1, start < 0 ? start + width : start));
    long last = Math.max(up ? 0 : -1, Math.min(width, end < 0 ? end + width : end));
    long by = Math.max(-width - 1, Math.min(width + 1, step));
    return LongStream.iterate(first, at -> up ? at < last : at > last, at -> at + by)
        .mapToInt(Math::toIntExact)
        .toArray();
  }

  /** Returns what a Shape tells of dimensions with rows. */
  static long[] partOf(long[] shape, OnnxNode node) {
    long[] counted = shape.clone();
    counted[0] = ROW_COUNT;
    int rank = shape.length;
    int start = clamp(node.number("start", 0), rank);
    int end = clamp(node.number("end", rank), rank);
    return start < end ? Arrays.copyOfRange(counted, start, end) : new long[0];
  }

  private static int clamp(long axis, int rank) {
    return (int) Math.max(0, Math.min(rank, axis < 0 ? axis + rank : axis));
  }
}
