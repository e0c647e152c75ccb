package dev.rankrt.examples.doctor;

/** What checks are about. */
enum Group {
  GPU("GPU and driver"),
  LIBRARIES("CUDA and TensorRT"),
  CPU("Processors"),
  MEMORY("Memory"),
  CONTAINER("Control group"),
  JVM("JVM, the one that runs this: start it with your service's flags");

  private final String heading;

  Group(String heading) {
    this.heading = heading;
  }

  String heading() {
    return heading;
  }
}
