package dev.rankrt;

import org.junit.jupiter.api.Tag;

/** The ranker's contract on the first GPU. */
@Tag("gpu")
class GpuRankerTest extends RankerContract {
  @Override
  Device device() {
    return Device.gpu(0);
  }
}
