package dev.rankrt.examples.bench;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

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

/** The command, on the CPU and a small model. */
class BenchCommandTest {
  private static final Path REFERENCE = Path.of("examples/models/reference");
  private static final List<String> DLRM =
      List.of(
          "--model", REFERENCE.resolve("dlrm/model.onnx").toString(), "--id-range", "ids=0..499");

  private final StringWriter out = new StringWriter();
  private final StringWriter err = new StringWriter();

  @TempDir private Path folder;

  @Test
  void cpu_isMeasured_andEveryFigureRestsOnSamples() throws IOException {
    Path json = folder.resolve("results.json");
    Path html = folder.resolve("page.html");
    assertEquals(
        0,
        bench("--device", "cpu", "--quick", "--max-batch", "64", "--json", json, "--html", html),
        err::toString);

    Results results = Json.read(Files.readString(json), Results.class);
    assertEquals(Contender.values().length, results.rows().size());
    assertMeasured(results.rows().get(0));
    assertMeasured(results.rows().get(1));
    for (Results.Row row : results.rows()) {
      if (row.id().startsWith("tensorrt") || row.id().startsWith("pytorch")) {
        assertEquals("--device cpu", row.unavailable().orElseThrow());
      }
    }
    assertTrue(out.toString().contains("10 requests in flight, 1 row each"), out::toString);

    // The page comes from the JSON alone.
    Path again = folder.resolve("again.html");
    assertEquals(0, run("bench", "--from", json, "--html", again), err::toString);
    assertEquals(Files.readString(html), Files.readString(again));
  }

  @Test
  void anyModel_isMeasured_andJsonTakesTheTextsPlace() {
    assertEquals(
        0,
        run(
            "bench",
            "--model",
            REFERENCE.resolve("din/model.onnx"),
            "--device",
            "cpu",
            "--quick",
            "--rows",
            "3",
            "--in-flight",
            "2",
            "--scenario",
            "single_stream",
            "--json"),
        err::toString);
    Results results = Json.read(out.toString(), Results.class);
    Figures single = results.rows().get(0).singleStream().orElseThrow();
    assertEquals(3, single.rows());
    assertEquals(3 * single.requestsPerSecond(), single.rowsPerSecond(), 1e-3);
    assertTrue(results.rows().get(0).concurrent().isEmpty());
    assertEquals(4, results.model().inputs().size());
  }

  @Test
  void idThatTheModelHasNot_isToldInOneLine_andAnotherSaysWhatToDo() {
    assertEquals(
        1,
        run("bench", DLRM.get(0), DLRM.get(1), "--id-max", "100000", "--device", "cpu", "--quick"));
    assertEquals(2, err.toString().lines().count(), err::toString);
    assertTrue(err.toString().contains("--id-range or --id-max"), err::toString);
  }

  @Test
  void wrongArguments_endWith2() {
    assertEquals(2, bench("--rows", "0"));
    assertTrue(err.toString().startsWith("--rows must be positive, not 0\n"), err::toString);
    assertEquals(2, bench("--sla", "-1"));
    assertEquals(2, bench("--rows", "100", "--max-batch", "10"));
    assertEquals(2, bench("--device", "tpu"));
    assertEquals(2, run("bench", DLRM.get(0), DLRM.get(1), "--id-range", "ids=9..0"));
    assertEquals(2, run("bench", DLRM.get(0), DLRM.get(1), "--id-range", "ids=all"));
    assertEquals("", out.toString());
  }

  @Test
  void numbersBeyondAllSense_areRefusedWithTheirLimits() {
    assertMisused("--in-flight is from 1 to 10000, not 100000000", "--in-flight", "100000000");
    assertMisused("--in-flight is from 1 to 10000, not 0", "--in-flight", "0");
    assertMisused("--duration is from 0.01 to 86400 s, not 1.0E300", "--duration", "1e300");
    assertMisused("--duration is from 0.01 to 86400 s, not 1.0E-9", "--duration", "1e-9");
    assertMisused("--duration is from 0.01 to 86400 s, not NaN", "--duration", "NaN");
    assertMisused("--sla is from 0.001 to 60000 ms, not Infinity", "--sla", "Infinity");
    assertMisused(
        "--id-max is from 0 to 999999999999999999, not " + Long.MAX_VALUE,
        "--id-max",
        Long.MAX_VALUE);
  }

  @Test
  void rowsBeyondAnyMemory_areRefusedWithTheNumbers() {
    assertMisused(
        "'dense' FLOAT32[batch, 64] needs 512000000000 bytes for 2000000000 rows, at most 2 GiB are"
            + " possible; lower maxBatch",
        "--rows",
        "2000000000");
  }

  private void assertMisused(String message, Object... options) {
    err.getBuffer().setLength(0);
    assertEquals(
        2,
        bench(
            Stream.concat(Stream.of("--device", "cpu", "--quick", "--quiet"), Stream.of(options))
                .toArray()));
    assertEquals(message + "\ntry: rankrt bench --help\n", err.toString());
  }

  @Test
  void fileThatCannotBeFilled_isNamed_andTheTextIsThere() throws IOException {
    Path full = Path.of("/dev/full"); // takes no byte
    assumeTrue(Files.isWritable(full));
    Path results = folder.resolve("results.json");
    Files.writeString(results, Json.write(ExampleResults.full()));
    for (String option : List.of("--json", "--html", "--svg")) {
      out.getBuffer().setLength(0);
      err.getBuffer().setLength(0);
      assertEquals(1, run("bench", "--from", results, option + "=" + full));
      assertTrue(
          err.toString().startsWith("cannot write " + option + " " + full + ": "), err::toString);
      assertEquals(1, err.toString().lines().count(), err::toString);
      assertTrue(out.toString().contains("requests in flight"), out::toString);
    }
  }

  @Test
  void filesThatCannotBeWritten_areRefusedBeforeAnythingIsMeasured() {
    for (String option : List.of("--json", "--html", "--svg")) {
      err.getBuffer().setLength(0);
      assertEquals(2, bench("--device", "cpu", option, folder.resolve("none/results")));
      assertTrue(
          err.toString().startsWith("no folder for " + option + ": " + folder.resolve("none")),
          err::toString);
    }
    assertEquals("", out.toString());
  }

  @Test
  void missingFiles_endWith1() {
    assertEquals(1, run("bench", "--model", "no/such.onnx", "--device", "cpu"));
    assertEquals(
        "model file not found: "
            + Path.of("no/such.onnx").toAbsolutePath()
            + "; check the path, or leave --model away to measure the default model",
        err.toString().strip());
    err.getBuffer().setLength(0);
    assertEquals(1, run("bench", "--from", "no/such.json"));
    assertEquals(
        "no such file: " + Path.of("no/such.json").toAbsolutePath() + "; check the path",
        err.toString().strip());
  }

  @Test
  void filesThatAreNotBenchsOwn_areRefusedWithWhatWasExpected() throws IOException {
    String results = Json.write(ExampleResults.full());
    Path file = folder.resolve("other.json");
    for (String other :
        List.of(
            results.replace("\"format\": 1", "\"format\": 9"),
            results.replaceFirst("\"date\": \"[^\"]*\"", "\"date\": \"yesterday\""),
            results.substring(0, results.length() / 2),
            "{\"format\": 1, \"found\": {}}",
            "[]",
            "no json",
            "")) {
      Files.writeString(file, other);
      assertRefused(file);
    }
    Files.write(file, new byte[] {'"', (byte) 0xff, '"'});
    assertRefused(file);
    assertRefused(Path.of("examples/results/h200.json"));
    assertRefused(folder);
  }

  private void assertRefused(Path file) {
    err.getBuffer().setLength(0);
    assertEquals(1, run("bench", "--from", file));
    assertEquals(
        file
            + " holds no results of bench: expected what \"rankrt bench --json FILE\" of this version"
            + " writes, with \"format\": 1; name such a file, or leave --from away to measure",
        err.toString().strip());
  }

  private static void assertMeasured(Results.Row row) {
    assertTrue(row.unavailable().isEmpty(), row::toString);
    for (Figures figures :
        List.of(
            row.concurrent().orElseThrow(),
            row.singleStream().orElseThrow(),
            row.offline().orElseThrow())) {
      assertTrue(figures.samples() > 0, figures::toString);
      assertTrue(figures.p50Micros().orElseThrow() > 0, figures::toString);
      assertTrue(figures.requestsPerSecond() > 0, figures::toString);
      assertEquals(0, figures.unanswered(), figures::toString);
    }
    assertEquals(64, row.offline().orElseThrow().rows());
    assertFalse(row.server().orElseThrow().probes().isEmpty());
  }

  private int bench(Object... args) {
    return run(
        Stream.concat(Stream.of("bench"), Stream.concat(DLRM.stream(), Stream.of(args))).toArray());
  }

  private int run(Object... args) {
    return RankRt.run(
        new PrintWriter(out, true),
        new PrintWriter(err, true),
        Stream.of(args).map(Object::toString).toArray(String[]::new));
  }
}
