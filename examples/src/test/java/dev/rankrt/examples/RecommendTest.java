package dev.rankrt.examples;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.rankrt.Device;
import dev.rankrt.Engine;
import dev.rankrt.EngineOptions;
import dev.rankrt.Session;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Path;
import java.util.List;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;

/** Runs the program on the model and the tables that are in the repository. */
class RecommendTest {
  private static final Path RETAIL = Path.of("examples/models/retail");
  private static final Pattern RANKED =
      Pattern.compile("^ *(\\d+)  (\\d\\.\\d{5}) {3}[ *] (\\w+) +\\S", Pattern.MULTILINE);

  private final StringWriter out = new StringWriter();
  private final StringWriter err = new StringWriter();

  @Test
  void knownCustomer_getsTenProductsInOrder_andTheMeasurements() {
    assertEquals(0, run("14911", "--device", "cpu"), err::toString);

    String text = out.toString();
    List<MatchResult> ranked = RANKED.matcher(text).results().toList();
    assertEquals(10, ranked.size(), text);
    for (int i = 0; i < ranked.size(); i++) {
      assertEquals(i + 1, Integer.parseInt(ranked.get(i).group(1)), text);
      assertTrue(i == 0 || score(ranked.get(i - 1)) >= score(ranked.get(i)), text);
    }
    assertEquals(10, ranked.stream().map(line -> line.group(3)).distinct().count(), text);
    assertTrue(text.contains("Customer 14911, EIRE."), text);
    assertTrue(text.contains("among all 3,227"), text);
    assertTrue(text.contains("cpu, computing in FP32"), text);
    assertTrue(text.contains("p50 "), text);
    assertTrue(text.contains("p99 "), text);
    assertTrue(text.contains("3,227 rows"), text);
    assertTrue(text.contains("by popularity"), text);
    assertEquals("", err.toString());
  }

  @Test
  void model_scoresAsPyTorchDid_andBeatsPopularity() throws IOException {
    RetailData data = RetailData.read(RETAIL);
    EngineOptions options = EngineOptions.builder().device(Device.cpu()).build();
    try (Engine engine = Engine.open(RETAIL.resolve("ranker.onnx"), options);
        Session session = engine.newSession()) {
      Evaluation evaluation = Evaluation.of(session, data);
      assertTrue(evaluation.largestDifference() <= 1e-5, evaluation::toString);
      assertEquals(evaluation.referenceAuc(), evaluation.auc(), 1e-4, evaluation::toString);
      assertTrue(evaluation.auc() > evaluation.popularityAuc() + 0.02, evaluation::toString);
      assertEquals(data.heldOut().size(), evaluation.rows());
    }
  }

  @Test
  void unknownCustomer_isToldWhichThereAre() {
    assertEquals(2, run("18286"));
    assertEquals("", out.toString());
    String message = err.toString().strip();
    assertEquals(1, message.lines().count(), message);
    assertTrue(message.contains("no customer '18286'"), message);
    assertTrue(message.contains("18283, 18287"), message);
    assertTrue(message.contains("--list"), message);
  }

  @Test
  void customerThatIsNoNumber_isToldWhichThereAre() {
    assertEquals(2, run("Alice"));
    assertTrue(err.toString().contains("no customer 'Alice'"), err::toString);
    assertTrue(err.toString().contains("numbers from 12347 to 18287"), err::toString);
  }

  @Test
  void list_hasALineForEachCustomer() {
    assertEquals(0, run("--list"), err::toString);
    List<String> lines = out.toString().lines().toList();
    assertTrue(lines.size() > 3000, () -> lines.size() + " lines");
    assertTrue(lines.contains("14911  EIRE"));
  }

  @Test
  void wrongArgument_isAnsweredInOneLine() {
    assertEquals(2, run("--device", "tpu"));
    assertEquals("--device is auto, gpu or cpu, not 'tpu'", err.toString().strip());
  }

  @Test
  void missingModel_isAnsweredInOneLine() {
    assertEquals(1, run("--data", "no/such/folder"));
    String message = err.toString().strip();
    assertEquals(1, message.lines().count(), message);
    assertTrue(message.contains(Path.of("no/such/folder").toString()), message);
  }

  private int run(String... args) {
    return Recommend.run(new PrintWriter(out, true), new PrintWriter(err, true), args);
  }

  private static double score(MatchResult line) {
    return Double.parseDouble(line.group(2));
  }
}
