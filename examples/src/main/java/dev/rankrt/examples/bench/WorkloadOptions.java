package dev.rankrt.examples.bench;

import dev.rankrt.EngineOptions.IdRange;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** The options that say which model is measured, and what with. */
final class WorkloadOptions {
  private static final Pattern RANGE = Pattern.compile("(-?\\d{1,18})\\.\\.(-?\\d{1,18})");

  /** Beside the plans that the library keeps. The number changes with what {@link Dlrm} writes. */
  private static final String DEFAULT_MODEL = "models/dlrm-1.onnx";

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
  private Map<String, String> ids = new LinkedHashMap<>();

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
    if (idMax < 0) {
      throw wrong("--id-max is 0 or more, not " + idMax);
    }
    Map<String, IdRange> ranges = new LinkedHashMap<>();
    ids.forEach((input, range) -> ranges.put(input, range(input, range)));
    if (model == null) {
      Dlrm dlrm = Dlrm.LARGE;
      Path file = cache().resolve(DEFAULT_MODEL);
      dlrm.writeIfMissing(file);
      ranges.putIfAbsent("ids", new IdRange(0, dlrm.ids() - 1L));
      return new Workload(dlrm.name(), file, Optional.of(dlrm), ranges, new IdRange(0, idMax));
    }
    if (!Files.exists(model)) {
      throw new NoSuchFileException(model.toString());
    }
    return new Workload(model.toString(), model, Optional.empty(), ranges, new IdRange(0, idMax));
  }

  private IdRange range(String input, String text) {
    Matcher matcher = RANGE.matcher(text);
    if (!matcher.matches()) {
      throw wrong("--id-range takes INPUT=MIN..MAX, such as ids=0..9999: " + input + "=" + text);
    }
    long min = Long.parseLong(matcher.group(1));
    long max = Long.parseLong(matcher.group(2));
    if (min > max) {
      throw wrong("--id-range: the range of " + input + " is empty: " + text);
    }
    return new IdRange(min, max);
  }

  private static Path cache() {
    String xdg = System.getenv("XDG_CACHE_HOME");
    Path caches =
        xdg == null || xdg.isEmpty()
            ? Path.of(System.getProperty("user.home"), ".cache")
            : Path.of(xdg);
    return caches.resolve("rankrt");
  }

  private ParameterException wrong(String message) {
    return new ParameterException(spec.commandLine(), message);
  }
}
