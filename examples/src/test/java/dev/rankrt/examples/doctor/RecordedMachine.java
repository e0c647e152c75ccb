package dev.rankrt.examples.doctor;

import dev.rankrt.examples.doctor.Machine.Answer;
import dev.rankrt.examples.doctor.Machine.Driver;
import dev.rankrt.examples.gpu.GpuFacts;
import dev.rankrt.examples.gpu.GpuFacts.ComputeMode;
import dev.rankrt.natives.NativeInfo;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Instant;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;

/** The machines of {@code src/test/resources/doctor}; its README tells their format. */
enum RecordedMachine {
  TWO_SOCKET_NEGLECTED,
  TWO_SOCKET_TUNED,
  CONTAINER_CGROUP_V2,
  LAPTOP,
  RHEL8_CGROUP_V1;

  static final Instant NOW = Instant.parse("2026-03-01T12:00:00Z");

  /** Returns the name of its files, without their ends. */
  String file() {
    return name().toLowerCase(Locale.ROOT).replace('_', '-');
  }

  /** Unpacks its files under a folder. */
  Machine unpack(Path root) {
    try (InputStream recording =
        RecordedMachine.class.getResourceAsStream("/doctor/" + file() + ".txt")) {
      for (String line :
          new String(recording.readAllBytes(), StandardCharsets.UTF_8).lines().toList()) {
        if (!line.startsWith("#")) {
          int equals = line.indexOf(" = ");
          Path file = root.resolve(line.substring(0, equals));
          Files.createDirectories(file.getParent());
          Files.writeString(
              file,
              line.substring(equals + 3) + "\n",
              StandardOpenOption.CREATE,
              StandardOpenOption.APPEND);
        }
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    return read(root);
  }

  /** Reads what is under a folder now. */
  Machine read(Path root) {
    return new Machine(NOW, root, driver(), libraries(), jvm());
  }

  private Answer<Driver> driver() {
    return switch (this) {
      case TWO_SOCKET_NEGLECTED ->
          Answer.of(
              new Driver("NVML", "535.104.05", List.of(neglected(0, 0x3b), neglected(1, 0xd8))));
      case TWO_SOCKET_TUNED -> Answer.of(new Driver("NVML", "580.82.07", List.of(tuned(0, 0x3b))));
      case CONTAINER_CGROUP_V2, LAPTOP, RHEL8_CGROUP_V1 ->
          Answer.none("NVML cannot be loaded: libnvidia-ml.so.1: cannot open shared object file");
    };
  }

  private Answer<NativeInfo> libraries() {
    return switch (this) {
      case TWO_SOCKET_NEGLECTED ->
          Answer.none(
              "TensorRT is missing: found none, wanted libnvinfer.so.10 (TensorRT 10.6.0 or a later"
                  + " 10.x)");
      case TWO_SOCKET_TUNED -> Answer.of(libraries(true));
      case CONTAINER_CGROUP_V2, LAPTOP, RHEL8_CGROUP_V1 ->
          Answer.none("no NVIDIA driver: found none, wanted one for CUDA 12");
    };
  }

  private Jvm jvm() {
    return switch (this) {
      case TWO_SOCKET_NEGLECTED ->
          jvm(17, 8L << 30, Map.of("UseParallelGC", "true", "InitialHeapSize", "536870912"));
      case TWO_SOCKET_TUNED ->
          jvm(
              25,
              16L << 30,
              Map.of(
                  "UseZGC",
                  "true",
                  "AlwaysPreTouch",
                  "true",
                  "UseTransparentHugePages",
                  "true",
                  "UseLargePages",
                  "true",
                  "InitialHeapSize",
                  "17179869184"));
      case CONTAINER_CGROUP_V2 ->
          jvm(
              17,
              6L << 30,
              Map.of(
                  "UseG1GC", "true", "MaxGCPauseMillis", "200", "UseTransparentHugePages", "true"));
      case LAPTOP ->
          jvm(21, 1L << 30, Map.of("UseSerialGC", "true", "InitialHeapSize", "268435456"));
      case RHEL8_CGROUP_V1 -> new Jvm(17, 4L << 30, Map.of(), true, Optional.of("0"));
    };
  }

  static GpuFacts tuned(int index, int bus) {
    return new GpuFacts(
        index,
        "NVIDIA H100 PCIe",
        String.format("0000:%02x:00.0", bus),
        Optional.of(true),
        Optional.of(true),
        Optional.of(true),
        Optional.of(0L),
        Optional.of(false),
        Optional.of(ComputeMode.DEFAULT),
        Optional.of(1755),
        Optional.of(1755),
        Optional.of(2L),
        Optional.of(350.0),
        Optional.of(350.0),
        Optional.of(5),
        Optional.of(5),
        Optional.of(16),
        Optional.of(16),
        Optional.of(80L << 30));
  }

  private static GpuFacts neglected(int index, int bus) {
    return new GpuFacts(
        index,
        "NVIDIA A30",
        String.format("0000:%02x:00.0", bus),
        Optional.of(false),
        Optional.of(index == 0),
        Optional.of(index == 0),
        Optional.of(0L),
        Optional.of(index == 1),
        Optional.of(ComputeMode.EXCLUSIVE_PROCESS),
        Optional.of(210),
        Optional.of(1440),
        Optional.of(1L),
        Optional.of(120.0),
        Optional.of(165.0),
        Optional.of(1),
        Optional.of(4),
        Optional.of(index == 0 ? 16 : 8),
        Optional.of(16),
        Optional.of(24L << 30));
  }

  /** Returns a GPU of which the driver tells nothing. */
  static GpuFacts unknown() {
    return new GpuFacts(
        0,
        "NVIDIA vGPU",
        "0000:3b:00.0",
        Optional.empty(),
        Optional.empty(),
        Optional.empty(),
        Optional.empty(),
        Optional.empty(),
        Optional.empty(),
        Optional.empty(),
        Optional.empty(),
        Optional.empty(),
        Optional.empty(),
        Optional.empty(),
        Optional.empty(),
        Optional.empty(),
        Optional.empty(),
        Optional.empty(),
        Optional.empty());
  }

  static NativeInfo libraries(boolean parser) {
    return new NativeInfo(
        "linux-x86_64",
        "13.0",
        "12.6",
        "10.6.0",
        "tensorrt 10.6-1.5.11, cuda 12.6-9.5-1.5.11",
        Map.of(
            "libcudart.so.12", Path.of("/usr/local/cuda/lib64/libcudart.so.12"),
            "libnvinfer.so.10", Path.of("/usr/lib64/libnvinfer.so.10")),
        parser,
        true);
  }

  private static Jvm jvm(int feature, long maxHeap, Map<String, String> flags) {
    return new Jvm(feature, maxHeap, flags, true, Optional.empty());
  }
}
