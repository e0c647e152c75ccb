package dev.rankrt.examples.doctor;

import dev.rankrt.natives.NativeInfo;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Collectors;

/** Are CUDA's runtime and TensorRT there, and do they fit the driver and each other? */
final class LibraryChecks {
  private static final Check MATCH =
      new Check(
          Group.LIBRARIES,
          "match",
          "libraries",
          "Where they are missing or do not fit, models run on the CPU.");
  private static final Check PARSER =
      new Check(
          Group.LIBRARIES,
          "parser",
          "ONNX parser",
          "Without it only plans can be opened, not ONNX files.");

  private LibraryChecks() {}

  static List<Finding> of(Machine machine) {
    Optional<NativeInfo> libraries = machine.libraries().value();
    if (libraries.isPresent()) {
      NativeInfo info = libraries.get();
      return List.of(
          MATCH.ok(
              "TensorRT "
                  + info.tensorRt()
                  + ", CUDA runtime "
                  + info.cudaRuntime()
                  + ", a driver for CUDA "
                  + info.driverCuda()
                  + "; from "
                  + folders(info.files())),
          info.parserFound()
              ? PARSER.ok("beside TensorRT")
              : PARSER.warn(
                  "not beside TensorRT",
                  "RHEL: sudo dnf install libnvonnxparsers10, Ubuntu: sudo apt install"
                      + " libnvonnxparsers10; or build plans elsewhere, on such a GPU"));
    }
    String problem = machine.libraries().problem();
    return List.of(
        machine.hasGpu()
            ? MATCH.fail(
                problem, "README, \"When a GPU cannot be used\"; -Predist packs them into the jar")
            : MATCH.skip("no GPU to use them: " + problem),
        PARSER.skip("looked for beside TensorRT alone"));
  }

  private static String folders(Map<String, Path> files) {
    return files.values().stream()
        .map(file -> String.valueOf(file.getParent()))
        .distinct()
        .sorted()
        .collect(Collectors.joining(", "));
  }
}
