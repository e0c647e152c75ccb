package dev.rankrt;

import dev.rankrt.internal.onnx.SharedModel;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/**
 * The inputs that {@link Session#rank} is about, in an engine that shares some: the floats and the
 * ids of the user and of the candidates, of which any one but not both of the candidates' may be
 * missing. One thread at a time, as the session.
 */
final class RankInputs {
  private final InputTensor userDense;
  private final InputTensor userIds;
  private final InputTensor candidateDense;
  private final InputTensor candidateIds;

  private RankInputs(InputTensor[] inputs) {
    this.userDense = inputs[0];
    this.userIds = inputs[1];
    this.candidateDense = inputs[2];
    this.candidateIds = inputs[3];
  }

  /** Finds the inputs; null where the model did not have one of floats and one of ids. */
  static RankInputs of(InputTensor[] inputs, Map<String, List<EngineOptions.Columns>> shared) {
    InputTensor[] found = new InputTensor[4];
    List<String> names = new ArrayList<>(); // in the model
    for (InputTensor input : inputs) {
      String name = input.spec().name();
      String whole = null;
      for (Map.Entry<String, List<EngineOptions.Columns>> entry : shared.entrySet()) {
        boolean part = !entry.getValue().isEmpty();
        if (name.equals(part ? SharedModel.userPartOf(entry.getKey()) : entry.getKey())) {
          whole = entry.getKey();
        }
      }
      int place = (whole == null ? 2 : 0) + (input.spec().type().isFloat() ? 0 : 1);
      if (found[place] != null || (whole == null && !input.spec().shape().hasBatch())) {
        return null;
      }
      found[place] = input;
      String model = whole == null ? name : whole;
      if (!names.contains(model)) {
        names.add(model);
      }
    }
    boolean pair = names.size() == 2 && (found[0] != null || found[2] != null);
    return pair ? new RankInputs(found) : null;
  }

  /** Checks what a call was given, copies it, and returns the number of candidates. */
  <I> int put(float[] ofUser, I idsOfUser, float[] ofCandidates, I idsOfCandidates, Values<I> ids) {
    check(userDense, Values.FLOAT_ARRAY, ofUser, ofUser == null || ofUser.length == 0, "userDense");
    check(userIds, ids, idsOfUser, isEmpty(idsOfUser), "userIds");
    int rows =
        check(
            candidateDense,
            Values.FLOAT_ARRAY,
            ofCandidates,
            ofCandidates == null || ofCandidates.length == 0,
            "candidateDense");
    int idRows =
        check(candidateIds, ids, idsOfCandidates, isEmpty(idsOfCandidates), "candidateIds");
    if (candidateDense != null && candidateIds != null && rows != idRows) {
      throw new IllegalArgumentException(
          "input "
              + candidateDense.spec()
              + " was given "
              + rows
              + " rows, input "
              + candidateIds.spec()
              + " "
              + idRows);
    }
    copy(userDense, Values.FLOAT_ARRAY, ofUser);
    copy(userIds, ids, idsOfUser);
    copy(candidateDense, Values.FLOAT_ARRAY, ofCandidates);
    copy(candidateIds, ids, idsOfCandidates);
    return candidateDense != null ? rows : idRows;
  }

  private static boolean isEmpty(Object ids) {
    return ids == null
        || (ids instanceof int[] ints && ints.length == 0)
        || (ids instanceof long[] longs && longs.length == 0);
  }

  private static <T> int check(
      InputTensor input, Values<T> form, T values, boolean empty, String argument) {
    if (input != null) {
      return input.check(form, values);
    }
    if (!empty) {
      throw new IllegalArgumentException(
          argument + " must be empty: the engine has no such input, going by its shared inputs");
    }
    return 0;
  }

  private static <T> void copy(InputTensor input, Values<T> form, T values) {
    if (input != null) {
      form.copy(values, input);
    }
  }
}
