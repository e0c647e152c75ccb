package dev.rankrt.natives.internal;

/** A version of TensorRT. Immutable. */
record Version(int major, int minor, int patch) {

  /**
   * Returns what {@code getInferLibVersion} means: {@code 100600} is 10.6.0. Before version 10 the
   * major part counted thousands.
   */
  static Version ofTensorRt(int number) {
    return number >= 100_000
        ? new Version(number / 10_000, number / 100 % 100, number % 100)
        : new Version(number / 1_000, number / 100 % 10, number % 100);
  }

  /** Returns CUDA's spelling of its numbers: {@code 12090} is {@code 12.9}. */
  static String cuda(int number) {
    return number / 1000 + "." + number % 1000 / 10;
  }

  @Override
  public String toString() {
    return major + "." + minor + "." + patch;
  }
}
