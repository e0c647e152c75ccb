package dev.rankrt;

import dev.rankrt.internal.onnx.SharedModel;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.function.IntFunction;

/**
 * What one call of {@link Session#rank} was given: the floats and the ids of the user and of the
 * candidates, each for an input of the engine or for none. Immutable, but for the caller's arrays.
 *
 * @param <I> the type of the ids
 */
final class RankInputs<I> {
  private static final int NONE = -1;

  private final Part<float[]> userDense;
  private final Part<I> userIds;
  private final Part<float[]> candidateDense;
  private final Part<I> candidateIds;

  private RankInputs(
      Part<float[]> userDense,
      Part<I> userIds,
      Part<float[]> candidateDense,
      Part<I> candidateIds) {
    this.userDense = userDense;
    this.userIds = userIds;
    this.candidateDense = candidateDense;
    this.candidateIds = candidateIds;
  }

  /**
   * The inputs, by their place in the engine, of which any may be missing, but not both of the
   * candidates'.
   */
  record Places(int userDense, int userIds, int candidateDense, int candidateIds) {
    /** Finds the inputs; null where the model did not have one of floats and one of ids. */
    static Places of(List<TensorSpec> inputs, Map<String, List<EngineOptions.Columns>> shared) {
      int[] found = {NONE, NONE, NONE, NONE};
      List<String> names = new ArrayList<>(); // in the model
      for (int i = 0; i < inputs.size(); i++) {
        TensorSpec input = inputs.get(i);
        String whole = null;
        for (Map.Entry<String, List<EngineOptions.Columns>> entry : shared.entrySet()) {
          boolean part = !entry.getValue().isEmpty();
          if (input.name().equals(part ? SharedModel.userPartOf(entry.getKey()) : entry.getKey())) {
            whole = entry.getKey();
          }
        }
        int place = (whole == null ? 2 : 0) + (input.type().isFloat() ? 0 : 1);
        if (found[place] != NONE || (whole == null && !input.shape().hasBatch())) {
          return null;
        }
        found[place] = i;
        String model = whole == null ? input.name() : whole;
        if (!names.contains(model)) {
          names.add(model);
        }
      }
      boolean pair = names.size() == 2 && (found[0] != NONE || found[2] != NONE);
      return pair ? new Places(found[0], found[1], found[2], found[3]) : null;
    }

    <I> RankInputs<I> request(
        float[] ofUser, I idsOfUser, float[] ofCandidates, I idsOfCandidates, Values<I> ids) {
      return new RankInputs<>(
          new Part<>("userDense", userDense, Values.FLOAT_ARRAY, ofUser),
          new Part<>("userIds", userIds, ids, idsOfUser),
          new Part<>("candidateDense", candidateDense, Values.FLOAT_ARRAY, ofCandidates),
          new Part<>("candidateIds", candidateIds, ids, idsOfCandidates));
    }
  }

  /** Values for one input, or for none, and then there must be none. */
  private record Part<T>(String argument, int place, Values<T> form, T values) {
    int check(IntFunction<InputRules> rules) {
      if (place != NONE) {
        return rules.apply(place).check(form, values);
      }
      if (!isEmpty()) {
        throw new IllegalArgumentException(
            argument + " must be empty: the engine has no such input, going by its shared inputs");
      }
      return 0;
    }

    private boolean isEmpty() {
      return values == null
          || (values instanceof float[] floats && floats.length == 0)
          || (values instanceof int[] ints && ints.length == 0)
          || (values instanceof long[] longs && longs.length == 0);
    }

    void copy(Session session, int from, int rows) {
      if (place != NONE) {
        form.copy(values, from, rows, session.input(place), 0);
      }
    }
  }

  /** Checks everything that could be wrong, and returns the number of candidates. */
  int check(IntFunction<InputRules> rules) {
    userDense.check(rules);
    userIds.check(rules);
    int rows = candidateDense.check(rules);
    int idRows = candidateIds.check(rules);
    if (candidateDense.place() == NONE) {
      return idRows;
    }
    if (candidateIds.place() != NONE) {
      InputRules.requireSameRows(
          rules.apply(candidateDense.place()), rows, rules.apply(candidateIds.place()), idRows);
    }
    return rows;
  }

  /** Copies the user and some of the candidates, after a check. */
  void copy(Session session, int from, int rows) {
    userDense.copy(session, 0, 1);
    userIds.copy(session, 0, 1);
    candidateDense.copy(session, from, rows);
    candidateIds.copy(session, from, rows);
  }
}
