package dev.rankrt;

/** The ranker's contract on the CPU, through ONNX Runtime. */
class CpuRankerTest extends RankerContract {
  @Override
  Device device() {
    return Device.cpu();
  }
}
