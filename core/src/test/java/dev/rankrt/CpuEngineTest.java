package dev.rankrt;

/** The contract on the CPU, through ONNX Runtime. */
class CpuEngineTest extends EngineContract {
  @Override
  Device device() {
    return Device.cpu();
  }
}
