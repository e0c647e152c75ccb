package dev.rankrt.examples.bench;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.rankrt.examples.gpu.GpuSample;
import java.util.Optional;
import java.util.concurrent.CountDownLatch;
import org.junit.jupiter.api.Test;

class GpuMeterTest {
  private static final Figures FIGURES =
      ExampleResults.full().rows().get(0).concurrent().orElseThrow().with(Optional.empty());

  @Test
  void readings_areCountedAndSummedUp() throws Exception {
    CountDownLatch read = new CountDownLatch(3);
    GpuMeter meter =
        GpuMeter.of(
            () -> {
              read.countDown();
              long left = read.getCount();
              return new GpuSample(
                  Optional.of(50), Optional.of(1000 - left), Optional.empty(), Optional.of(350.0));
            });

    Figures figures =
        meter.during(
            () -> {
              read.await();
              return FIGURES;
            });

    Figures.GpuUse use = figures.gpu().orElseThrow();
    assertEquals(50, use.utilisationPercent().orElseThrow());
    assertEquals(1000, use.memoryBytes().orElseThrow());
    assertEquals(Optional.empty(), use.clockMhz());
    assertEquals(350, use.powerWatts().orElseThrow());
    assertTrue(use.samples() >= 2, use::toString);
  }

  @Test
  void withoutAGpu_figuresStayAsTheyAre() throws Exception {
    assertSame(FIGURES, GpuMeter.none().during(() -> FIGURES));
  }
}
