package dev.rankrt.examples.bench;

import dev.rankrt.Device;
import java.util.ArrayList;
import java.util.List;

/** A setup as Java, to paste into a service. */
final class JavaCode {
  private static final String INDENT = "\n    ";

  private JavaCode() {}

  /** Returns the statements that open a model with a setup, and the imports that they need. */
  static String of(Setup setup, Workload workload, Device device) {
    List<String> imports =
        new ArrayList<>(
            List.of(
                "dev.rankrt.Device",
                "dev.rankrt.EngineOptions",
                "dev.rankrt.Precision",
                "dev.rankrt.Ranker",
                "dev.rankrt.RankerOptions",
                "java.nio.file.Path"));
    boolean gpu = device.type() == Device.Type.GPU;
    StringBuilder engine = new StringBuilder("EngineOptions options = EngineOptions.builder()");
    engine.append(INDENT).append(gpu ? ".device(Device.gpu(0))" : ".device(Device.cpu())");
    engine.append(INDENT).append(".precision(Precision.").append(setup.precision()).append(')');
    engine.append(INDENT).append(".maxBatch(").append(setup.maxBatch()).append(')');
    if (!setup.optimizeFor().isEmpty()) {
      String batches =
          String.join(", ", setup.optimizeFor().stream().map(String::valueOf).toList());
      engine.append(INDENT).append(".optimizeFor(").append(batches).append(')');
    }
    if (setup.cpuThreads() > 0) {
      engine.append(INDENT).append(".cpuThreads(").append(setup.cpuThreads()).append(')');
    }
    workload
        .ids()
        .forEach(
            (input, range) ->
                engine
                    .append(INDENT)
                    .append(
                        Units.text(
                            ".idRange(%s, %dL, %dL)", quoted(input), range.min(), range.max())));
    engine.append(INDENT).append(".build();\n");

    StringBuilder serving = new StringBuilder("RankerOptions serving = RankerOptions.builder()");
    if (setup.workers() > 0) {
      serving.append(INDENT).append(".workers(").append(setup.workers()).append(')');
    }
    if (setup.windowMicros() > 0) {
      imports.add("java.time.Duration");
      serving
          .append(INDENT)
          .append(".batchingWindow(Duration.ofNanos(")
          .append(setup.windowMicros() * 1000L)
          .append("))");
    }
    serving.append(INDENT).append(".build();\n");

    StringBuilder code = new StringBuilder();
    imports.forEach(name -> code.append("import ").append(name).append(";\n"));
    return code.append('\n')
        .append(engine)
        .append(serving)
        .append("Ranker ranker = Ranker.open(Path.of(")
        .append(quoted(workload.file().toString()))
        .append("), options, serving);\n")
        .toString();
  }

  private static String quoted(String text) {
    return '"' + text.replace("\\", "\\\\").replace("\"", "\\\"") + '"';
  }
}
