package dev.rankrt.examples.bench;

import com.google.gson.Gson;
import com.google.gson.JsonObject;
import com.google.gson.JsonParseException;
import com.google.gson.JsonParser;
import dev.rankrt.examples.cli.Json;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.io.Writer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/**
 * PyTorch in a process of its own: a script that takes a line of JSON for each measurement and
 * answers with its {@link Figures}. One thread at a time.
 */
final class TorchSubject implements Subject {
  private static final Duration START_LIMIT = Duration.ofSeconds(90);

  private final Process process;
  private final BufferedReader answers;
  private final Writer questions;
  private final String version;

  private TorchSubject(Process process) throws IOException {
    this.process = process;
    this.answers = process.inputReader(StandardCharsets.UTF_8);
    this.questions = process.outputWriter(StandardCharsets.UTF_8);
    boolean success = false;
    try {
      this.version = answer(START_LIMIT).get("ready").getAsString();
      success = true;
    } finally {
      if (!success) {
        close();
      }
    }
  }

  /**
   * Starts the script.
   *
   * @param command the program and its arguments
   * @throws IOException if it cannot run here; the message is the reason
   */
  static TorchSubject start(List<String> command) throws IOException {
    return new TorchSubject(
        new ProcessBuilder(command).redirectError(ProcessBuilder.Redirect.DISCARD).start());
  }

  /** Returns the command that measures a model with PyTorch. */
  static List<String> command(Path script, Dlrm model) {
    return List.of(
        "python3",
        script.toString(),
        "--dense=" + model.dense(),
        "--fields=" + model.fields(),
        "--ids=" + model.ids(),
        "--width=" + model.width(),
        "--bottom=" + list(model.bottom()),
        "--top=" + list(model.top()));
  }

  private static String list(List<Integer> widths) {
    return String.join(",", widths.stream().map(String::valueOf).toList());
  }

  /** Returns what computes, such as {@code PyTorch 2.11.0, CUDA 12.8}. */
  String version() {
    return version;
  }

  @Override
  public Figures closed(int inFlight, int rows, Duration duration) throws IOException {
    JsonObject question = new JsonObject();
    question.addProperty("load", "closed");
    question.addProperty("inFlight", inFlight);
    question.addProperty("rows", rows);
    question.addProperty("seconds", seconds(duration));
    return ask(question, duration);
  }

  @Override
  public Figures open(double perSecond, int rows, Duration duration, Duration grace)
      throws IOException {
    JsonObject question = new JsonObject();
    question.addProperty("load", "open");
    question.addProperty("offeredPerSecond", perSecond);
    question.addProperty("rows", rows);
    question.addProperty("seconds", seconds(duration));
    question.addProperty("graceSeconds", seconds(grace));
    return ask(question, duration.plus(grace));
  }

  private Figures ask(JsonObject question, Duration takes) throws IOException {
    questions.write(new Gson().toJson(question) + "\n");
    questions.flush();
    return Json.read(answer(takes.plus(START_LIMIT)).toString(), Figures.class);
  }

  private JsonObject answer(Duration limit) throws IOException {
    CompletableFuture<String> line =
        CompletableFuture.supplyAsync(
            () -> {
              try {
                return answers.readLine();
              } catch (IOException e) {
                throw new UncheckedIOException(e);
              }
            });
    try {
      String text = line.get(limit.toMillis(), TimeUnit.MILLISECONDS);
      if (text == null) {
        throw new IOException("the script ended without an answer");
      }
      JsonObject answer = JsonParser.parseString(text).getAsJsonObject();
      if (answer.has("error")) {
        throw new IOException(answer.get("error").getAsString());
      }
      return answer;
    } catch (TimeoutException e) {
      throw new IOException("the script gave no answer within " + limit.toSeconds() + " s", e);
    } catch (ExecutionException | JsonParseException | IllegalStateException e) {
      throw new IOException("the script's answer cannot be read: " + e.getMessage(), e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IOException("interrupted", e);
    }
  }

  private static double seconds(Duration duration) {
    return duration.toNanos() / 1e9;
  }

  /** Ends the process. */
  @Override
  public void close() {
    process.destroy();
  }
}
