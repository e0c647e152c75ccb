package dev.rankrt.examples.cli;

import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.Path;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.ParseResult;
import picocli.CommandLine.Spec;

/** Options of every command, to be taken in with {@link Mixin} under the name {@link #MIXIN}. */
public final class CommonOptions {
  /** The name that every command's {@link Mixin} gives. */
  public static final String MIXIN = "common";

  private static final String STANDARD_OUTPUT = "-";

  @Spec(Spec.Target.MIXEE)
  private CommandSpec spec;

  @Option(
      names = "--json",
      arity = "0..1",
      fallbackValue = STANDARD_OUTPUT,
      paramLabel = "FILE",
      description =
          "Write the result as JSON to FILE; without FILE, to the standard output in"
              + " place of the text.")
  private String json;

  @Option(
      names = {"-q", "--quiet"},
      description = "No progress, and only warnings in the log.")
  private boolean quiet;

  @Option(
      names = {"-v", "--verbose"},
      description = "More in the log, and stack traces of failures.")
  private boolean verbose;

  /** Returns the options of the command that is about to run; the defaults if it has none. */
  public static CommonOptions in(ParseResult parsed) {
    ParseResult last = parsed;
    while (last.hasSubcommand()) {
      last = last.subcommand();
    }
    var mixin = last.commandSpec().mixins().get(MIXIN);
    return mixin == null ? new CommonOptions() : (CommonOptions) mixin.userObject();
  }

  /** Takes effect if nothing has logged yet. */
  public void configureLogging() {
    if (quiet || verbose) {
      System.setProperty("org.slf4j.simpleLogger.defaultLogLevel", verbose ? "debug" : "warn");
    }
  }

  /** Refuses a file for the result that cannot be written, before the work that it is to hold. */
  public void requireWritable() {
    if (json != null && !STANDARD_OUTPUT.equals(json)) {
      requireWritable(spec, "--json", Path.of(json));
    }
  }

  /**
   * Refuses a file that cannot be written because its folder is not there, because it is itself a
   * folder, or for want of a permission.
   *
   * @param spec the command
   * @param option the option that names the file
   * @param file the file, which need not exist
   */
  public static void requireWritable(CommandSpec spec, String option, Path file) {
    Path whole = file.toAbsolutePath();
    if (Files.isDirectory(whole)) {
      throw new ParameterException(
          spec.commandLine(), option + " is a folder, name a file in it: " + whole);
    }
    if (!Files.isDirectory(whole.getParent())) {
      throw new ParameterException(
          spec.commandLine(),
          "no folder for " + option + ": " + whole.getParent() + "; make it, or name another file");
    }
    if (!Files.isWritable(Files.exists(whole) ? whole : whole.getParent())) {
      throw new ParameterException(
          spec.commandLine(),
          "no permission to write "
              + option
              + ": "
              + whole
              + "; change that, or name another file");
    }
  }

  /** Tells whether failures are to be shown with their stack traces. */
  public boolean verbose() {
    return verbose;
  }

  /** Returns how long work reports to the standard error. */
  public Progress progress() {
    return quiet ? Progress.none() : Progress.onTerminal();
  }

  /**
   * Writes a command's result where the user wants it.
   *
   * @param out the standard output
   * @param result what becomes JSON, see {@link Json}
   * @param text the same for people
   */
  public void write(PrintWriter out, Object result, String text) throws IOException {
    if (!STANDARD_OUTPUT.equals(json)) {
      out.print(text);
    }
    if (STANDARD_OUTPUT.equals(json)) {
      out.print(Json.write(result));
    } else if (json != null) {
      out.flush();
      save("--json", Path.of(json), Json.write(result));
    }
    out.flush();
  }

  /**
   * Writes a file of a result.
   *
   * @param option the option that names the file
   * @throws IOException with the file and why it cannot be written
   */
  public static void save(String option, Path file, String text) throws IOException {
    try {
      Files.writeString(file, text);
    } catch (IOException e) {
      String reason = e instanceof FileSystemException ? e.toString() : e.getMessage();
      throw new IOException(
          "cannot write "
              + option
              + " "
              + file.toAbsolutePath()
              + ": "
              + reason
              + "; make room there, or name another file",
          e);
    }
  }
}
