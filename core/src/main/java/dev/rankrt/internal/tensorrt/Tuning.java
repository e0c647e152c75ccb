package dev.rankrt.internal.tensorrt;

import dev.rankrt.EngineOptions.PerformanceHint;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Properties;

/**
 * What serves each bucket best, for latency or for throughput, as it was measured. Immutable.
 *
 * @param choices by bucket, in the buckets' order
 */
record Tuning(Map<Integer, Choice> choices) {
  /**
   * How one bucket runs.
   *
   * @param profile the optimisation profile's index
   * @param transfer how its data travels
   * @param micros what a call takes, alone or of the GPU's time beside others; 0 where nobody
   *     measured
   */
  record Choice(int profile, Transfer transfer, double micros) {}

  Tuning {
    choices = new LinkedHashMap<>(choices);
  }

  /** Returns the same way for every bucket. */
  static Tuning uniform(Buckets buckets, int profile, Transfer transfer) {
    Map<Integer, Choice> choices = new LinkedHashMap<>();
    for (int size : buckets.sizes()) {
      choices.put(size, new Choice(profile, transfer, 0));
    }
    return new Tuning(choices);
  }

  Choice of(int bucket) {
    return choices.get(bucket);
  }

  /** Tells whether any of some buckets copies its data to the device and back. */
  boolean copies(int[] buckets) {
    return Arrays.stream(buckets).anyMatch(size -> of(size).transfer() == Transfer.COPY);
  }

  /**
   * Tells whether there is a choice for every bucket, and none is for a profile that does not
   * exist.
   */
  boolean fits(Buckets buckets, int profiles) {
    for (int size : buckets.sizes()) {
      Choice choice = choices.get(size);
      if (choice == null || choice.profile() >= profiles) {
        return false;
      }
    }
    return true;
  }

  void writeTo(Properties header, PerformanceHint hint) {
    String prefix = prefix(hint);
    choices.forEach(
        (bucket, choice) ->
            header.setProperty(
                prefix + bucket,
                choice.profile() + " " + choice.transfer() + " " + choice.micros()));
  }

  static Tuning readFrom(Properties header, PerformanceHint hint) {
    String prefix = prefix(hint);
    Map<Integer, Choice> choices = new LinkedHashMap<>();
    header.stringPropertyNames().stream()
        .filter(key -> key.startsWith(prefix))
        .map(key -> Integer.valueOf(key.substring(prefix.length())))
        .sorted()
        .forEach(
            bucket -> {
              String[] parts = header.getProperty(prefix + bucket).split(" ", -1);
              choices.put(
                  bucket,
                  new Choice(
                      Integer.parseInt(parts[0]),
                      Transfer.valueOf(parts[1]),
                      Double.parseDouble(parts[2])));
            });
    return new Tuning(choices);
  }

  private static String prefix(PerformanceHint hint) {
    return "tuning." + hint + ".";
  }
}
