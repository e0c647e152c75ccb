package dev.rankrt.examples.bench;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.rankrt.ModelException;
import dev.rankrt.Precision;
import dev.rankrt.examples.bench.Results.Accuracy;
import dev.rankrt.examples.bench.Setting.Traffic;
import dev.rankrt.examples.bench.Tuner.Found;
import dev.rankrt.examples.bench.Tuner.Measured;
import dev.rankrt.examples.bench.Tuner.Step;
import dev.rankrt.examples.cli.Progress;
import dev.rankrt.streams.WaitPolicy;
import java.io.IOException;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.DoubleStream;
import java.util.stream.Stream;
import org.HdrHistogram.Histogram;
import org.junit.jupiter.api.Test;

/** Tuning of machines that are formulas. */
class TunerTest {
  private static final Traffic TRAFFIC = new Traffic(8, 1000, 10, 16);
  private static final Setup DEFAULTS = Setup.defaults(TRAFFIC.rows());

  @Test
  void gpu_everySettingThatHelpsIsFound_eachOnTopOfTheOthers() throws IOException {
    Found found =
        tune(
            true,
            setup -> {
              double micros = setup.precision() == Precision.FP16 ? 500 : 1000;
              micros *= setup.maxBatch() == 256 ? 0.8 : 1;
              micros *= setup.optimizeFor().equals(List.of(64)) ? 0.8 : 1;
              micros *= setup.workers() == 4 ? 0.8 : 1;
              micros *= setup.waitPolicy() == WaitPolicy.SPIN ? 0.8 : 1;
              micros *= setup.windowMicros() == 50 ? 0.8 : 1;
              return measured(micros, 1000, 0.001);
            });

    assertEquals(
        new Setup(Precision.FP16, 256, List.of(64), 0, 4, WaitPolicy.SPIN, 50), found.setup());
    assertEquals(1000, found.before().figures().p99Micros().orElseThrow(), 1);
    assertEquals(500 * Math.pow(0.8, 5), found.after().figures().p99Micros().orElseThrow(), 1);
    assertEquals(
        List.of("precision", "maxBatch", "optimizeFor", "workers", "waitPolicy", "batchingWindow"),
        found.steps().stream().map(Step::setting).toList());
  }

  @Test
  void processThatJustStarted_isMeasuredUntilItGetsNoFaster() throws IOException {
    assertSettles(90, 5, 3000, 800, 100, 90, 91);
  }

  @Test
  void whatIsThereAlready_isMeasuredAgainBesideTheOthers() throws IOException {
    AtomicInteger made = new AtomicInteger();
    Found found = tune(true, setup -> measured(made.incrementAndGet() == 1 ? 3000 : 1000, 1000, 0));

    assertEquals(DEFAULTS, found.setup());
    assertEquals(1000, found.before().figures().p99Micros().orElseThrow(), 1);
  }

  @Test
  void measurementThatWasSpoilt_doesNotCount() throws IOException {
    assertSettles(90, 2, 90, 3000);
    assertSettles(90, 3, 3000, 90, 92);
  }

  @Test
  void measurementsThatGetBetterForEver_end() throws IOException {
    assertSettles(1000 * Math.pow(0.5, 9), 10, Stream.iterate(1000.0, us -> us / 2).limit(20));
  }

  /** Expects the best of so many of the given p99s, in microseconds. */
  private static void assertSettles(double best, int made, double... micros) throws IOException {
    assertSettles(best, made, DoubleStream.of(micros).boxed());
  }

  private static void assertSettles(double best, int made, Stream<Double> micros)
      throws IOException {
    List<Double> all = micros.toList();
    AtomicInteger next = new AtomicInteger();
    Figures settled =
        Tuner.settled(() -> measured(all.get(next.getAndIncrement()), 1000, 0).figures());
    assertEquals(best, settled.p99Micros().orElseThrow(), 0.01 * best);
    assertEquals(made, next.get());
  }

  @Test
  void cpu_precisionAndKernelsAreLeftAlone() throws IOException {
    Found found = tune(false, setup -> measured(setup.cpuThreads() == 2 ? 500 : 1000, 1000, 0.001));

    assertEquals(DEFAULTS.withCpuThreads(2), found.setup());
    assertEquals(
        List.of("maxBatch", "cpuThreads", "workers", "batchingWindow"),
        found.steps().stream().map(Step::setting).toList());
  }

  @Test
  void differencesThatARepetitionMightMake_changeNothing() throws IOException {
    Found found = tune(true, setup -> measured(setup.equals(DEFAULTS) ? 1000 : 960, 1000, 0));

    assertEquals(DEFAULTS, found.setup());
    assertTrue(
        found.steps().stream().allMatch(step -> step.gain().equals("nothing tried was better")));
  }

  @Test
  void precisionThatCostsTooMuchAccuracy_isShownAndNotChosen() throws IOException {
    Found found =
        tune(
            true,
            setup ->
                switch (setup.precision()) {
                  case FP32, TF32 -> measured(1000, 1000, 0);
                  case FP16 -> measured(500, 1000, 0.006);
                  case BF16 -> measured(400, 1000, Double.POSITIVE_INFINITY);
                });

    assertEquals(Precision.FP32, found.setup().precision());
    Tuner.Trial half = found.steps().get(0).trials().get(2);
    assertEquals("FP16", half.value());
    assertEquals(0.006, half.accuracy().orElseThrow().maxDifference());
    assertTrue(half.note().orElseThrow().contains("accuracy"), half::toString);
    assertTrue(half.figures().isPresent());
  }

  @Test
  void valueThatCannotRunHere_isShownWithTheReason() throws IOException {
    Found found =
        tune(
            true,
            setup -> {
              if (setup.maxBatch() == 4096) {
                throw new ModelException("no memory\nand more", null);
              }
              return measured(1000, 1000, 0);
            });

    Tuner.Trial large =
        found.steps().get(1).trials().stream()
            .filter(trial -> trial.value().equals("4096"))
            .findFirst()
            .orElseThrow();
    assertEquals(Optional.of("no memory"), large.note());
    assertEquals(Optional.empty(), large.figures());
  }

  @Test
  void beyondTheLimit_moreAnswersCount_andWithinItFewerMicroseconds() throws IOException {
    Found found =
        tune(
            false,
            setup ->
                switch (setup.workers()) {
                  case 0 -> measured(50_000, 500, 0);
                  case 1 -> measured(60_000, 800, 0);
                  case 2 -> measured(40_000, 600, 0);
                  case 4 -> measured(9_000, 400, 0); // within the limit
                  default -> measured(90_000, 900, 0);
                });
    assertEquals(4, found.setup().workers());

    Found beyond =
        tune(false, setup -> measured(50_000 + setup.workers(), 500 + 100 * setup.workers(), 0));
    assertEquals(8, beyond.setup().workers());
    assertFalse(beyond.after().figures().within(10));
  }

  @Test
  void windowsAreNoLongerThanAQuarterOfTheLimit() {
    Setting window = Setting.ALL.get(Setting.ALL.size() - 1);
    Traffic hasty = new Traffic(1, 1000, 1, 2);
    assertEquals(
        List.of("50 us", "200 us"),
        window.others(DEFAULTS, hasty).stream().map(window::of).toList());
  }

  @Test
  void batchesHoldARequest() {
    Setup large = Setup.defaults(2000);
    assertEquals(2000, large.maxBatch());
    Setting maxBatch = Setting.ALL.get(1);
    assertEquals(
        List.of("4096"),
        maxBatch.others(large, new Traffic(2000, 1, 10, 2)).stream().map(maxBatch::of).toList());
  }

  private static Found tune(boolean gpu, Tuner.Measurement machine) throws IOException {
    return new Tuner(TRAFFIC, 0.005, gpu, machine, Progress.none()).tune(DEFAULTS);
  }

  private static Measured measured(double micros, int perSecond, double difference) {
    Histogram nanos = new Histogram(3);
    nanos.recordValueWithCount((long) (micros * 1000), perSecond);
    return new Measured(
        Figures.of(nanos, 0, Figures.Kind.OPEN, 0, 1000, 8, 1),
        Optional.of(new Accuracy(256, difference, difference / 2)));
  }
}
