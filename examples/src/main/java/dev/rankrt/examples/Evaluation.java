package dev.rankrt.examples;

import dev.rankrt.Session;
import java.util.List;

/**
 * How well a session's scores order the held-out examples. Immutable.
 *
 * @param rows how many examples there are
 * @param auc the AUC of the session's scores
 * @param referenceAuc the AUC of PyTorch's scores
 * @param popularityAuc the AUC of ranking by how often a product was sold before
 * @param largestDifference between a score and PyTorch's
 */
record Evaluation(
    int rows, double auc, double referenceAuc, double popularityAuc, double largestDifference) {

  static Evaluation of(Session session, RetailData data) {
    List<HeldOut> examples = data.heldOut();
    int count = examples.size();
    boolean[] bought = new boolean[count];
    double[] scores = new double[count];
    double[] reference = new double[count];
    double[] popularity = new double[count];
    double largestDifference = 0;
    int step = session.engine().maxBatch();
    for (int from = 0; from < count; from += step) {
      Rows rows = data.examples(examples.subList(from, Math.min(from + step, count)));
      float[] part = session.infer(rows.dense(), rows.ids());
      for (int i = 0; i < part.length; i++) {
        HeldOut example = examples.get(from + i);
        bought[from + i] = example.bought();
        scores[from + i] = part[i];
        reference[from + i] = example.reference();
        popularity[from + i] = example.popularity();
        // Math.max keeps a NaN, so that one is seen.
        largestDifference = Math.max(largestDifference, Math.abs(part[i] - example.reference()));
      }
    }
    return new Evaluation(
        count,
        Auc.of(bought, scores),
        Auc.of(bought, reference),
        Auc.of(bought, popularity),
        largestDifference);
  }
}
