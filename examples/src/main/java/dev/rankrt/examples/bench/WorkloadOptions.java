package dev.rankrt.examples.bench;

import dev.rankrt.EngineOptions;
import dev.rankrt.EngineOptions.IdRange;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.math.BigDecimal;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** The options that say which model is measured, and what with. */
final class WorkloadOptions {
  /** Beside the plans that the library keeps. The number changes with what {@link Dlrm} writes. */
  private static final String DEFAULT_MODEL = "models/dlrm-1.onnx";

  /** As large as --id-range takes them. */
  private static final long MOST_ID = 999_999_999_999_999_999L;

  private static final double SHORTEST_SECONDS = 0.01;
  private static final double LONGEST_SECONDS = 86_400;
  private static final double LEAST_SLA_MILLIS = 0.001;
  private static final double MOST_SLA_MILLIS = 60_000;

  @Spec(Spec.Target.MIXEE)
  private CommandSpec spec;

  @Option(
      names = "--model",
      paramLabel = "FILE",
      description =
          "The ONNX file; by default a DLRM of 64 floats and 32 ids with random weights, which is"
              + " made on first use and kept in ~/.cache/rankrt.")
  private Path model;

  @Option(
      names = "--id-range",
      paramLabel = "INPUT=MIN..MAX",
      description = "The ids that an input takes; can be given for each input.")
  private Map<String, IdRange> ids = new LinkedHashMap<>();

  @Option(
      names = "--id-max",
      paramLabel = "N",
      defaultValue = "9",
      description =
          "The largest id of inputs that --id-range does not name, from 0 on; ${DEFAULT-VALUE} by"
              + " default.")
  private long idMax;

  /** Returns the model and what it is asked, making the default model if need be. */
  Workload workload() throws IOException {
    if (idMax < 0 || idMax > MOST_ID) {
      throw wrong("--id-max is from 0 to " + MOST_ID + ", not " + idMax);
    }
    if (model == null) {
      Dlrm dlrm = Dlrm.LARGE;
      Path file = EngineOptions.defaults().planCache().orElseThrow().resolveSibling(DEFAULT_MODEL);
      dlrm.writeIfMissing(file);
      Map<String, IdRange> ranges = new LinkedHashMap<>(ids);
      ranges.putIfAbsent("ids", new IdRange(0, dlrm.ids() - 1L));
      return new Workload(dlrm.name(), file, Optional.of(dlrm), ranges, new IdRange(0, idMax));
    }
    if (!Files.exists(model)) {
      throw new FileNotFoundException(
          "model file not found: "
              + model.toAbsolutePath()
              + "; check the path, or leave --model away to measure the default model");
    }
    return new Workload(model.toString(), model, Optional.empty(), ids, new IdRange(0, idMax));
  }

  /** Refuses a value of an option that is not positive. */
  void requirePositive(String option, Number value) {
    if (!(value.doubleValue() > 0)) {
      throw wrong(option + " must be positive, not " + value);
    }
  }

  /** Refuses a length of a measurement that is too short for a request, or for all practical. */
  void requireDuration(double seconds) {
    requireBetween("--duration", seconds, SHORTEST_SECONDS, LONGEST_SECONDS, " s");
  }

  /** Refuses a limit of p99 that no request meets, or that every request does. */
  void requireSla(double millis) {
    requireBetween("--sla", millis, LEAST_SLA_MILLIS, MOST_SLA_MILLIS, " ms");
  }

  /** Refuses a value of an option that nothing sensible can be measured with. */
  void requireBetween(String option, Number value, double least, double most, String unit) {
    if (!(value.doubleValue() >= least && value.doubleValue() <= most)) {
      throw wrong(
          option + " is from " + plain(least) + " to " + plain(most) + unit + ", not " + value);
    }
  }

  private static String plain(double value) {
    return BigDecimal.valueOf(value).stripTrailingZeros().toPlainString();
  }

  /** Returns what ends the command that takes these options, told as a wrong use of it. */
  ParameterException wrong(String message) {
    return new ParameterException(spec.commandLine(), message);
  }
}
