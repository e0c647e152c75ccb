package dev.rankrt.examples;

import dev.rankrt.EngineOptions.IdRange;
import dev.rankrt.InferenceException;
import dev.rankrt.examples.bench.BenchCommand;
import dev.rankrt.examples.bench.TuneCommand;
import dev.rankrt.examples.build.BuildCommand;
import dev.rankrt.examples.cli.CommonOptions;
import dev.rankrt.examples.cli.IdRanges;
import dev.rankrt.examples.doctor.DoctorCommand;
import dev.rankrt.natives.RankRtException;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.charset.StandardCharsets;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileSystemException;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.IVersionProvider;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.ParseResult;
import picocli.CommandLine.Spec;

/**
 * The command line tool: one program, a subcommand for each thing it does.
 *
 * <p>Results go to the standard output, everything else (progress, log lines, complaints) to the
 * standard error. No command takes positional arguments, so that the file of {@code --json} is
 * optional without being ambiguous.
 *
 * <p>Ends with 0; with 1 where the command ran and failed, or found that something is wrong; with 2
 * for arguments that make no sense, before anything was done.
 */
@Command(
    name = "rankrt",
    mixinStandardHelpOptions = true,
    versionProvider = RankRt.Version.class,
    sortOptions = false,
    description = "Measures RankRT on this machine, and advises.",
    exitCodeListHeading = "%nExit codes:%n",
    exitCodeList = {
      "0:It worked.",
      "1:It failed, or what was checked is wrong; the standard error says why.",
      "2:The arguments make no sense; nothing was done."
    },
    subcommands = {BenchCommand.class, BuildCommand.class, DoctorCommand.class, TuneCommand.class})
public final class RankRt implements Runnable {
  @Spec private CommandSpec spec;

  private RankRt() {}

  /**
   * Runs the program and ends the process.
   *
   * @param args see {@code --help}
   */
  public static void main(String[] args) {
    PrintWriter out = new PrintWriter(System.out, true, StandardCharsets.UTF_8);
    PrintWriter err = new PrintWriter(System.err, true, StandardCharsets.UTF_8);
    System.exit(run(out, err, args));
  }

  /**
   * Runs the program in this process.
   *
   * @param out where results go
   * @param err where everything else goes
   * @param args the command line
   * @return the code to end the process with
   */
  public static int run(PrintWriter out, PrintWriter err, String... args) {
    return commandLine().setOut(out).setErr(err).execute(args);
  }

  private static CommandLine commandLine() {
    CommandLine program = new CommandLine(new RankRt());
    for (CommandLine command : program.getSubcommands().values()) {
      // Each command's help tells the same codes, from one place.
      command
          .getCommandSpec()
          .usageMessage()
          .exitCodeListHeading(program.getCommandSpec().usageMessage().exitCodeListHeading())
          .exitCodeList(program.getCommandSpec().usageMessage().exitCodeList());
    }
    return program
        .registerConverter(IdRange.class, new IdRanges())
        .setCaseInsensitiveEnumValuesAllowed(true)
        .setExecutionStrategy(
            parsed -> {
              CommonOptions options = CommonOptions.in(parsed);
              options.configureLogging();
              options.requireWritable();
              try {
                return new CommandLine.RunLast().execute(parsed);
              } catch (OutOfMemoryError e) {
                return outOfMemory(e, program, options);
              }
            })
        .setParameterExceptionHandler(
            (problem, ignored) -> misused(problem, problem.getCommandLine()))
        .setExecutionExceptionHandler(RankRt::failed);
  }

  private static int misused(Exception problem, CommandLine command) {
    command.getErr().println(problem.getMessage());
    command.getErr().println("try: " + command.getCommandSpec().qualifiedName() + " --help");
    return CommandLine.ExitCode.USAGE;
  }

  /** What the user can act on is one message; anything else is a defect, with its stack trace. */
  private static int failed(Exception problem, CommandLine command, ParseResult parsed) {
    boolean verbose = CommonOptions.in(parsed).verbose();
    if (problem instanceof IllegalArgumentException) {
      // The library's word on options that do not fit the model, such as a name it does not have.
      if (verbose) {
        problem.printStackTrace(command.getErr());
      }
      return misused(problem, command);
    }
    boolean expected = problem instanceof IOException || problem instanceof RankRtException;
    if (expected && !verbose) {
      command.getErr().println(messageOf(problem));
      if (problem instanceof InferenceException
          && command.getCommandSpec().findOption("--id-max") != null) {
        command
            .getErr()
            .println("if an id was refused: say which the model knows with --id-range or --id-max");
      }
    } else {
      problem.printStackTrace(command.getErr());
    }
    return CommandLine.ExitCode.SOFTWARE;
  }

  /** Sizes are the user's: what does not fit is no defect. */
  private static int outOfMemory(OutOfMemoryError e, CommandLine program, CommonOptions options) {
    if (options.verbose()) {
      e.printStackTrace(program.getErr());
    }
    program
        .getErr()
        .println(
            "out of memory: "
                + e.getMessage()
                + "; ask for fewer rows, smaller batches or fewer requests at once, or give Java"
                + " more with -Xmx: its heap holds "
                + (Runtime.getRuntime().maxMemory() >> 20)
                + " MiB, and its buffers as much again");
    return CommandLine.ExitCode.SOFTWARE;
  }

  private static String messageOf(Exception problem) {
    // Messages of these are only the name, as it was given.
    if (problem instanceof NoSuchFileException missing) {
      return "no such file: " + whole(missing) + "; check the path";
    }
    if (problem instanceof AccessDeniedException denied) {
      return "no permission for " + whole(denied) + "; change that, or the user that runs this";
    }
    return problem instanceof FileSystemException ? problem.toString() : problem.getMessage();
  }

  private static Path whole(FileSystemException problem) {
    return Path.of(problem.getFile()).toAbsolutePath();
  }

  /** Without a command there is nothing to do. */
  @Override
  public void run() {
    throw new CommandLine.ParameterException(
        spec.commandLine(),
        "which command? One of " + String.join(", ", spec.subcommands().keySet()));
  }

  /** The version in the jar's manifest; classes in a folder have none. */
  static final class Version implements IVersionProvider {
    @Override
    public String[] getVersion() {
      String version = RankRt.class.getPackage().getImplementationVersion();
      return new String[] {"rankrt " + (version == null ? "(development)" : version)};
    }
  }
}
