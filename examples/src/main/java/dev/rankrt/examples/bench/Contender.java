package dev.rankrt.examples.bench;

import dev.rankrt.Precision;

/** The rows of the comparison, in their order. Immutable. */
enum Contender {
  CPU("cpu-fp32", "CPU", Precision.FP32, Kind.CPU_SESSIONS),
  CPU_BATCHING("cpu-fp32-batching", "CPU, batching", Precision.FP32, Kind.CPU_RANKER),
  PYTORCH("pytorch-fp32", "GPU without TensorRT", Precision.FP32, Kind.PYTORCH),
  TENSORRT_FP32("tensorrt-fp32", "TensorRT FP32", Precision.FP32, Kind.GPU_SESSION),
  TENSORRT_FP16("tensorrt-fp16", "TensorRT FP16", Precision.FP16, Kind.GPU_SESSION),
  STREAMS("tensorrt-fp16-streams", "FP16, streams", Precision.FP16, Kind.GPU_SESSIONS),
  BATCHING("tensorrt-fp16-batching", "FP16, batching", Precision.FP16, Kind.GPU_RANKER);

  /** How requests are served. Immutable. */
  enum Kind {
    /** A session for each processor. */
    CPU_SESSIONS,
    /** A ranker on the CPU. */
    CPU_RANKER,
    /** PyTorch, in a process of its own. */
    PYTORCH,
    /** One session, whose requests take turns. */
    GPU_SESSION,
    /** A session for each request in flight. */
    GPU_SESSIONS,
    /** A ranker, which runs requests together that wait together. */
    GPU_RANKER;

    boolean onGpu() {
      return this != CPU_SESSIONS && this != CPU_RANKER;
    }
  }

  private final String id;
  private final String title;
  private final Precision precision;
  private final Kind kind;

  Contender(String id, String title, Precision precision, Kind kind) {
    this.id = id;
    this.title = title;
    this.precision = precision;
    this.kind = kind;
  }

  String id() {
    return id;
  }

  String title() {
    return title;
  }

  Precision precision() {
    return precision;
  }

  Kind kind() {
    return kind;
  }
}
