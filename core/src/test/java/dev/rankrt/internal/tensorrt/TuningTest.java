package dev.rankrt.internal.tensorrt;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.rankrt.AccuracyReport;
import dev.rankrt.EngineOptions.PerformanceHint;
import dev.rankrt.Precision;
import dev.rankrt.internal.tensorrt.Tuning.Choice;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Properties;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.DoubleRange;
import net.jqwik.api.constraints.IntRange;
import org.junit.jupiter.api.Test;

/** What is kept in a plan's header: how it runs best, and what its precision costs. */
class TuningTest {

  @Property(tries = 300)
  void tuning_writtenAndRead_isTheSame(
      @ForAll @IntRange(min = 1, max = Integer.MAX_VALUE) int maxBatch,
      @ForAll @IntRange(max = 7) int profile,
      @ForAll Transfer transfer,
      @ForAll @DoubleRange(min = 0, max = 1e9) double micros,
      @ForAll PerformanceHint hint) {
    Map<Integer, Choice> choices = new LinkedHashMap<>();
    for (int size : new Buckets(0, maxBatch).sizes()) {
      choices.put(size, new Choice(profile, transfer, micros / size));
    }
    Tuning tuning = new Tuning(choices);
    Properties header = new Properties();
    header.setProperty("precision", "FP16");
    tuning.writeTo(header, hint);
    PerformanceHint other =
        hint == PerformanceHint.LATENCY ? PerformanceHint.THROUGHPUT : PerformanceHint.LATENCY;
    Tuning.uniform(new Buckets(0, maxBatch), 8, transfer).writeTo(header, other);
    Tuning read = Tuning.readFrom(header, hint);
    assertEquals(tuning, read);
    assertEquals(new ArrayList<>(choices.keySet()), new ArrayList<>(read.choices().keySet()));
    assertEquals(new Choice(profile, transfer, micros), read.of(1));
  }

  @Test
  void headerWithoutTuning_hasChoicesForNothing() {
    Tuning tuning = Tuning.readFrom(new Properties(), PerformanceHint.LATENCY);
    assertEquals(Map.of(), tuning.choices());
    assertFalse(tuning.fits(new Buckets(0, 1), 1));
  }

  @Test
  void tuning_fitsTheBucketsAndProfilesThatItKnows() {
    Tuning tuning = Tuning.uniform(new Buckets(0, 64), 1, Transfer.MAPPED);
    assertEquals(new Choice(1, Transfer.MAPPED, 0), tuning.of(32));
    assertTrue(tuning.fits(new Buckets(0, 64), 2));
    assertTrue(tuning.fits(new Buckets(0, 32), 2), "fewer buckets");
    assertTrue(tuning.fits(new Buckets(16, 16), 3), "one of them");
    assertFalse(tuning.fits(new Buckets(0, 64), 1), "a profile that there is not");
    assertFalse(tuning.fits(new Buckets(0, 128), 2), "a bucket more");
    assertFalse(tuning.fits(new Buckets(0, 50), 2), "another largest");
  }

  @Test
  void tuning_keepsItsOwnChoices() {
    Map<Integer, Choice> choices = new LinkedHashMap<>();
    choices.put(1, new Choice(0, Transfer.COPY, 1));
    Tuning tuning = new Tuning(choices);
    choices.clear();
    assertEquals(1, tuning.choices().size());
  }

  @Test
  void runsThatFill_areToldByWhatOneTakesAloneAndBesideOthers() {
    assertEquals(2, Tuner.runsThatFill(120, 60));
    assertEquals(2.4, Tuner.runsThatFill(24, 10), 1e-9);
    assertEquals(1.5, Tuner.runsThatFill(1000, 990), "one computes while another is copied");
    assertEquals(1.5, Tuner.runsThatFill(90, 100), "what is measured varies");
    assertEquals(Double.POSITIVE_INFINITY, Tuner.runsThatFill(54, 18), "three did not fill it");
    assertEquals(Double.POSITIVE_INFINITY, Tuner.runsThatFill(0, 0), "not measured");
    assertEquals(Double.POSITIVE_INFINITY, Tuner.runsThatFill(50, 0));
    assertEquals(Double.POSITIVE_INFINITY, Tuner.runsThatFill(0, 50));
  }

  @Test
  void accuracy_writtenAndRead_isTheSame() {
    for (double difference : new double[] {0, 1e-30, 0.1, Double.NaN, Double.POSITIVE_INFINITY}) {
      AccuracyReport report =
          new AccuracyReport(Precision.BF16, 300, true, difference, difference / 3);
      Properties header = new Properties();
      header.setProperty("precision", "BF16");
      Accuracy.writeTo(report, header);
      assertEquals(Optional.of(report), Accuracy.readFrom(header));
    }
    assertEquals(Optional.empty(), Accuracy.readFrom(new Properties()));
  }

  @Property
  void everyRowCount_hasABucketBelowTwiceItsRows(
      @ForAll @IntRange(min = 1, max = Integer.MAX_VALUE) int maxBatch, @ForAll int seed) {
    int rows = 1 + Math.floorMod(seed, maxBatch);
    int bucket = 0;
    int before = 0;
    for (int size : new Buckets(0, maxBatch).sizes()) {
      assertTrue(size > before, "sizes ascend");
      before = size;
      if (bucket < rows) {
        bucket = size;
      }
    }
    assertEquals(maxBatch, before);
    assertTrue(bucket >= rows && bucket < 2L * rows, rows + " rows in " + bucket);
  }

  @Test
  void buckets_arePowersOfTwoAndTheLimit() {
    assertEquals(List.of(1), sizes(new Buckets(0, 1)));
    assertEquals(List.of(1, 2), sizes(new Buckets(0, 2)));
    assertEquals(List.of(1, 2, 3), sizes(new Buckets(0, 3)));
    assertEquals(List.of(1, 2, 4, 8, 16, 32, 64, 100), sizes(new Buckets(0, 100)));
    assertEquals(List.of(100), sizes(new Buckets(100, 100)), "a fixed batch");
    assertEquals(List.of(100), sizes(new Buckets(100, 7)), "a fixed batch beyond the limit");
    assertEquals(32, sizes(new Buckets(0, Integer.MAX_VALUE)).size());
  }

  private static List<Integer> sizes(Buckets buckets) {
    List<Integer> list = new ArrayList<>();
    for (int size : buckets.sizes()) {
      list.add(size);
    }
    assertEquals(buckets.largest(), list.get(list.size() - 1));
    return list;
  }
}
