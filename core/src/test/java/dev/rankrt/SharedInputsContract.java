package dev.rankrt;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;

import dev.rankrt.EngineOptions.Columns;
import dev.rankrt.testing.LeakCheck;
import dev.rankrt.testing.Reference;
import java.io.IOException;
import java.lang.reflect.Array;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.UnaryOperator;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.FieldSource;

/** What every backend must do where candidates share a user's inputs, through the API alone. */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
abstract class SharedInputsContract {
  private static final int MAX_BATCH = 100;
  private static final int[] SOME_SIZES = {1, 2, 31, 32, 100};

  @SuppressWarnings("unused") // by name
  private static final List<String> families = Reference.FAMILIES;

  @RegisterExtension final LeakCheck leaks = new LeakCheck();

  final Engines engines = new Engines(leaks);

  /** Returns the device that the backend is for. */
  abstract Device device();

  /** Returns the precision to compute in. */
  Precision precision() {
    return Precision.FP32;
  }

  /** Returns how many ways of sharing each family is tried with; each is built. */
  int splits() {
    return Integer.MAX_VALUE;
  }

  /** Returns by how much two engines of the same model may differ. */
  double tolerance() {
    return switch (precision()) {
      case FP32 -> 1e-5;
      case TF32 -> 2e-3;
      case FP16 -> 1e-2;
      case BF16 -> 4e-2;
    };
  }

  private EngineOptions.Builder options() {
    return EngineOptions.builder().device(device()).precision(precision()).maxBatch(MAX_BATCH);
  }

  @AfterAll
  void closeEngines() {
    engines.close();
  }

  // --------------------------------------------------------------------------------- the families

  /** A way of sharing a model's inputs. */
  private record Sharing(String name, UnaryOperator<EngineOptions.Builder> asked) {}

  private static List<Sharing> sharings(Reference reference) {
    if (reference.inputs().contains("history")) {
      return List.of(
          new Sharing(
              "the user's inputs", o -> o.shared("profile").shared("history").shared("context")),
          new Sharing("parts of them", o -> o.shared("profile", 4, 9).shared("history", 10, 20)),
          new Sharing("the item", o -> o.shared("item").shared("profile", 0, 15)),
          new Sharing("one column", o -> o.shared("history", 3, 4)),
          new Sharing("all but one column", o -> all(o).shared("history", 0, 19)));
    }
    int dense = Array.getLength(reference.input("dense", new int[1]));
    int ids = Array.getLength(reference.input("ids", new int[1]));
    return List.of(
        new Sharing(
            "the first columns",
            o -> o.shared("dense", 0, dense * 3 / 4).shared("ids", 0, ids * 3 / 4)),
        new Sharing("all floats and some ids", o -> o.shared("dense").shared("ids", 2, 9)),
        new Sharing(
            "the last columns", o -> o.shared("dense", dense / 4, dense).shared("ids", 5, ids)),
        new Sharing(
            "ranges in the middle",
            o -> o.shared("dense", 3, 7).shared("ids", 9, 11).shared("ids", 2, 5)),
        new Sharing("all floats", o -> o.shared("dense")),
        new Sharing("all ids", o -> o.shared("ids")),
        new Sharing("one float", o -> o.shared("dense", dense - 1, dense)),
        new Sharing("one id", o -> o.shared("ids", 4, 5)),
        new Sharing("all but one float", o -> o.shared("ids").shared("dense", 1, dense)));
  }

  private static EngineOptions.Builder all(EngineOptions.Builder options) {
    return options.shared("profile").shared("item").shared("context");
  }

  @ParameterizedTest
  @FieldSource("families")
  void family_sharedInEveryWay_scoresAsItDoesWithRepeatedRows(String family) throws IOException {
    Reference reference = Reference.load(family);
    try (Engine dense = engines.open(engines.write(family, reference.model()), options());
        Session repeated = dense.newSession()) {
      List<Sharing> sharings = sharings(reference);
      for (int i = 0; i < Math.min(splits(), sharings.size()); i++) {
        Sharing sharing = sharings.get(i);
        EngineOptions.Builder options = sharing.asked().apply(options());
        try (Engine engine = engines.open(engines.path(family), options);
            Session session = engine.newSession()) {
          int[] sizes = i == 0 ? IntStream.rangeClosed(1, 100).toArray() : SOME_SIZES;
          for (int size : sizes) {
            for (int start = 0; start < size; start += engine.maxBatch()) {
              int rows = Math.min(engine.maxBatch(), size - start);
              Request request = new Request(reference, size, start, rows, options.build());
              float[][] expected = request.repeated(repeated);
              float[][] scores = request.shared(session);
              for (int output = 0; output < scores.length; output++) {
                assertArrayEquals(
                    expected[output],
                    scores[output],
                    (float) tolerance(),
                    family + " sharing " + sharing.name() + ", candidates " + size);
              }
              request.rank(session, scores[0]);
            }
          }
        }
      }
    }
  }

  /** One user's row and some candidates', of which each gives the columns that are its own. */
  private static final class Request {
    private final int rows;
    private final Map<String, List<Columns>> sharing;
    private final Map<String, Object> repeated = new LinkedHashMap<>();
    private final Map<String, Object> shared = new LinkedHashMap<>();

    Request(Reference reference, int user, int start, int rows, EngineOptions options) {
      this.rows = rows;
      this.sharing = options.shared();
      int[] candidates = reference.from(user + start, rows);
      for (String input : reference.inputs()) {
        Object own = reference.input(input, candidates);
        List<Columns> columns = sharing.get(input);
        if (columns == null) {
          repeated.put(input, own);
          shared.put(input, own);
          continue;
        }
        Object one = reference.input(input, new int[] {user});
        int width = Array.getLength(one);
        boolean[] users = new boolean[width];
        Arrays.fill(users, columns.isEmpty());
        columns.forEach(range -> Arrays.fill(users, range.from(), range.to(), true));
        Object all = emptyLike(own, rows * width);
        for (int i = 0; i < rows * width; i++) {
          Array.set(all, i, users[i % width] ? Array.get(one, i % width) : Array.get(own, i));
        }
        repeated.put(input, all);
        if (columns.isEmpty()) {
          shared.put(input, one);
        } else {
          shared.put(input + ".user", picked(one, users, true));
          shared.put(input, picked(own, users, false));
        }
      }
    }

    private static Object emptyLike(Object array, int length) {
      return Array.newInstance(array.getClass().componentType(), length);
    }

    private static Object picked(Object values, boolean[] users, boolean wanted) {
      int[] places =
          IntStream.range(0, Array.getLength(values))
              .filter(i -> users[i % users.length] == wanted)
              .toArray();
      Object picked = emptyLike(values, places.length);
      for (int i = 0; i < places.length; i++) {
        Array.set(picked, i, Array.get(values, places[i]));
      }
      return picked;
    }

    float[][] repeated(Session session) {
      return run(session, repeated);
    }

    float[][] shared(Session session) {
      return run(session, shared);
    }

    private float[][] run(Session session, Map<String, Object> inputs) {
      inputs.forEach((name, values) -> put(session.input(name), values));
      session.run(rows);
      return session.engine().outputs().stream()
          .map(output -> session.output(output.name()).toFloatArray())
          .toArray(float[][]::new);
    }

    private static void put(InputTensor input, Object values) {
      if (values instanceof float[] floats) {
        input.put(floats);
      } else if (values instanceof int[] ints) {
        input.put(ints);
      } else {
        input.put((long[]) values);
      }
    }

    /** Asks for the same scores in one call, where the model is of that kind. */
    void rank(Session session, float[] expected) {
      if (!repeated.keySet().equals(java.util.Set.of("dense", "ids"))
          || session.engine().outputs().size() != 1) {
        return;
      }
      float[] scores =
          repeated.get("ids") instanceof int[]
              ? session.rank(
                  part("dense", true, new float[0]),
                  part("ids", true, new int[0]),
                  part("dense", false, new float[0]),
                  part("ids", false, new int[0]))
              : session.rank(
                  part("dense", true, new float[0]),
                  part("ids", true, new long[0]),
                  part("dense", false, new float[0]),
                  part("ids", false, new long[0]));
      assertArrayEquals(expected, scores);
    }

    @SuppressWarnings("unchecked") // of the same type as what there is otherwise
    private <T> T part(String input, boolean users, T none) {
      Object user = shared.get(input + ".user");
      Object whole = shared.get(input);
      boolean wholeIsUsers = user == null && sharing.containsKey(input);
      if (users) {
        return (T) (user != null ? user : wholeIsUsers ? whole : none);
      }
      return (T) (wholeIsUsers ? none : whole);
    }
  }
}
