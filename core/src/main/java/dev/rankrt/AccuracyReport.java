package dev.rankrt;

/**
 * What a lower precision costs: how far a model's outputs are from those of the same model in
 * {@link Precision#FP32}, measured on the GPU when the model was built. Immutable.
 *
 * @param precision the precision that was compared
 * @param rows how many rows were compared
 * @param given whether the rows were the user's; otherwise they were drawn, which for floats means
 *     from a normal distribution and for ids from the declared range, or from 0 to 9 where there is
 *     none
 * @param maxDifference the largest absolute difference of any output; not a number if any output
 *     was
 * @param meanDifference the mean absolute difference over all outputs
 */
public record AccuracyReport(
    Precision precision, int rows, boolean given, double maxDifference, double meanDifference) {}
