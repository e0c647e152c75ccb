package dev.rankrt.internal.onnx;

import dev.rankrt.internal.onnx.Value.Run;
import dev.rankrt.internal.onnx.Value.Split;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.IntStream;
import java.util.stream.LongStream;

/**
 * The nodes of a graph that is being made, and the tensors that are made of others on the way: some
 * columns, the half of a split tensor, a row for every candidate. One thread at a time.
 */
final class NewNodes {
  /** How many rows there are where the model fixes it, else 0. */
  private final int fixedRows;

  /** An input with rows, to ask for their number. */
  private final String candidates;

  private final List<OnnxNode> nodes = new ArrayList<>();
  private final Set<String> names;
  private final Set<String> made;
  private final Map<List<Long>, String> constants = new HashMap<>();
  private final Map<Integer, String> rowShapes = new HashMap<>();

  /**
   * Starts with no nodes.
   *
   * @param names of all tensors that the model has
   * @param made those of them that are there without a node
   */
  NewNodes(int fixedRows, String candidates, Set<String> names, Set<String> made) {
    this.fixedRows = fixedRows;
    this.candidates = candidates;
    this.names = new HashSet<>(names);
    this.made = new HashSet<>(made);
  }

  List<OnnxNode> all() {
    return nodes;
  }

  /** Tells whether a name is one of the model's, or of what was added to it. */
  boolean hasName(String tensor) {
    return names.contains(tensor);
  }

  /** Tells whether the new graph has a tensor by now. */
  boolean hasMade(String tensor) {
    return made.contains(tensor);
  }

  /** Takes an input that the model did not have. */
  void addInput(String name) {
    names.add(name);
    made.add(name);
  }

  void add(OnnxNode node) {
    nodes.add(node);
    made.addAll(node.outputs());
  }

  void add(
      String operator, String name, List<String> inputs, String output, Map<String, Long> numbers) {
    add(OnnxNode.of(operator, name, inputs, output, numbers));
  }

  /** Returns the name of a node beside another one. */
  static String named(OnnxNode node, String suffix) {
    return node.name().isEmpty() ? "" : node.name() + suffix;
  }

  /** Returns a name that no tensor has. */
  String fresh(String wanted) {
    String name = wanted;
    for (int number = 2; !names.add(name); number++) {
      name = wanted + number;
    }
    return name;
  }

  /** Returns a constant: a scalar, or a list of numbers. */
  String constant(boolean scalar, long... values) {
    List<Long> key = new ArrayList<>(Arrays.stream(values).boxed().toList());
    key.add(scalar ? 1L : 0L);
    return constants.computeIfAbsent(
        key,
        missing -> {
          String name = fresh("shared.constant");
          add(OnnxNode.constant(name, scalar, values));
          return name;
        });
  }

  /** Returns the tensor with some columns of another. */
  String pick(String source, int axis, int[] places, int width) {
    int first = places[0];
    boolean sideBySide = IntStream.range(0, places.length).allMatch(i -> places[i] == first + i);
    if (sideBySide && places.length == width) {
      return source;
    }
    String picked = fresh(source + ".columns");
    if (sideBySide) {
      List<String> inputs =
          List.of(
              source,
              constant(false, first),
              constant(false, first + places.length),
              constant(false, axis));
      add("Slice", picked, inputs, picked, Map.of());
    } else {
      long[] indices = Arrays.stream(places).asLongStream().toArray();
      List<String> inputs = List.of(source, constant(false, indices));
      add("Gather", picked, inputs, picked, Map.of("axis", (long) axis));
    }
    return picked;
  }

  /** Returns the tensor of one run of columns. */
  String cut(Run run, int axis) {
    return pick(
        run.source(), axis, IntStream.range(run.from(), run.to()).toArray(), run.sourceWidth());
  }

  /** Returns the tensor with all of a split tensor's columns that are the user's, or are not. */
  String half(Split split, boolean shared) {
    String known = shared ? split.shared : split.rows;
    if (known != null) {
      return known;
    }
    Map<String, List<Run>> sources = new LinkedHashMap<>();
    List<Run> runs = split.runs.stream().filter(run -> run.shared() == shared).toList();
    runs.forEach(run -> sources.computeIfAbsent(run.source(), key -> new ArrayList<>()).add(run));
    String half;
    if (sources.size() == 1 && isAll(runs)) {
      half = runs.get(0).source();
    } else {
      List<String> parts = runs.stream().map(run -> cut(run, split.axis())).toList();
      half = fresh(parts.get(0) + ".and");
      add("Concat", half, parts, half, Map.of("axis", (long) split.axis()));
    }
    if (shared) {
      split.shared = half;
    } else {
      split.rows = half;
    }
    return half;
  }

  /** Tells whether runs of one tensor are the whole of it, in its order. */
  private static boolean isAll(List<Run> runs) {
    int at = 0;
    for (Run run : runs) {
      if (run.from() != at) {
        return false;
      }
      at = run.to();
    }
    return at == runs.get(0).sourceWidth();
  }

  /** Gives a tensor of one row the candidates' rows. */
  void expand(String one, int rank, String rows) {
    add("Expand", rows, List.of(one, rowShape(rank)), rows, Map.of());
  }

  /** Returns the dimensions [rows, 1, ..., 1]. */
  String rowShape(int rank) {
    String known = rowShapes.get(rank);
    if (known != null) {
      return known;
    }
    long[] ones = new long[rank - 1];
    Arrays.fill(ones, 1);
    String shape;
    if (fixedRows > 0) {
      shape =
          constant(
              false, LongStream.concat(LongStream.of(fixedRows), Arrays.stream(ones)).toArray());
    } else if (rank == 1) {
      String all = fresh("candidates.shape");
      add("Shape", all, List.of(candidates), all, Map.of());
      shape = fresh("candidates.count");
      add("Gather", shape, List.of(all, constant(false, 0)), shape, Map.of("axis", 0L));
    } else {
      String count = rowShape(1);
      shape = fresh("candidates.rows");
      add("Concat", shape, List.of(count, constant(false, ones)), shape, Map.of("axis", 0L));
    }
    rowShapes.put(rank, shape);
    return shape;
  }
}
