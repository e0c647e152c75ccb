package dev.rankrt.examples;

/** A customer as the model knows it. Immutable. */
final class Customer {
  private final int index;
  private final String id;
  private final int country;
  private final float[] features;

  Customer(int index, String id, int country, float[] features) {
    this.index = index;
    this.id = id;
    this.country = country;
    this.features = features.clone();
  }

  int index() {
    return index;
  }

  /** Returns the shop's number for the customer, empty for orders that carry none. */
  String id() {
    return id;
  }

  int country() {
    return country;
  }

  int features() {
    return features.length;
  }

  void copyFeatures(float[] target, int from) {
    System.arraycopy(features, 0, target, from, features.length);
  }
}
