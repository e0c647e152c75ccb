package dev.rankrt.examples;

/** A product as the model knows it. Immutable. */
final class Product {
  private final int index;
  private final String code;
  private final String name;
  private final float[] features;

  Product(int index, String code, String name, float[] features) {
    this.index = index;
    this.code = code;
    this.name = name;
    this.features = features.clone();
  }

  int index() {
    return index;
  }

  String code() {
    return code;
  }

  String name() {
    return name;
  }

  int features() {
    return features.length;
  }

  void copyFeatures(float[] target, int from) {
    System.arraycopy(features, 0, target, from, features.length);
  }
}
