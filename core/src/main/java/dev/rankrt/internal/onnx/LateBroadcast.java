package dev.rankrt.internal.onnx;

import static dev.rankrt.internal.onnx.Value.ROWS;

import dev.rankrt.internal.onnx.OnnxGraph.Dimension;
import dev.rankrt.internal.onnx.Value.Kind;
import dev.rankrt.internal.onnx.Value.Run;
import dev.rankrt.internal.onnx.Value.Split;
import dev.rankrt.internal.onnx.Value.Whole;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.IntStream;
import java.util.stream.LongStream;

/**
 * Rewrites a graph for one user and many candidates: what is the user's comes in with one row, is
 * computed with one row, and gets the candidates' rows as late as can be. One thread at a time.
 *
 * <p>The pass visits the nodes in their order, and knows of each tensor of the model what stands
 * for it in the new graph:
 *
 * <ul>
 *   <li><b>fixed</b>, such as weights: the same tensor, whose size does not depend on the rows;
 *   <li><b>rows</b>: the same tensor, whose first axis is the candidates;
 *   <li><b>shared</b>: one row, where the model has as many equal ones as there are candidates;
 *   <li><b>split</b> along an axis: a shared tensor holds some of its columns, one with rows the
 *       others, and the tensor itself does not exist;
 *   <li><b>other</b>: the same tensor, of which nothing is known.
 * </ul>
 *
 * <p>An operator that treats rows alike keeps these kinds: applied to one row it makes one row, and
 * one row and many broadcast where ONNX broadcasts. Columns that are picked from a split tensor are
 * picked from its halves, looking up ids looks up both halves, and a product with a matrix is the
 * sum of two products, the user's computed once and added to every candidate's. Concatenating is
 * what makes splits, and costs nothing until somebody needs the whole.
 *
 * <p>Everything that is not known to be of that sort gets the tensors that the model had: shared
 * rows expanded, halves put together. This is always right, and the only thing that an operator
 * which this class does not know costs is time. So that it stays right, a method that handles an
 * operator decides everything before it adds a node, and returns null where it is in doubt.
 *
 * <p>Nodes keep their names. Where one becomes two, the candidates' half has the name, and the
 * user's has it with {@link #USER} behind; what joins them has it with {@link #BOTH} behind.
 */
final class LateBroadcast {
  /** Follows the name of what is the user's, where the candidates' part has the name. */
  static final String USER = ".user";

  /** Follows the name of what puts the results of both halves together. */
  static final String BOTH = ".both";

  private static final Set<String> ONE_BY_ONE =
      operators(
          """
          Abs Acos Acosh Asin Asinh Atan Atanh BitwiseNot Cast CastLike Ceil Celu Clip
          Cos Cosh Dropout Elu Erf Exp Floor Gelu HardSigmoid HardSwish Identity IsInf
          IsNaN LeakyRelu Log Mish Neg Not Reciprocal Relu Round Selu Shrink Sigmoid
          Sign Sin Sinh Softplus Softsign Sqrt Swish Tan Tanh ThresholdedRelu
          """);

  private static final Set<String> BROADCASTING =
      operators(
          """
          Add And BitwiseAnd BitwiseOr BitwiseXor Div Equal Greater GreaterOrEqual Less
          LessOrEqual Max Mean Min Mod Mul Or PRelu Pow Sub Sum Where Xor
          """);

  private static final Set<String> GIVING_BOOLEANS =
      operators(
          """
          And Equal Greater GreaterOrEqual IsInf IsNaN Less LessOrEqual Not Or Xor
          """);

  /** From here on, Max and Min are not for floats only. */
  private static final long OPSET_OF_ORDERED_INTEGERS = 12;

  private static Set<String> operators(String names) {
    return Set.of(names.strip().split("\\s+"));
  }

  /** Reductions, and what joins those of two halves; nothing where they cannot be joined. */
  private static final Map<String, String> REDUCTIONS =
      Map.of(
          "ReduceSum", "Add",
          "ReduceSumSquare", "Add",
          "ReduceL1", "Add",
          "ReduceProd", "Mul",
          "ReduceMax", "Max",
          "ReduceMin", "Min",
          "ReduceMean", "",
          "ReduceL2", "",
          "ReduceLogSumExp", "");

  private final OnnxGraph graph;

  /** How many rows there are where the model fixes it, else 0. */
  private final int fixedRows;

  private final NewNodes added;
  private final Numbers numbers;
  private final Map<String, Value> values = new HashMap<>();

  /** What branches and loops may read. */
  private final Set<String> captured = new HashSet<>();

  /** Tensors that may be of booleans, by the model's name. */
  private final Set<String> booleans = new HashSet<>();

  /** Tensors as the model had them, by the model's name. */
  private final Map<String, String> wholes = new HashMap<>();

  LateBroadcast(ProtoFile file, OnnxGraph graph, int fixedRows, String candidates) {
    this.graph = graph;
    this.fixedRows = fixedRows;
    this.numbers = new Numbers(file, graph.initializers);
    graph.initializers.forEach(
        (name, tensor) -> {
          values.put(name, new Whole(name, Kind.FIXED, tensor.shape()));
          if (tensor.element() == Onnx.BOOL) {
            booleans.add(name);
          }
        });
    graph.sparseInitializers.forEach(name -> values.put(name, new Whole(name, Kind.FIXED, null)));
    Set<String> there = new HashSet<>(values.keySet());
    graph.inputs.forEach(input -> there.add(input.name()));
    Set<String> names = new HashSet<>(there);
    for (OnnxNode node : graph.nodes) {
      names.addAll(node.outputs());
      captured.addAll(node.captured());
    }
    names.addAll(captured); // among them what branches and loops make themselves
    this.added = new NewNodes(fixedRows, candidates, names, there);
  }

  /** Tells whether the model has a tensor of a name. */
  boolean hasTensor(String name) {
    return added.hasName(name);
  }

  /**
   * Tells whether an input must stay what it is, since it is read where this class does not look.
   */
  boolean isReadElsewhere(String input) {
    return captured.contains(input) || graph.outputs.contains(input);
  }

  /** Takes an input as it is. */
  void input(String name, boolean hasRows, List<Dimension> dimensions) {
    long[] shape = dimensions.stream().mapToLong(Dimension::size).toArray();
    if (hasRows) {
      shape[0] = ROWS;
    }
    values.put(name, new Whole(name, hasRows ? Kind.ROWS : Kind.FIXED, shape));
  }

  /** Takes an input that has one row, which is the user's. */
  void sharedInput(String name, List<Dimension> dimensions) {
    input(name, true, dimensions);
    values.put(name, new Whole(name, Kind.SHARED, values.get(name).shape()));
  }

  /** Takes an input of two dimensions that has lost the user's columns to another one. */
  void splitInput(String name, String user, boolean[] columns) {
    added.addInput(user);
    values.put(name, Split.of(1, new long[] {ROWS, columns.length}, columns, user, name));
  }

  /** Returns the nodes of the new graph. */
  List<OnnxNode> rewrite() throws IOException {
    for (OnnxNode node : graph.nodes) {
      visit(node);
    }
    for (String output : graph.outputs) {
      if (!values.containsKey(output)) {
        throw new IOException("nothing makes its output '" + output + "'");
      }
      keep(output);
    }
    return added.all();
  }

  /** Sees to it that a tensor of the model has its own name. */
  private void keep(String name) {
    String whole = whole(name);
    if (!whole.equals(name)) {
      added.add("Identity", name, List.of(whole), name, Map.of());
    }
  }

  private void visit(OnnxNode node) throws IOException {
    List<Value> inputs = new ArrayList<>();
    for (String input : node.inputs()) {
      if (!input.isEmpty() && !values.containsKey(input)) {
        throw new IOException(
            "node '" + node.name() + "' reads '" + input + "', which nothing before it makes");
      }
      inputs.add(values.get(input));
    }
    boolean known = node.domain().isEmpty() && node.captured().isEmpty();
    List<Value> outputs = known ? rewritten(node, inputs) : null;
    if (outputs == null) {
      List<Value> wholes = wholes(node, inputs);
      outputs = known ? rewritten(node, wholes) : null;
      if (outputs == null) {
        outputs = unchanged(node, wholes);
      }
    }
    for (int i = 0; i < outputs.size(); i++) {
      String output = node.outputs().get(i);
      if (!output.isEmpty()) {
        values.put(output, outputs.get(i));
        if (captured.contains(output)) {
          keep(output);
          values.put(output, new Whole(output, Kind.OTHER, null));
        }
      }
    }
    if (mayGiveBooleans(node)) {
      booleans.addAll(node.outputs());
    }
    if (node.domain().isEmpty() && node.outputs().size() == 1) {
      Value first = inputs.isEmpty() ? null : inputs.get(0);
      numbers.follow(node, first != null && first.hasRows() ? first.shape() : null);
    }
  }

  private boolean mayGiveBooleans(OnnxNode node) {
    OnnxNode.Attribute to = node.attributes().get("to");
    if (to != null) {
      return to.number() == Onnx.BOOL;
    }
    OnnxNode.Attribute value = node.attributes().get("value");
    return GIVING_BOOLEANS.contains(node.operator())
        || (value != null && value.tensor() != null && value.tensor().element() == Onnx.BOOL)
        || node.inputs().stream()
            .skip(node.operator().equals("Where") ? 1 : 0) // its condition
            .anyMatch(booleans::contains);
  }

  /** Returns the tensors that a node read in the model. */
  private List<Value> wholes(OnnxNode node, List<Value> inputs) {
    List<Value> wholes = new ArrayList<>(inputs);
    for (int i = 0; i < inputs.size(); i++) {
      Value input = inputs.get(i);
      if (input instanceof Split || (input != null && input.kind() == Kind.SHARED)) {
        wholes.set(i, new Whole(whole(node.inputs().get(i)), Kind.ROWS, input.shape()));
      }
    }
    return wholes;
  }

  /** Adds a node as it was, of which nothing is known. */
  private List<Value> unchanged(OnnxNode node, List<Value> inputs) {
    boolean fixed =
        node.captured().isEmpty()
            && inputs.stream().allMatch(input -> input == null || input.kind() == Kind.FIXED);
    added.add(node.with(node.name(), namesOf(inputs), node.outputs()));
    long[] shape = fixed ? constantShape(node) : null;
    return node.outputs().stream()
        .<Value>map(output -> new Whole(output, fixed ? Kind.FIXED : Kind.OTHER, shape))
        .toList();
  }

  private static long[] constantShape(OnnxNode node) {
    if (!node.operator().equals("Constant")) {
      return null;
    }
    if (node.attributes().containsKey("value")) {
      OnnxTensor tensor = node.attributes().get("value").tensor();
      return tensor == null ? null : tensor.shape();
    }
    boolean scalar =
        node.attributes().containsKey("value_float") || node.attributes().containsKey("value_int");
    return scalar ? new long[0] : null;
  }

  /** Returns what stands for a node's outputs, null where the node must have what it had. */
  private List<Value> rewritten(OnnxNode node, List<Value> inputs) throws IOException {
    if (inputs.isEmpty() || inputs.get(0) == null) {
      return null;
    }
    for (int i = 0; i < inputs.size(); i++) {
      // A shape may well be computed from the number of rows.
      boolean target = i == 1 && node.operator().equals("Reshape");
      if (inputs.get(i) != null && inputs.get(i).kind() == Kind.OTHER && !target) {
        return null;
      }
    }
    if (node.operator().equals("Split")) {
      return split(node, inputs);
    }
    boolean one = node.outputs().stream().filter(output -> !output.isEmpty()).count() == 1;
    if (!one || node.outputs().get(0).isEmpty()) {
      return null;
    }
    Value output = output(node, inputs);
    return output == null ? null : List.of(output);
  }

  private Value output(OnnxNode node, List<Value> inputs) throws IOException {
    String operator = node.operator();
    if (ONE_BY_ONE.contains(operator)) {
      Value input = inputs.get(0);
      return othersFixed(inputs, 0) ? each(node, inputs, 0, input.shape(), input.axis()) : null;
    }
    if (BROADCASTING.contains(operator)) {
      return broadcasting(node, inputs);
    }
    if (REDUCTIONS.containsKey(operator)) {
      return reduction(node, inputs);
    }
    return switch (operator) {
      case "BatchNormalization" -> batchNormalization(node, inputs);
      case "Concat" -> concat(node, inputs);
      case "Flatten" -> flatten(node, inputs);
      case "Gather" -> gather(node, inputs);
      case "Gemm" -> gemm(node, inputs);
      case "LayerNormalization" -> layerNormalization(node, inputs);
      case "LogSoftmax", "Softmax" -> softmax(node, inputs);
      case "MatMul" -> matMul(node, inputs);
      case "Reshape" -> reshape(node, inputs);
      case "Shape" -> shape(node, inputs);
      case "Slice" -> slice(node, inputs);
      case "Squeeze", "Unsqueeze" -> squeeze(node, inputs);
      case "Transpose" -> transpose(node, inputs);
      default -> null;
    };
  }

  // ------------------------------------------------------------------------------- the operators

  private Value broadcasting(OnnxNode node, List<Value> inputs) {
    int rank = 0;
    Split split = null;
    boolean rows = false;
    for (Value input : inputs) {
      if (input == null || input.shape() == null) {
        return null;
      }
      if (input.hasRows()) {
        if (rank != 0 && rank != input.shape().length) {
          return null; // the rows of one would meet another axis of the other
        }
        rank = input.shape().length;
      }
      rows |= input.kind() == Kind.ROWS;
      if (input instanceof Split one) {
        if (split != null
            && (split.axis() != one.axis() || !Arrays.equals(split.columns(), one.columns()))) {
          return null;
        }
        split = one;
      }
    }
    if (split != null && rows) {
      return null;
    }
    boolean slope = node.operator().equals("PRelu") && inputs.get(0).kind() == Kind.SHARED;
    if (slope && (split != null || rows)) {
      return null; // it broadcasts its second input only
    }
    long[] shape = rank == 0 ? fixedBroadcast(inputs) : rowBroadcast(inputs, rank);
    if (shape == null) {
      return null;
    }
    if (split == null) {
      Kind kind = rows ? Kind.ROWS : rank > 0 ? Kind.SHARED : Kind.FIXED;
      String output = nameOf(node, kind);
      added.add(node.with(node.name(), namesOf(inputs), List.of(output)));
      return new Whole(output, kind, shape);
    }
    List<String> user = new ArrayList<>();
    List<String> candidate = new ArrayList<>();
    boolean[] columns = split.columns();
    for (Value input : inputs) {
      if (input instanceof Split one) {
        user.add(added.half(one, true));
        candidate.add(added.half(one, false));
        continue;
      }
      String name = ((Whole) input).name;
      int axis = split.axis() - (rank - input.shape().length);
      boolean wide = axis >= 0 && input.shape()[axis] != 1;
      user.add(wide ? added.pick(name, axis, Split.places(columns, true), columns.length) : name);
      candidate.add(
          wide ? added.pick(name, axis, Split.places(columns, false), columns.length) : name);
    }
    return halves(node, split.axis(), shape, columns, user, candidate);
  }

  /** Returns the shape of constants that are broadcast; null where that is not known. */
  private static long[] fixedBroadcast(List<Value> inputs) {
    int rank = inputs.stream().mapToInt(input -> input.shape().length).max().orElseThrow();
    long[] shape = new long[rank];
    Arrays.fill(shape, 1);
    for (Value input : inputs) {
      if (!widen(shape, input.shape(), 0)) {
        return null;
      }
    }
    return shape;
  }

  private static long[] rowBroadcast(List<Value> inputs, int rank) {
    long[] shape = new long[rank];
    Arrays.fill(shape, 1);
    shape[0] = ROWS;
    for (Value input : inputs) {
      long[] own = input.shape();
      boolean fits = own.length < rank || (own.length == rank && (input.hasRows() || own[0] == 1));
      if (!fits || !widen(shape, own, own.length == rank ? 1 : 0)) {
        return null;
      }
    }
    return shape;
  }

  /** Broadcasts a shape with another, from an axis of the other on. */
  private static boolean widen(long[] shape, long[] other, int from) {
    int offset = shape.length - other.length;
    for (int axis = from; axis < other.length; axis++) {
      if (other[axis] != 1) {
        if (shape[offset + axis] != 1 && shape[offset + axis] != other[axis]) {
          return false;
        }
        shape[offset + axis] = other[axis];
      }
    }
    return true;
  }

  private Value reduction(OnnxNode node, List<Value> inputs) throws IOException {
    Value input = inputs.get(0);
    long[] axes = numbers.axes(node);
    if (!input.hasRows() || axes == null || axes.length == 0) {
      return null;
    }
    long[] shape = input.shape();
    Set<Integer> reduced = new HashSet<>();
    for (long axis : axes) {
      reduced.add(normal(axis, shape.length));
    }
    if (reduced.contains(0)) {
      return null;
    }
    boolean keep = node.number("keepdims", 1) != 0;
    long[] left =
        IntStream.range(0, shape.length)
            .filter(axis -> keep || !reduced.contains(axis))
            .mapToLong(axis -> reduced.contains(axis) ? 1 : shape[axis])
            .toArray();
    if (!(input instanceof Split split)) {
      return each(node, inputs, 0, left, 0);
    }
    if (!reduced.contains(split.axis())) {
      int axis =
          (int) IntStream.range(0, split.axis()).filter(i -> keep || !reduced.contains(i)).count();
      return each(node, inputs, 0, left, axis);
    }
    String join = REDUCTIONS.get(node.operator());
    boolean ordered = join.equals("Max") || join.equals("Min"); // of fewer types than reductions
    boolean otherType =
        graph.opset < OPSET_OF_ORDERED_INTEGERS || booleans.contains(node.inputs().get(0));
    if (join.isEmpty() || (ordered && otherType)) {
      return null;
    }
    List<String> user = new ArrayList<>(namesOf(inputs));
    List<String> candidate = new ArrayList<>(user);
    user.set(0, added.half(split, true));
    candidate.set(0, added.half(split, false));
    return joined(node, join, user, candidate, left);
  }

  private Value softmax(OnnxNode node, List<Value> inputs) {
    Value input = inputs.get(0);
    if (!input.hasRows()) {
      return null;
    }
    boolean oneAxis = graph.opset >= 13; // before, all axes from one on were one
    int axis = normal(node.number("axis", oneAxis ? -1 : 1), input.shape().length);
    boolean apart = !(input instanceof Split split) || (oneAxis && axis != split.axis());
    return axis >= 1 && apart ? each(node, inputs, 0, input.shape(), input.axis()) : null;
  }

  private Value layerNormalization(OnnxNode node, List<Value> inputs) {
    Value input = inputs.get(0);
    if (!input.hasRows() || !othersFixed(inputs, 0)) {
      return null;
    }
    int rank = input.shape().length;
    int axis = normal(node.number("axis", -1), rank);
    boolean sameForRows =
        inputs.stream()
            .skip(1)
            .allMatch(
                scale ->
                    scale == null
                        || (scale.shape() != null && scale.shape().length <= rank - axis));
    return axis > input.axis() && sameForRows
        ? each(node, inputs, 0, input.shape(), input.axis())
        : null;
  }

  private Value batchNormalization(OnnxNode node, List<Value> inputs) {
    Value input = inputs.get(0);
    if (!input.hasRows()
        || input.shape().length < 2
        || !othersFixed(inputs, 0)
        || node.number("training_mode", 0) != 0) {
      return null;
    }
    if (!(input instanceof Split split) || split.axis() != 1) {
      return each(node, inputs, 0, input.shape(), input.axis());
    }
    boolean[] columns = split.columns();
    List<String> user = new ArrayList<>(List.of(added.half(split, true)));
    List<String> candidate = new ArrayList<>(List.of(added.half(split, false)));
    for (Value parameter : inputs.subList(1, inputs.size())) {
      String name = ((Whole) parameter).name;
      user.add(added.pick(name, 0, Split.places(columns, true), columns.length));
      candidate.add(added.pick(name, 0, Split.places(columns, false), columns.length));
    }
    return halves(node, 1, split.shape(), columns, user, candidate);
  }

  private Value concat(OnnxNode node, List<Value> inputs) {
    for (Value input : inputs) {
      if (input == null || !input.hasRows()) {
        return null;
      }
    }
    long[] shape = inputs.get(0).shape().clone();
    int axis = normal(node.number("axis", 1), shape.length);
    if (axis < 1 || inputs.stream().anyMatch(input -> input.shape().length != shape.length)) {
      return null;
    }
    shape[axis] = inputs.stream().mapToLong(input -> input.shape()[axis]).sum();
    boolean elsewhere =
        inputs.stream().anyMatch(input -> input instanceof Split split && split.axis() != axis);
    boolean rows = inputs.stream().allMatch(input -> input.kind() == Kind.ROWS);
    if (elsewhere || shape[axis] > Integer.MAX_VALUE) {
      return null;
    }
    if (rows || inputs.stream().allMatch(input -> input.kind() == Kind.SHARED)) {
      Kind kind = rows ? Kind.ROWS : Kind.SHARED;
      String output = nameOf(node, kind);
      added.add(node.with(node.name(), namesOf(inputs), List.of(output)));
      return new Whole(output, kind, shape);
    }
    List<Run> runs = new ArrayList<>();
    for (Value input : inputs) {
      if (input instanceof Split split) {
        runs.addAll(split.runs);
      } else {
        Whole whole = (Whole) input;
        int width = (int) whole.shape()[axis];
        runs.add(new Run(whole.kind() == Kind.SHARED, whole.name, 0, width, width));
      }
    }
    return new Split(axis, shape, runs);
  }

  private Value gather(OnnxNode node, List<Value> inputs) throws IOException {
    Value data = inputs.get(0);
    Value ids = inputs.get(1);
    if (data.shape() == null || ids.shape() == null) {
      return null;
    }
    int axis = normal(node.number("axis", 0), data.shape().length);
    if (axis == 0 && data.kind() == Kind.FIXED) {
      long[] shape =
          LongStream.concat(Arrays.stream(ids.shape()), Arrays.stream(data.shape()).skip(1))
              .toArray();
      return each(node, inputs, 1, shape, ids.axis());
    }
    if (axis == 0 || !data.hasRows() || ids.kind() != Kind.FIXED) {
      return null;
    }
    long[] shape =
        LongStream.concat(
                LongStream.concat(
                    Arrays.stream(data.shape()).limit(axis), Arrays.stream(ids.shape())),
                Arrays.stream(data.shape()).skip(axis + 1))
            .toArray();
    if (!(data instanceof Split split)) {
      return each(node, inputs, 0, shape, 0);
    }
    if (axis != split.axis()) {
      int moved = axis < split.axis() ? split.axis() - 1 + ids.shape().length : split.axis();
      return each(node, inputs, 0, shape, moved);
    }
    long[] picked = numbers.of(node.inputs().get(1));
    if (picked == null || ids.shape().length > 1) {
      return null;
    }
    int width = (int) split.shape()[axis];
    int[] places = Arrays.stream(picked).mapToInt(i -> (int) (i < 0 ? i + width : i)).toArray();
    if (places.length == 0 || Arrays.stream(places).anyMatch(i -> i < 0 || i >= width)) {
      return null;
    }
    return select(node, split, places, shape, ids.shape().length == 0, node.outputs().get(0));
  }

  private Value slice(OnnxNode node, List<Value> inputs) throws IOException {
    Value data = inputs.get(0);
    if (!data.hasRows() || !othersFixed(inputs, 0)) {
      return null;
    }
    long[] starts = numbers.argument(node, 1);
    long[] ends = numbers.argument(node, 2);
    long[] axes = numbers.argument(node, 3);
    long[] steps = numbers.argument(node, 4);
    if (starts == null
        || ends == null
        || (axes == null && node.isGiven(3))
        || (steps == null && node.isGiven(4))) {
      return null;
    }
    long[] shape = data.shape().clone();
    int[] places = {};
    boolean splits = false;
    for (int i = 0; i < starts.length; i++) {
      int axis = axes == null ? i : normal(axes[i], shape.length);
      if (axis < 1 || shape[axis] > Integer.MAX_VALUE) {
        return null;
      }
      places = Numbers.range((int) shape[axis], starts[i], ends[i], steps == null ? 1 : steps[i]);
      if (places.length == 0) {
        return null;
      }
      shape[axis] = places.length;
      splits |= data instanceof Split split && split.axis() == axis;
    }
    if (!splits) {
      return each(node, inputs, 0, shape, data.axis());
    }
    return starts.length > 1
        ? null
        : select(node, (Split) data, places, shape, false, node.outputs().get(0));
  }

  private List<Value> split(OnnxNode node, List<Value> inputs) throws IOException {
    Value data = inputs.get(0);
    if (!data.hasRows() || !othersFixed(inputs, 0)) {
      return null;
    }
    int axis = normal(node.number("axis", 0), data.shape().length);
    if (axis < 1) {
      return null;
    }
    boolean given = node.isGiven(1);
    long[] sizes = given ? numbers.argument(node, 1) : node.numbers("split");
    int count = node.outputs().size();
    long width = data.shape()[axis];
    if (sizes == null && !given) {
      long size = (width + count - 1) / count;
      sizes = LongStream.range(0, count).map(i -> Math.min(size, width - i * size)).toArray();
    }
    if (sizes == null || sizes.length != count || Arrays.stream(sizes).anyMatch(size -> size < 1)) {
      return null;
    }
    Split split = data instanceof Split one ? one : null;
    if (split != null && (split.axis() != axis || node.outputs().contains(""))) {
      return null;
    }
    List<String> outputs = new ArrayList<>();
    List<Value> parts = new ArrayList<>();
    int at = 0;
    for (int i = 0; i < count; i++) {
      long[] shape = data.shape().clone();
      shape[axis] = sizes[i];
      String output = node.outputs().get(i);
      if (split == null) {
        String name = output.isEmpty() ? "" : nameOf(output, data.kind());
        outputs.add(name);
        parts.add(new Whole(name, data.kind(), shape));
      } else {
        int[] places = IntStream.range(at, at + (int) sizes[i]).toArray();
        parts.add(select(node, split, places, shape, false, output));
      }
      at += (int) sizes[i];
    }
    if (split == null) {
      added.add(node.with(node.name(), namesOf(inputs), outputs));
    }
    return parts;
  }

  /** Picks columns from the halves of a split tensor. */
  private Value select(
      OnnxNode node, Split split, int[] places, long[] shape, boolean scalar, String output) {
    boolean[] columns = split.columns();
    int[] placeInHalf = new int[columns.length];
    int[] widths = new int[2];
    for (int i = 0; i < columns.length; i++) {
      placeInHalf[i] = widths[columns[i] ? 1 : 0]++;
    }
    boolean[] picked = new boolean[places.length];
    for (int i = 0; i < places.length; i++) {
      picked[i] = columns[places[i]];
    }
    int[] fromUser =
        Arrays.stream(places).filter(i -> columns[i]).map(i -> placeInHalf[i]).toArray();
    int[] fromCandidates =
        Arrays.stream(places).filter(i -> !columns[i]).map(i -> placeInHalf[i]).toArray();
    if (fromUser.length > 0 && fromCandidates.length > 0) {
      String user = added.pick(added.half(split, true), split.axis(), fromUser, widths[1]);
      String candidate =
          added.pick(added.half(split, false), split.axis(), fromCandidates, widths[0]);
      return Split.of(split.axis(), shape, picked, user, candidate);
    }
    boolean shared = fromUser.length > 0;
    String source = added.half(split, shared);
    int[] taken = shared ? fromUser : fromCandidates;
    Kind kind = shared ? Kind.SHARED : Kind.ROWS;
    if (!scalar) {
      return new Whole(
          added.pick(source, split.axis(), taken, widths[shared ? 1 : 0]), kind, shape);
    }
    String name = nameOf(output, kind);
    added.add(
        "Gather",
        node.name(),
        List.of(source, added.constant(true, taken[0])),
        name,
        Map.of("axis", (long) split.axis()));
    return new Whole(name, kind, shape);
  }

  private Value flatten(OnnxNode node, List<Value> inputs) {
    Value input = inputs.get(0);
    int axis = (int) node.number("axis", 1);
    long values = input.hasRows() ? rowSize(input.shape()) : 0;
    return axis == 1 && values > 0 ? reshaped(node, inputs, new long[] {ROWS, values}) : null;
  }

  private Value reshape(OnnxNode node, List<Value> inputs) throws IOException {
    Value input = inputs.get(0);
    long[] target = numbers.of(node.inputs().get(1));
    if (!input.hasRows() || target == null || target.length == 0) {
      return null;
    }
    boolean copies = node.number("allowzero", 0) == 0;
    long[] shape = target.clone();
    for (int axis = 0; axis < shape.length; axis++) {
      if (shape[axis] == 0) {
        if (!copies || axis >= input.shape().length) {
          return null;
        }
        shape[axis] = input.shape()[axis];
      }
    }
    boolean givesRows =
        shape[0] == ROWS
            || shape[0] == Numbers.ROW_COUNT
            || (fixedRows > 0 && shape[0] == fixedRows);
    if (!givesRows) {
      return null;
    }
    shape[0] = ROWS;
    int open = -1;
    long known = 1;
    for (int axis = 1; axis < shape.length; axis++) {
      if (shape[axis] == -1 && open < 0) {
        open = axis;
      } else if (shape[axis] < 1) {
        return null;
      } else {
        known *= shape[axis];
      }
    }
    long values = rowSize(input.shape());
    if (open >= 0) {
      if (target[0] == ROWS || values % known != 0) {
        return null;
      }
      shape[open] = values / known;
    } else if (known != values) {
      return null;
    }
    return reshaped(node, inputs, shape);
  }

  /** Gives every row other dimensions. */
  private Value reshaped(OnnxNode node, List<Value> inputs, long[] shape) {
    if (inputs.get(0) instanceof Whole whole) {
      if (whole.kind() == Kind.ROWS) {
        return each(node, inputs, 0, shape, 0);
      }
      String output = nameOf(node, Kind.SHARED);
      added.add(
          "Reshape",
          node.name(),
          List.of(whole.name, added.constant(false, shape)),
          output,
          Map.of());
      return new Whole(output, Kind.SHARED, shape);
    }
    Split split = (Split) inputs.get(0);
    if (shape.length < 2 || rowSize(shape) > Integer.MAX_VALUE) {
      return null;
    }
    // Which values of a row are the user's, and of which columns they make up the whole.
    int inner = (int) product(split.shape(), split.axis() + 1);
    boolean[] before = split.columns();
    int block = (int) product(shape, 2);
    boolean[] columns = new boolean[(int) shape[1]];
    for (int i = 0; i < rowSize(shape); i++) {
      boolean user = before[i / inner % before.length];
      if (i % block == 0) {
        columns[i / block] = user;
      } else if (columns[i / block] != user) {
        return null;
      }
    }
    long[] users = shape.clone();
    users[1] = Split.places(columns, true).length;
    long[] others = shape.clone();
    others[1] = columns.length - users[1];
    OnnxNode plain = OnnxNode.of("Reshape", node.name(), List.of(), "", Map.of());
    return halves(
        plain.with(node.name(), List.of(), node.outputs()),
        1,
        shape,
        columns,
        List.of(added.half(split, true), added.constant(false, users)),
        List.of(added.half(split, false), added.constant(false, others)));
  }

  private Value squeeze(OnnxNode node, List<Value> inputs) throws IOException {
    Value input = inputs.get(0);
    long[] axes = numbers.axes(node);
    if (!input.hasRows() || axes == null || axes.length == 0) {
      return null;
    }
    long[] shape = input.shape();
    boolean adds = node.operator().equals("Unsqueeze");
    int rank = adds ? shape.length + axes.length : shape.length;
    Set<Integer> ones = new HashSet<>();
    for (long axis : axes) {
      ones.add(normal(axis, rank));
    }
    if (ones.contains(0) || ones.size() != axes.length) {
      return null;
    }
    List<Long> after = new ArrayList<>();
    int splitAxis = input.axis();
    int moved = 0;
    int at = 0;
    for (int axis = 0; axis < rank; axis++) {
      if (adds && ones.contains(axis)) {
        after.add(1L);
        continue;
      }
      if (at == splitAxis) {
        moved = after.size();
      }
      if (!adds && ones.contains(axis)) {
        if (shape[at] != 1) {
          return null;
        }
      } else {
        after.add(shape[at]);
      }
      at++;
    }
    long[] result = after.stream().mapToLong(Long::longValue).toArray();
    return each(node, inputs, 0, result, moved);
  }

  private Value transpose(OnnxNode node, List<Value> inputs) {
    long[] order = node.numbers("perm");
    if (!(inputs.get(0) instanceof Whole whole) || whole.shape() == null) {
      return null;
    }
    int rank = whole.shape().length;
    if (order == null) {
      order = LongStream.range(0, rank).map(axis -> rank - 1 - axis).toArray();
    }
    if (order.length != rank || (whole.hasRows() && order[0] != 0)) {
      return null;
    }
    long[] shape = Arrays.stream(order).map(axis -> whole.shape()[(int) axis]).toArray();
    return each(node, inputs, 0, shape, 0);
  }

  private Value matMul(OnnxNode node, List<Value> inputs) {
    Value left = inputs.get(0);
    Value right = inputs.get(1);
    if (!left.hasRows() || right.shape() == null || left.shape().length < 2) {
      return null;
    }
    int rank = left.shape().length;
    long[] shape = left.shape().clone();
    if (right.hasRows()) {
      long[] other = right.shape();
      if (left instanceof Split || right instanceof Split || rank < 3 || other.length != rank) {
        return null;
      }
      shape[rank - 1] = other[rank - 1];
      for (int axis = 1; axis < rank - 2; axis++) {
        if (shape[axis] != other[axis]) {
          return null;
        }
      }
      boolean shared = left.kind() == Kind.SHARED && right.kind() == Kind.SHARED;
      Kind kind = shared ? Kind.SHARED : Kind.ROWS;
      String output = nameOf(node, kind);
      added.add(node.with(node.name(), namesOf(inputs), List.of(output)));
      return new Whole(output, kind, shape);
    }
    if (right.shape().length != 2) {
      return null;
    }
    shape[rank - 1] = right.shape()[1];
    if (!(left instanceof Split split) || split.axis() < rank - 1) {
      return each(node, inputs, 0, shape, left.axis());
    }
    boolean[] columns = split.columns();
    String weights = ((Whole) right).name;
    return joined(
        node,
        "Add",
        List.of(
            added.half(split, true),
            added.pick(weights, 0, Split.places(columns, true), columns.length)),
        List.of(
            added.half(split, false),
            added.pick(weights, 0, Split.places(columns, false), columns.length)),
        shape);
  }

  private Value gemm(OnnxNode node, List<Value> inputs) {
    Value left = inputs.get(0);
    long[] weights = inputs.get(1).shape();
    Value bias = inputs.size() > 2 ? inputs.get(2) : null;
    boolean sameForRows =
        bias == null || (bias.shape() != null && (bias.shape().length < 2 || bias.shape()[0] == 1));
    if (!left.hasRows()
        || left.shape().length != 2
        || !othersFixed(inputs, 0)
        || weights == null
        || weights.length != 2
        || node.number("transA", 0) != 0
        || !sameForRows) {
      return null;
    }
    int across = node.number("transB", 0) != 0 ? 1 : 0;
    long[] shape = {ROWS, weights[1 - across]};
    if (!(left instanceof Split split)) {
      return each(node, inputs, 0, shape, 0);
    }
    boolean[] columns = split.columns();
    String matrix = ((Whole) inputs.get(1)).name;
    List<String> user = new ArrayList<>();
    user.add(added.half(split, true));
    user.add(added.pick(matrix, across, Split.places(columns, true), columns.length));
    if (bias != null) {
      user.add(((Whole) bias).name);
    }
    String once = added.fresh(node.outputs().get(0) + USER);
    added.add(node.with(NewNodes.named(node, USER), user, List.of(once)));
    List<String> candidate =
        List.of(
            added.half(split, false),
            added.pick(matrix, across, Split.places(columns, false), columns.length),
            once);
    // What the user adds is in the place of the bias, and counts once.
    added.add(node.without("beta").with(node.name(), candidate, node.outputs()));
    return new Whole(node.outputs().get(0), Kind.ROWS, shape);
  }

  /** Tells the model's dimensions of what may have one row here. */
  private Value shape(OnnxNode node, List<Value> inputs) {
    Value input = inputs.get(0);
    if (!input.hasRows()) {
      return null;
    }
    String output = node.outputs().get(0);
    if (input.kind() == Kind.ROWS) {
      added.add(node.with(node.name(), namesOf(inputs), List.of(output)));
      return new Whole(output, Kind.OTHER, null);
    }
    long[] part = Numbers.partOf(input.shape(), node);
    if (part.length == 0 || part[0] != Numbers.ROW_COUNT) {
      return null;
    }
    List<String> pieces = new ArrayList<>(List.of(added.rowShape(1)));
    if (part.length > 1) {
      pieces.add(added.constant(false, Arrays.copyOfRange(part, 1, part.length)));
    }
    added.add("Concat", node.name(), pieces, output, Map.of("axis", 0L));
    return new Whole(output, Kind.OTHER, null);
  }

  // ------------------------------------------------------------------------------- adding nodes

  /** Applies a node to one of its inputs, or to both halves of it; the others are constants. */
  private Value each(OnnxNode node, List<Value> inputs, int main, long[] shape, int axis) {
    List<String> names = namesOf(inputs);
    if (inputs.get(main) instanceof Whole whole) {
      String output = nameOf(node, whole.kind());
      added.add(node.with(node.name(), names, List.of(output)));
      return new Whole(output, whole.kind(), shape);
    }
    Split split = (Split) inputs.get(main);
    List<String> user = new ArrayList<>(names);
    user.set(main, added.half(split, true));
    List<String> candidate = new ArrayList<>(names);
    candidate.set(main, added.half(split, false));
    return halves(node, axis, shape, split.columns(), user, candidate);
  }

  /** Adds a node for each half of what is split. */
  private Value halves(
      OnnxNode node,
      int axis,
      long[] shape,
      boolean[] columns,
      List<String> user,
      List<String> candidate) {
    String output = node.outputs().get(0);
    String userOutput = added.fresh(output + USER);
    String candidateOutput = added.fresh(output + ".candidates");
    added.add(node.with(NewNodes.named(node, USER), user, List.of(userOutput)));
    added.add(node.with(node.name(), candidate, List.of(candidateOutput)));
    return Split.of(axis, shape, columns, userOutput, candidateOutput);
  }

  /** Adds a node for each half, and one that makes a whole of what they give. */
  private Value joined(
      OnnxNode node, String join, List<String> user, List<String> candidate, long[] shape) {
    String output = node.outputs().get(0);
    String userOutput = added.fresh(output + USER);
    String candidateOutput = added.fresh(output + ".candidates");
    added.add(node.with(NewNodes.named(node, USER), user, List.of(userOutput)));
    added.add(node.with(node.name(), candidate, List.of(candidateOutput)));
    added.add(
        join, NewNodes.named(node, BOTH), List.of(candidateOutput, userOutput), output, Map.of());
    return new Whole(output, Kind.ROWS, shape);
  }

  /** Returns the tensor that the model had under a name, made now if that was not needed before. */
  private String whole(String name) {
    Value value = values.get(name);
    if (value instanceof Whole whole && whole.kind() != Kind.SHARED) {
      return whole.name;
    }
    String known = wholes.get(name);
    if (known != null) {
      return known;
    }
    String made = added.hasMade(name) ? added.fresh(name + ".rows") : name;
    if (value instanceof Whole whole) {
      added.expand(whole.name, whole.shape().length, made);
    } else {
      Split split = (Split) value;
      List<String> parts = new ArrayList<>();
      for (Run run : split.runs) {
        String part = added.cut(run, split.axis());
        if (run.shared()) {
          String one = part;
          part = added.fresh(one + ".rows");
          added.expand(one, split.shape().length, part);
        }
        parts.add(part);
      }
      added.add("Concat", made, parts, made, Map.of("axis", (long) split.axis()));
    }
    wholes.put(name, made);
    return made;
  }

  private String nameOf(OnnxNode node, Kind kind) {
    return nameOf(node.outputs().get(0), kind);
  }

  /** What the model gives back, and what its branches read, must have rows under its own name. */
  private String nameOf(String output, Kind kind) {
    boolean kept = graph.outputs.contains(output) || captured.contains(output);
    return kind == Kind.SHARED && kept ? added.fresh(output + USER) : output;
  }

  // ------------------------------------------------------------------------------- small questions

  private static boolean othersFixed(List<Value> inputs, int main) {
    return IntStream.range(0, inputs.size())
        .allMatch(i -> i == main || inputs.get(i) == null || inputs.get(i).kind() == Kind.FIXED);
  }

  /** Returns the names of whole values; of halves and what is left out, none. */
  private static List<String> namesOf(List<Value> inputs) {
    return inputs.stream().map(input -> input instanceof Whole whole ? whole.name : "").toList();
  }

  private static int normal(long axis, int rank) {
    return (int) (axis < 0 ? axis + rank : axis);
  }

  private static long rowSize(long[] shape) {
    return product(shape, 1);
  }

  private static long product(long[] shape, int from) {
    return Arrays.stream(shape).skip(from).reduce(1, Math::multiplyExact);
  }
}
