package dev.rankrt;

/** The contract of shared inputs on the CPU, through ONNX Runtime. */
class CpuSharedInputsTest extends SharedInputsContract {
  @Override
  Device device() {
    return Device.cpu();
  }
}
