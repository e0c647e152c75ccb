package dev.rankrt.examples.bench;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.rankrt.examples.RankRt;
import dev.rankrt.examples.cli.Json;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The command, on the CPU and a tiny model. */
class TuneCommandTest {
  /** So small that measuring it takes no time, however many rows it is warmed up with. */
  private static final Dlrm TINY = new Dlrm(4, 2, 5, 8, List.of(16), List.of(16, 8));

  private final StringWriter out = new StringWriter();
  private final StringWriter err = new StringWriter();

  @TempDir private Path folder;

  @Test
  void settingsForTheCpu_areMeasuredAndPrinted() throws IOException {
    TINY.writeIfMissing(folder.resolve("tiny.onnx"));
    Path json = folder.resolve("tune.json");
    int code =
        tune(
            "--device",
            "cpu",
            "--quick",
            "--rate",
            "2000",
            "--sla",
            "20",
            "--id-max",
            "4",
            "--json",
            json);
    TuneResults results = Json.read(Files.readString(json), TuneResults.class);

    // Whether this machine meets the limit is its own affair; what is said about it is not.
    assertEquals(results.found().after().figures().within(20), results.met());
    assertEquals(results.met() ? 0 : 1, code, err::toString);
    assertEquals(results.met(), !out.toString().contains("The limit is not met"), out::toString);
    assertEquals(4, results.found().steps().size());
    for (Tuner.Step step : results.found().steps()) {
      assertTrue(step.trials().size() > 1, step::toString);
      for (Tuner.Trial trial : step.trials()) {
        Figures figures = trial.figures().orElseThrow();
        assertTrue(figures.samples() + figures.unanswered() > 0, trial::toString);
      }
    }
    assertTrue(
        out.toString().contains("EngineOptions options = EngineOptions.builder()"), out::toString);
    assertTrue(out.toString().contains(results.java()), out::toString);
    assertTrue(out.toString().contains("In all"), out::toString);
  }

  @Test
  void rateWithTooFewRequestsToTell_isNotSaidToMissTheLimit() throws IOException {
    TINY.writeIfMissing(folder.resolve("tiny.onnx"));
    int code = tune("--device", "cpu", "--quick", "--rate", "10", "--sla", "500", "--id-max", "4");

    assertEquals(1, code, err::toString);
    assertTrue(out.toString().contains("Too few requests came to tell"), out::toString);
    assertFalse(out.toString().contains("The limit is not met"), out::toString);
    assertFalse(out.toString().contains("No rate stays within the limit"), out::toString);
  }

  @Test
  void wrongArguments_endWith2() {
    assertEquals(2, tune());
    assertEquals(2, tune("--rate", "-1"));
    for (String rate : List.of("1e300", "1e-12", "NaN")) { // each of which would never end
      err.getBuffer().setLength(0);
      assertEquals(2, tune("--rate", rate));
      assertTrue(
          err.toString().startsWith("--rate is from 0.001 to 10000000 requests a second, not "),
          err::toString);
    }
    assertEquals(2, tune("--rate", "1", "--rows", "0"));
    assertEquals(2, tune("--rate", "1", "--tolerance", "-0.1"));
    assertEquals(2, tune("--rate", "1", "--tolerance", "NaN"));
    assertTrue(err.toString().contains("--tolerance is 0 or more, not -0.1"), err::toString);
  }

  @Test
  void idsThatTheModelHasNot_areRefusedWithWhatToDo() throws IOException {
    TINY.writeIfMissing(folder.resolve("tiny.onnx"));
    int code = tune("--device", "cpu", "--quick", "--rate", "10", "--id-range", "ids=5..9");
    assertEquals(1, code);
    assertTrue(err.toString().contains("--id-range or --id-max"), err::toString);
  }

  @Test
  void idsOfWhichTheModelHasSome_areNoTrafficToTuneFor() throws IOException {
    TINY.writeIfMissing(folder.resolve("tiny.onnx"));
    int code = tune("--device", "cpu", "--quick", "--rate", "500", "--id-max", "5");
    assertEquals(1, code);
    assertEquals("", out.toString());
    assertTrue(err.toString().contains("--id-range or --id-max"), err::toString);
  }

  @Test
  void inputThatTheModelHasNot_isToldWithThoseItHas() throws IOException {
    TINY.writeIfMissing(folder.resolve("tiny.onnx"));
    assertEquals(2, tune("--device", "cpu", "--rate", "10", "--id-range", "id=0..4"));
    assertTrue(err.toString().contains("has no input 'id'; it has"), err::toString);
    assertTrue(err.toString().endsWith("try: rankrt tune --help\n"), err::toString);
  }

  private int tune(Object... args) {
    Stream<?> model = Stream.of("tune", "--model", folder.resolve("tiny.onnx"));
    return RankRt.run(
        new PrintWriter(out, true),
        new PrintWriter(err, true),
        Stream.concat(model, Stream.of(args)).map(Object::toString).toArray(String[]::new));
  }
}
