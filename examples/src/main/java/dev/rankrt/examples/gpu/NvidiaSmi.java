package dev.rankrt.examples.gpu;

import dev.rankrt.examples.gpu.GpuFacts.ComputeMode;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.Iterator;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.function.Function;

/** The program {@code nvidia-smi}, which writes a line of comma-separated values for each GPU. */
final class NvidiaSmi implements Nvml {
  /** With many GPUs and persistence mode off, the driver starts each of them first. */
  private static final long PATIENCE_SECONDS = 30;

  /** What is asked of it, in the order of its answer. */
  private enum Field {
    INDEX("index"),
    NAME("name"),
    PCI("pci.bus_id"),
    DRIVER("driver_version"),
    PERSISTENCE("persistence_mode"),
    ECC("ecc.mode.current"),
    ECC_PENDING("ecc.mode.pending"),
    ECC_ERRORS("ecc.errors.uncorrected.volatile.total"),
    MIG("mig.mode.current"),
    COMPUTE_MODE("compute_mode"),
    CLOCK("clocks.sm"),
    CLOCK_MAX("clocks.max.sm"),
    SLOWDOWNS("clocks_throttle_reasons.active"),
    POWER("power.draw"),
    POWER_LIMIT("enforced.power.limit"),
    POWER_DEFAULT("power.default_limit"),
    PCIE("pcie.link.gen.current"),
    PCIE_MAX("pcie.link.gen.max"),
    LANES("pcie.link.width.current"),
    LANES_MAX("pcie.link.width.max"),
    MEMORY("memory.total"),
    MEMORY_USED("memory.used"),
    UTILISATION("utilization.gpu");

    private final String query;

    Field(String query) {
      this.query = query;
    }
  }

  /** Runs a program and returns what it wrote. */
  interface Runner {
    String run(List<String> command) throws IOException;
  }

  private final Runner runner;
  private final String driverVersion;

  private NvidiaSmi(Runner runner, String driverVersion) {
    this.runner = runner;
    this.driverVersion = driverVersion;
  }

  static Nvml open() throws NvmlUnavailableException {
    return open(NvidiaSmi::run);
  }

  static Nvml open(Runner runner) throws NvmlUnavailableException {
    try {
      List<Map<Field, String>> lines = ask(runner);
      return new NvidiaSmi(runner, lines.isEmpty() ? "" : lines.get(0).get(Field.DRIVER));
    } catch (IOException e) {
      throw new NvmlUnavailableException("nvidia-smi does not answer (" + e.getMessage() + ")", e);
    }
  }

  @Override
  public String source() {
    return "nvidia-smi";
  }

  @Override
  public String driverVersion() {
    return driverVersion;
  }

  @Override
  public List<GpuFacts> gpus() {
    return answers().stream().map(NvidiaSmi::facts).toList();
  }

  private static GpuFacts facts(Map<Field, String> line) {
    return new GpuFacts(
        number(line, Field.INDEX).orElse(0),
        line.get(Field.NAME),
        Nvml.canonicalAddress(line.get(Field.PCI)),
        enabled(line, Field.PERSISTENCE),
        enabled(line, Field.ECC),
        enabled(line, Field.ECC_PENDING),
        value(line, Field.ECC_ERRORS, Long::valueOf),
        enabled(line, Field.MIG),
        value(line, Field.COMPUTE_MODE, NvidiaSmi::computeMode),
        number(line, Field.CLOCK),
        number(line, Field.CLOCK_MAX),
        value(line, Field.SLOWDOWNS, Long::decode),
        value(line, Field.POWER_LIMIT, Double::valueOf),
        value(line, Field.POWER_DEFAULT, Double::valueOf),
        number(line, Field.PCIE),
        number(line, Field.PCIE_MAX),
        number(line, Field.LANES),
        number(line, Field.LANES_MAX),
        value(line, Field.MEMORY, NvidiaSmi::mebibytes));
  }

  @Override
  public GpuSample sample(int index) {
    Map<Field, String> line =
        answers().stream()
            .filter(gpu -> number(gpu, Field.INDEX).equals(Optional.of(index)))
            .findFirst()
            .orElseThrow(() -> new IllegalArgumentException("no GPU " + index));
    return new GpuSample(
        number(line, Field.UTILISATION),
        value(line, Field.MEMORY_USED, NvidiaSmi::mebibytes),
        number(line, Field.CLOCK),
        value(line, Field.POWER, Double::valueOf));
  }

  @Override
  public void close() {}

  // ---- Asking and reading --------------------------------------------------------------------

  private List<Map<Field, String>> answers() {
    try {
      return ask(runner);
    } catch (IOException e) {
      // It answered before.
      throw new IllegalStateException("nvidia-smi no longer answers: " + e.getMessage(), e);
    }
  }

  private static List<Map<Field, String>> ask(Runner runner) throws IOException {
    List<String> queries = new ArrayList<>();
    for (Field field : Field.values()) {
      queries.add(field.query);
    }
    String answer =
        runner.run(
            List.of(
                "nvidia-smi",
                "--query-gpu=" + String.join(",", queries),
                "--format=csv,noheader,nounits"));
    List<Map<Field, String>> lines = new ArrayList<>();
    for (String line : answer.lines().filter(text -> !text.isBlank()).toList()) {
      String[] values = line.split(",", -1);
      if (values.length != Field.values().length) {
        throw new IOException("not the answer to what it was asked: " + line);
      }
      Map<Field, String> fields = new EnumMap<>(Field.class);
      Iterator<String> next = List.of(values).iterator();
      for (Field field : Field.values()) {
        fields.put(field, next.next().strip());
      }
      lines.add(fields);
    }
    return lines;
  }

  private static String run(List<String> command) throws IOException {
    Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
    try {
      process.getOutputStream().close();
      // A few lines at most, which the pipe holds.
      if (!process.waitFor(PATIENCE_SECONDS, TimeUnit.SECONDS)) {
        throw new IOException("no answer within " + PATIENCE_SECONDS + " s");
      }
      String answer =
          new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8).strip();
      if (process.exitValue() != 0) {
        throw new IOException("exit code " + process.exitValue() + ": " + answer);
      }
      return answer;
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IOException("interrupted", e);
    } finally {
      process.destroy();
    }
  }

  /** Whatever it does not know, it says in words: [N/A], [Not Supported], [Unknown Error]. */
  private static <T> Optional<T> value(
      Map<Field, String> line, Field field, Function<String, T> parse) {
    try {
      return Optional.ofNullable(parse.apply(line.get(field)));
    } catch (NumberFormatException e) {
      return Optional.empty();
    }
  }

  private static Optional<Integer> number(Map<Field, String> line, Field field) {
    return value(line, field, Integer::valueOf);
  }

  private static Optional<Boolean> enabled(Map<Field, String> line, Field field) {
    return value(
        line,
        field,
        text ->
            switch (text) {
              case "Enabled" -> true;
              case "Disabled" -> false;
              default -> null;
            });
  }

  private static ComputeMode computeMode(String text) {
    return switch (text.toLowerCase(Locale.ROOT)) {
      case "default" -> ComputeMode.DEFAULT;
      case "exclusive_process", "exclusive_thread" -> ComputeMode.EXCLUSIVE_PROCESS;
      case "prohibited" -> ComputeMode.PROHIBITED;
      default -> null;
    };
  }

  private static long mebibytes(String text) {
    return Long.parseLong(text) << 20;
  }
}
