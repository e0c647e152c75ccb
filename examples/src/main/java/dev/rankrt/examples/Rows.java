package dev.rankrt.examples;

/** What one call of the model is given: rows of floats and rows of ids, one after the other. */
final class Rows {
  static final int IDS = 5;

  private final int count;
  private final float[] dense;
  private final long[] ids;

  Rows(int count, int denseWidth) {
    this.count = count;
    this.dense = new float[count * denseWidth];
    this.ids = new long[count * IDS];
  }

  /** Sets one row; a product's features come before a customer's, as the model was trained. */
  void set(int row, Product product, Customer customer, int month, int weekday) {
    int width = dense.length / count;
    product.copyFeatures(dense, row * width);
    customer.copyFeatures(dense, row * width + product.features());
    int place = row * IDS;
    ids[place] = customer.index();
    ids[place + 1] = product.index();
    ids[place + 2] = customer.country();
    ids[place + 3] = month;
    ids[place + 4] = weekday;
  }

  /** Returns the floats themselves, for {@link dev.rankrt.Session#infer(float[], long[])}. */
  float[] dense() {
    return dense;
  }

  /** Returns the ids themselves. */
  long[] ids() {
    return ids;
  }
}
