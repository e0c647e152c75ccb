package dev.rankrt.internal.onnx;

import static dev.rankrt.testing.OnnxModel.BATCH;
import static dev.rankrt.testing.OnnxModel.Type.FLOAT;
import static dev.rankrt.testing.OnnxModel.Type.INT64;
import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.rankrt.Device;
import dev.rankrt.Engine;
import dev.rankrt.EngineOptions;
import dev.rankrt.Session;
import dev.rankrt.TensorSpec;
import dev.rankrt.testing.OnnxModel;
import dev.rankrt.testing.OnnxModel.Attribute;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.stream.IntStream;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.Size;
import net.jqwik.api.lifecycle.AfterContainer;
import net.jqwik.api.lifecycle.BeforeContainer;

/** The rewritten model computes what the model does, whatever it is made of. */
class LateBroadcastTest {
  private static final int FLOATS = 5;
  private static final int IDS = 4;
  private static final int VOCABULARY = 6;

  private static Path file;

  @BeforeContainer
  static void createFile() throws IOException {
    file = Files.createTempFile("random", ".onnx");
  }

  @AfterContainer
  static void deleteFile() throws IOException {
    Files.delete(file);
  }

  /** A tensor of a random graph, whose first dimension is the batch. */
  private record Tensor(String name, List<Integer> tail) {
    int rank() {
      return tail.size() + 1;
    }

    int dimension(int axis) {
      return tail.get(axis - 1);
    }

    int size() {
      return tail.stream().reduce(1, (a, b) -> a * b);
    }
  }

  /** Grows a graph of what ranking models are made of, and of what only looks like it. */
  private static final class RandomGraph {
    final OnnxModel model = new OnnxModel();
    private final List<Tensor> tensors = new ArrayList<>();
    private int named;

    RandomGraph() {
      model.input("dense", FLOAT, BATCH, FLOATS).input("ids", INT64, BATCH, IDS);
      tensors.add(new Tensor("dense", List.of(FLOATS)));
      tensors.add(look("ids", new Random(1)));
    }

    /** Adds an operator; which one and to what, the number decides. */
    void grow(long step) {
      Random random = new Random(step);
      Tensor x = tensors.get(random.nextInt(tensors.size()));
      Tensor y = tensors.get(random.nextInt(tensors.size()));
      int axis = x.rank() == 1 ? 0 : 1 + random.nextInt(x.rank() - 1);
      Tensor made =
          switch (random.nextInt(22)) {
            case 0 -> one(pick(random, "Relu", "Sigmoid", "Tanh", "Neg", "Identity"), x);
            case 1 -> new Tensor(product(x, random), withLast(x, 3));
            case 2 -> x.rank() == 2 ? gemm(x, random) : flat(x);
            case 3 -> withConstant(pick(random, "Add", "Mul", "Sub"), x, random);
            case 4, 5 -> pair(pick(random, "Add", "Mul", "Sub", "Max"), x, y);
            case 6, 7, 8 -> concat(x, y, axis);
            case 9 -> columns(x, axis, random);
            case 10 -> slice(x, axis, random);
            case 11 -> random.nextBoolean() ? flat(x) : folded(x);
            case 12 -> ones(x, random);
            case 13 -> reduced(x, axis, random);
            case 14 -> axis == 0 ? x : one("Softmax", x, Attribute.of("axis", axis));
            case 15 -> look(random.nextBoolean() ? "ids" : someIds(random), random);
            case 16 -> x.rank() == 3 ? interaction(x) : flat(x);
            case 17 -> split(x, axis, random);
            case 18 -> normalized(x, random);
            case 19 -> one("Softmax", x, Attribute.of("axis", 0)); // rows depend on each other
            case 20 -> shapedAtRunTime(x);
            default -> weighted(x, y);
          };
      if (made.size() > 0 && made.size() < 500) {
        tensors.add(made);
      }
    }

    OnnxModel finished() {
      for (int i = 0; i < 2; i++) {
        Tensor last = tensors.get(tensors.size() - 1 - i);
        model.node("Identity", last.name(), "out" + i).outputOfUnknownShape("out" + i, FLOAT);
      }
      return model;
    }

    private String name() {
      return "t" + named++;
    }

    private static String pick(Random random, String... names) {
      return names[random.nextInt(names.length)];
    }

    private String floats(Random random, long... dimensions) {
      String name = name();
      float[] values = new float[(int) Arrays.stream(dimensions).reduce(1, (a, b) -> a * b)];
      for (int i = 0; i < values.length; i++) {
        values[i] = random.nextFloat() - 0.5f;
      }
      model.floats(name, values, dimensions);
      return name;
    }

    private String longs(long... values) {
      String name = name();
      model.longs(name, values, values.length);
      return name;
    }

    private Tensor made(String operator, String inputs, List<Integer> tail, Attribute... how) {
      String name = name();
      model.node(operator, inputs, name, how);
      return new Tensor(name, tail);
    }

    private Tensor one(String operator, Tensor x, Attribute... how) {
      return made(operator, x.name(), x.tail(), how);
    }

    private static List<Integer> with(Tensor x, int axis, int size) {
      List<Integer> tail = new ArrayList<>(x.tail());
      tail.set(axis - 1, size);
      return tail;
    }

    private static List<Integer> withLast(Tensor x, int size) {
      return x.rank() == 1 ? List.of() : with(x, x.rank() - 1, size);
    }

    private String product(Tensor x, Random random) {
      if (x.rank() == 1) {
        return one("Identity", x).name();
      }
      String weights = floats(random, x.dimension(x.rank() - 1), 3);
      return made("MatMul", x.name() + " " + weights, List.of()).name();
    }

    private Tensor gemm(Tensor x, Random random) {
      boolean turned = random.nextBoolean();
      int width = x.dimension(1);
      String weights = turned ? floats(random, 4, width) : floats(random, width, 4);
      String bias =
          switch (random.nextInt(3)) {
            case 0 -> "";
            case 1 -> " " + floats(random, 4);
            default -> " " + floats(random, 1, 4);
          };
      return made(
          "Gemm",
          x.name() + " " + weights + bias,
          List.of(4),
          Attribute.of("transB", turned ? 1 : 0),
          Attribute.of("alpha", 0.5f + random.nextInt(2)),
          Attribute.of("beta", 0.5f + random.nextInt(2)));
    }

    private Tensor withConstant(String operator, Tensor x, Random random) {
      long[] shape = new long[random.nextInt(x.rank() + 1)];
      for (int i = 0; i < shape.length; i++) {
        int axis = x.rank() - shape.length + i;
        shape[i] = axis == 0 || random.nextBoolean() ? 1 : x.dimension(axis);
      }
      String constant = floats(random, shape);
      String inputs = random.nextBoolean() ? x.name() + " " + constant : constant + " " + x.name();
      return made(operator, inputs, x.tail());
    }

    private Tensor pair(String operator, Tensor x, Tensor y) {
      return x.tail().equals(y.tail())
          ? made(operator, x.name() + " " + y.name(), x.tail())
          : made(operator, x.name() + " " + x.name(), x.tail());
    }

    private Tensor concat(Tensor x, Tensor y, int axis) {
      if (axis == 0) {
        return x;
      }
      boolean fits = x.rank() == y.rank() && with(x, axis, 1).equals(with(y, axis, 1));
      Tensor other = fits ? y : x;
      return made(
          "Concat",
          x.name() + " " + other.name(),
          with(x, axis, x.dimension(axis) + other.dimension(axis)),
          Attribute.of("axis", axis - (axis % 2 == 0 ? x.rank() : 0)));
    }

    private Tensor columns(Tensor x, int axis, Random random) {
      if (axis == 0) {
        return x;
      }
      int width = x.dimension(axis);
      long[] places = random.longs(1 + random.nextInt(4), -width, width).toArray();
      return made(
          "Gather",
          x.name() + " " + longs(places),
          with(x, axis, places.length),
          Attribute.of("axis", axis));
    }

    private Tensor slice(Tensor x, int axis, Random random) {
      if (axis == 0) {
        return x;
      }
      int width = x.dimension(axis);
      int from = random.nextInt(width);
      int to = from + 1 + random.nextInt(width - from);
      boolean back = random.nextInt(4) == 0;
      String bounds =
          back
              ? longs(to - 1) + " " + longs(from - 1 - (from == 0 ? width : 0))
              : longs(from) + " " + longs(to == width ? Long.MAX_VALUE : to);
      return made(
          "Slice",
          x.name() + " " + bounds + " " + longs(axis) + " " + longs(back ? -1 : 1),
          with(x, axis, to - from));
    }

    private Tensor flat(Tensor x) {
      return made("Reshape", x.name() + " " + longs(-1, x.size()), List.of(x.size()));
    }

    private Tensor folded(Tensor x) {
      int block = x.size() % 2 == 0 ? 2 : 1;
      return made(
          "Reshape", x.name() + " " + longs(0, -1, block), List.of(x.size() / block, block));
    }

    private Tensor shapedAtRunTime(Tensor x) {
      String shape = made("Shape", x.name(), List.of()).name();
      String rows = made("Gather", shape + " " + longs(0), List.of()).name();
      String target =
          made("Concat", rows + " " + longs(x.size()), List.of(), Attribute.of("axis", 0)).name();
      return made("Reshape", x.name() + " " + target, List.of(x.size()));
    }

    private Tensor ones(Tensor x, Random random) {
      int first = x.tail().indexOf(1);
      List<Integer> tail = new ArrayList<>(x.tail());
      if (first >= 0 && random.nextBoolean()) {
        tail.remove(first);
        return made("Squeeze", x.name() + " " + longs(first + 1), tail);
      }
      if (x.rank() > 3) {
        return flat(x);
      }
      int axis = 1 + random.nextInt(x.rank());
      tail.add(axis - 1, 1);
      return made("Unsqueeze", x.name() + " " + longs(axis), tail);
    }

    private Tensor reduced(Tensor x, int axis, Random random) {
      if (axis == 0) {
        return x;
      }
      boolean keep = random.nextBoolean();
      List<Integer> tail = with(x, axis, 1);
      if (!keep) {
        tail.remove(axis - 1);
      }
      // Before opset 18 only sums take their axes as an input.
      String operator =
          pick(random, "ReduceSum", "ReduceSum", "ReduceMean", "ReduceMax", "ReduceL2");
      Attribute keeps = Attribute.of("keepdims", keep ? 1 : 0);
      return operator.equals("ReduceSum")
          ? made(operator, x.name() + " " + longs(axis), tail, keeps)
          : made(operator, x.name(), tail, keeps, Attribute.ofList("axes", axis));
    }

    private Tensor look(String ids, Random random) {
      int count = ids.equals("ids") ? IDS : 2;
      String table = floats(random, VOCABULARY, 3);
      return made("Gather", table + " " + ids, List.of(count, 3), Attribute.of("axis", 0));
    }

    private String someIds(Random random) {
      long first = random.nextInt(IDS);
      return made(
              "Gather",
              "ids " + longs(first, random.nextInt(IDS)),
              List.of(2),
              Attribute.of("axis", 1))
          .name();
    }

    private Tensor interaction(Tensor x) {
      String turned =
          made("Transpose", x.name(), List.of(), Attribute.ofList("perm", 0, 2, 1)).name();
      return made("MatMul", x.name() + " " + turned, List.of(x.dimension(1), x.dimension(1)));
    }

    private Tensor split(Tensor x, int axis, Random random) {
      if (axis == 0 || x.dimension(axis) < 2) {
        return x;
      }
      int width = x.dimension(axis);
      int first = 1 + random.nextInt(width - 1);
      String one = name();
      String other = name();
      model.node(
          "Split",
          x.name() + " " + longs(first, width - first),
          one + " " + other,
          Attribute.of("axis", axis));
      tensors.add(new Tensor(one, with(x, axis, first)));
      return new Tensor(other, with(x, axis, width - first));
    }

    private Tensor normalized(Tensor x, Random random) {
      if (x.rank() == 1) {
        return x;
      }
      if (random.nextBoolean()) {
        int last = x.dimension(x.rank() - 1);
        return made(
            "LayerNormalization",
            x.name() + " " + floats(random, last) + " " + floats(random, last),
            x.tail(),
            Attribute.of("axis", -1));
      }
      int width = x.dimension(1);
      String square =
          made("Mul", floats(random, width) + " " + floats(random, 1), List.of()).name();
      String variance = made("Abs", square, List.of()).name();
      String rest = floats(random, width) + " " + floats(random, width) + " ";
      return made(
          "BatchNormalization",
          x.name() + " " + floats(random, width) + " " + rest + variance,
          x.tail(),
          Attribute.of("epsilon", 0.5f));
    }

    /** A matrix of each row times one of each row, as attention has it. */
    private Tensor weighted(Tensor x, Tensor y) {
      boolean fits = x.rank() == 3 && y.rank() == 3 && x.dimension(2) == y.dimension(1);
      return fits
          ? made("MatMul", x.name() + " " + y.name(), List.of(x.dimension(1), y.dimension(2)))
          : flat(x);
    }
  }

  private static EngineOptions.Builder options() {
    return EngineOptions.builder().device(Device.cpu()).cpuThreads(1).maxBatch(8);
  }

  /** Shares some, not everything; the same for the same number. */
  private static boolean[][] share(EngineOptions.Builder options, Random random) {
    boolean[][] users = {new boolean[FLOATS], new boolean[IDS]};
    String[] names = {"dense", "ids"};
    int whole = random.nextInt(3);
    for (int input = 0; input < 2; input++) {
      if (whole == input) {
        Arrays.fill(users[input], true);
        options.shared(names[input]);
        continue;
      }
      int width = users[input].length;
      int own = random.nextInt(width);
      for (int i = 0; i < width; i++) {
        if (i != own && random.nextInt(3) > 0) {
          users[input][i] = true;
          options.shared(names[input], i, i + 1);
        }
      }
    }
    return users;
  }

  private static List<float[]> run(Session session, int rows) {
    session.run(rows);
    List<float[]> outputs = new ArrayList<>();
    for (TensorSpec output : session.engine().outputs()) {
      outputs.add(session.output(output.name()).toFloatArray());
    }
    return outputs;
  }

  @Property(tries = 200)
  void randomGraph_shared_computesTheSame(
      @ForAll @Size(min = 1, max = 14) List<Long> steps, @ForAll long seed) throws IOException {
    RandomGraph graph = new RandomGraph();
    steps.forEach(graph::grow);
    Files.write(file, graph.finished().bytes());
    Random random = new Random(seed);
    EngineOptions.Builder sharing = options();
    boolean[][] users = share(sharing, random);
    int rows = 1 + random.nextInt(5);
    float[] dense = new float[rows * FLOATS];
    long[] ids = new long[rows * IDS];
    for (int i = 0; i < dense.length; i++) {
      dense[i] =
          users[0][i % FLOATS] && i >= FLOATS ? dense[i - FLOATS] : random.nextFloat() - 0.5f;
    }
    for (int i = 0; i < ids.length; i++) {
      ids[i] = users[1][i % IDS] && i >= IDS ? ids[i - IDS] : random.nextInt(VOCABULARY);
    }
    try (Engine engine = Engine.open(file, options().build());
        Session session = engine.newSession();
        Engine shared = Engine.open(file, sharing.build());
        Session ranking = shared.newSession()) {
      session.input("dense").put(dense);
      session.input("ids").put(ids);
      List<float[]> expected = run(session, rows);
      for (TensorSpec input : shared.inputs()) {
        boolean floats = input.type().isFloat();
        boolean[] columns = users[floats ? 0 : 1];
        boolean user = !input.shape().hasBatch();
        int[] places =
            IntStream.range(0, user ? columns.length : rows * columns.length)
                .filter(i -> columns[i % columns.length] == user)
                .toArray();
        if (floats) {
          float[] values = new float[places.length];
          IntStream.range(0, places.length).forEach(i -> values[i] = dense[places[i]]);
          ranking.input(input.name()).put(values);
        } else {
          ranking.input(input.name()).put(Arrays.stream(places).mapToLong(i -> ids[i]).toArray());
        }
      }
      List<float[]> actual = run(ranking, rows);
      for (int output = 0; output < 2; output++) {
        assertEquals(expected.get(output).length, actual.get(output).length);
        for (int i = 0; i < expected.get(output).length; i++) {
          float value = expected.get(output)[i];
          assertEquals(value, actual.get(output)[i], 1e-4f * Math.max(1, Math.abs(value)));
        }
      }
    }
  }
}
