package dev.rankrt.examples;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeFalse;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class RankRtTest {
  private static final String RETAIL = "examples/models/retail/ranker.onnx";

  @TempDir Path folder;

  private final StringWriter out = new StringWriter();
  private final StringWriter err = new StringWriter();

  private int run(String... args) {
    return RankRt.run(new PrintWriter(out, true), new PrintWriter(err, true), args);
  }

  @Test
  void itsHelp_listsTheCommandsAndTheExitCodes() {
    assertEquals(0, run("--help"));
    for (String word : List.of("build", "doctor", "Exit codes:", "0   ", "1   ", "2   ")) {
      assertTrue(out.toString().contains(word), word);
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"build", "doctor"})
  void theHelpOfACommand_tellsItsOptionsAndTheExitCodes(String command) {
    assertEquals(0, run(command, "--help"));
    for (String word : List.of("rankrt " + command, "--json[=FILE]", "--verbose", "Exit codes:")) {
      assertTrue(out.toString().contains(word), word);
    }
  }

  @Test
  void withoutACommand_itNamesThem() {
    assertEquals(2, run());
    String first = err.toString().lines().findFirst().orElseThrow();
    assertTrue(first.matches("which command\\? One of .*\\bbuild, doctor\\b.*"), first);
  }

  @Test
  void anOptionThatDoesNotExist_isToldInOneLineAndAHint() {
    assertEquals(2, run("doctor", "--jsn"));
    assertEquals("Unknown option: '--jsn'\ntry: rankrt doctor --help\n", err.toString());
  }

  @Test
  void whatTheMemoryDoesNotHold_isToldInOneLineWithWhatToTry() throws Exception {
    String complaint =
        complaintsOf(
            List.of("-Xmx64m"),
            List.of("bench", "--model", RETAIL, "--device", "cpu", "--quick", "--rows", "1000000"));
    assertTrue(complaint.startsWith("out of memory: "), complaint);
    assertTrue(complaint.contains("; ask for fewer rows, "), complaint);
    assertTrue(complaint.contains("its heap holds 64 MiB"), complaint);
    assertEquals(1, complaint.lines().count(), complaint);
  }

  @Test
  void quiet_leavesOutWhatTheLogSaysOtherwise() throws Exception {
    assertTrue(complaintsOfATune().contains("INFO"));
    assertFalse(complaintsOfATune("--quiet").contains("INFO"));
  }

  /** Fails after the model was opened; in a process of its own, since a log is set up once. */
  private static String complaintsOfATune(String... options) throws Exception {
    List<String> args =
        new ArrayList<>(List.of("tune", "--model", RETAIL, "--rate", "10", "--id-max", "100000"));
    args.addAll(List.of(options));
    return complaintsOf(List.of(), args);
  }

  /** Runs the program in a process of its own, in which it fails. */
  private static String complaintsOf(List<String> flags, List<String> args) throws Exception {
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    command.addAll(flags);
    command.add("--enable-native-access=ALL-UNNAMED"); // or newer JVMs complain, too
    command.addAll(List.of("-cp", System.getProperty("java.class.path"), RankRt.class.getName()));
    command.addAll(args);
    Process process =
        new ProcessBuilder(command).redirectOutput(ProcessBuilder.Redirect.DISCARD).start();
    String complaints = new String(process.getErrorStream().readAllBytes(), UTF_8);
    assertEquals(1, process.waitFor(), complaints);
    return complaints;
  }

  @Test
  void doctor_endsWithOne_ifAndOnlyIfSomethingFails() {
    int code = run("doctor", "--json");
    JsonObject diagnosis = JsonParser.parseString(out.toString()).getAsJsonObject();
    boolean failed = diagnosis.get("worst").getAsString().equals("FAIL");
    assertEquals(failed ? 1 : 0, code);
    assertEquals(1, diagnosis.get("format").getAsInt());
  }

  @Test
  void jsonIntoAFile_comesBesideTheText() throws IOException {
    Path file = folder.resolve("doctor.json");
    run("doctor", "--json", file.toString());
    JsonArray findings =
        JsonParser.parseString(Files.readString(file)).getAsJsonObject().getAsJsonArray("findings");
    assertFalse(findings.isEmpty());
    assertTrue(
        out.toString().contains(findings.get(0).getAsJsonObject().get("title").getAsString()));
  }

  @Test
  void aFileThatCannotBeWritten_isRefusedBeforeAnythingIsDone() {
    assertEquals(2, run("doctor", "--json", folder.resolve("no/such/file").toString()));
    assertTrue(
        err.toString().startsWith("no folder for --json: " + folder.resolve("no/such") + ";"),
        err::toString);
    assertEquals(2, run("doctor", "--json", folder.toString()));
    assertTrue(err.toString().contains("--json is a folder"), err::toString);
    assertEquals("", out.toString());
  }

  @Test
  void aFolderThatNobodyMayWriteTo_isRefusedBeforeAnythingIsDone() {
    assumeTrue(folder.toFile().setWritable(false));
    assumeFalse(Files.isWritable(folder)); // root may
    assertEquals(2, run("doctor", "--json", folder.resolve("file").toString()));
    assertTrue(
        err.toString().startsWith("no permission to write --json: " + folder.resolve("file") + ";"),
        err::toString);
    assertEquals("", out.toString());
  }

  @Test
  void build_saysExactlyWhyItCannot() {
    assertEquals(1, run("build", "--onnx", RETAIL, "--fp16", "--gpu", "99"));
    assertTrue(err.toString().startsWith(RETAIL + " cannot run on gpu:99: "), err::toString);
    assertEquals(1, err.toString().lines().count());
  }

  @Test
  void build_leavesNothingBehindWhereItFails() throws IOException {
    Path plan = folder.resolve("ranker.plan");
    assertEquals(
        1, run("build", "--onnx", RETAIL, "--gpu", "99", "--save-engine", plan.toString()));
    try (var files = Files.list(folder)) {
      assertEquals(0, files.count());
    }
  }

  @Test
  void build_refusesOptionsThatMakeNoSense() {
    for (List<String> options :
        List.of(
            List.of("--max-batch", "0"),
            List.of("--level", "6"),
            List.of("--workspace", "-1"),
            List.of("--workspace", "17592186044417"), // its bytes overflow to 1 MiB
            List.of("--id-range", "ids=5"),
            List.of("--precision", "FP8"),
            List.of("--fp16", "--bf16"),
            List.of("--optimize-for", "many"),
            List.of("--save-engine", "/nosuch/ranker.plan"),
            List.of("--save-engine", "a.plan", "--plan-cache", "b"))) {
      String[] args = new String[3 + options.size()];
      args[0] = "build";
      args[1] = "--onnx";
      args[2] = RETAIL;
      for (int i = 0; i < options.size(); i++) {
        args[3 + i] = options.get(i);
      }
      assertEquals(2, run(args), options::toString);
    }
  }
}
