package dev.rankrt.examples.bench;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.rankrt.examples.RankRt;
import dev.rankrt.examples.cli.Json;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The command, on the CPU and a small model. */
class TuneCommandTest {
  private static final String[] DLRM = {
    "--model", "examples/models/reference/dlrm/model.onnx", "--id-range", "ids=0..499"
  };

  private final StringWriter out = new StringWriter();
  private final StringWriter err = new StringWriter();

  @TempDir private Path folder;

  @Test
  void settingsForTheCpu_areMeasuredAndPrinted() throws IOException {
    Path json = folder.resolve("tune.json");
    // A limit that a busy machine meets as well.
    int code = tune("--device", "cpu", "--quick", "--rate", "2000", "--sla", "300", "--json", json);
    assertEquals(0, code, () -> err + "\n" + out);

    TuneResults results = Json.read(Files.readString(json), TuneResults.class);
    assertTrue(results.met());
    assertEquals(4, results.found().steps().size());
    for (Tuner.Step step : results.found().steps()) {
      assertTrue(step.trials().size() > 1, step::toString);
      for (Tuner.Trial trial : step.trials()) {
        assertTrue(trial.figures().orElseThrow().samples() > 0, trial::toString);
      }
    }
    assertTrue(
        out.toString().contains("EngineOptions options = EngineOptions.builder()"), out::toString);
    assertTrue(out.toString().contains(results.java()), out::toString);
    assertTrue(out.toString().contains("In all"), out::toString);
  }

  @Test
  void wrongArguments_endWith2() {
    assertEquals(2, tune());
    assertEquals(2, tune("--rate", "-1"));
    assertEquals(2, tune("--rate", "1", "--rows", "0"));
  }

  private int tune(Object... args) {
    String[] all =
        Stream.concat(
                Stream.concat(Stream.of("tune"), Stream.of(DLRM)),
                Stream.of(args).map(Object::toString))
            .toArray(String[]::new);
    return RankRt.run(new PrintWriter(out, true), new PrintWriter(err, true), all);
  }
}
