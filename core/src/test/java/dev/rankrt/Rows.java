package dev.rankrt;

import static dev.rankrt.testing.OnnxModels.DENSE;
import static dev.rankrt.testing.OnnxModels.IDS;
import static dev.rankrt.testing.OnnxModels.VOCABULARY;

import dev.rankrt.testing.OnnxModels;
import java.lang.reflect.Array;
import java.util.Arrays;
import java.util.Random;
import java.util.function.IntFunction;

/** Rows for {@link OnnxModels#ranker}, each of them different. */
final class Rows {
  final int count;
  final float[] dense;
  final int[] ids;

  Rows(int count) {
    this(new Random(count), count);
  }

  Rows(Random random, int count) {
    this.count = count;
    this.dense = new float[count * DENSE];
    this.ids = new int[count * IDS];
    for (int i = 0; i < dense.length; i++) {
      dense[i] = random.nextFloat() * 2 - 1;
    }
    for (int i = 0; i < ids.length; i++) {
      ids[i] = random.nextInt(VOCABULARY);
    }
  }

  Rows part(int from, int to) {
    Rows part = new Rows(to - from);
    System.arraycopy(dense, from * DENSE, part.dense, 0, part.dense.length);
    System.arraycopy(ids, from * IDS, part.ids, 0, part.ids.length);
    return part;
  }

  long[] longIds() {
    return Arrays.stream(ids).asLongStream().toArray();
  }

  float[][] denseRows() {
    return rows(float[][]::new, dense, DENSE);
  }

  int[][] idRows() {
    return rows(int[][]::new, ids, IDS);
  }

  long[][] longIdRows() {
    return rows(long[][]::new, longIds(), IDS);
  }

  @SuppressWarnings("SuspiciousSystemArraycopy") // both are arrays of the same type
  private <T> T[] rows(IntFunction<T[]> array, T flat, int width) {
    T[] rows = array.apply(count);
    for (int row = 0; row < count; row++) {
      @SuppressWarnings("unchecked")
      T one = (T) Array.newInstance(flat.getClass().componentType(), width);
      System.arraycopy(flat, row * width, one, 0, width);
      rows[row] = one;
    }
    return rows;
  }

  double exact(int row) {
    return OnnxModels.rankerScore(
        Arrays.copyOfRange(dense, row * DENSE, (row + 1) * DENSE),
        Arrays.copyOfRange(ids, row * IDS, (row + 1) * IDS));
  }
}
