package dev.rankrt.testing;

import java.io.File;
import java.io.IOException;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/** Runs a main class in a JVM of its own. */
public final class Forked {
  private static final long PATIENCE_SECONDS = 60;

  private Forked() {}

  /**
   * What became of the JVM.
   *
   * @param exit its exit code
   * @param output its standard output and error
   */
  public record Result(int exit, String output) {}

  /** Returns the class path of some classes: a build tool's own does not tell it. */
  public static String classPathOf(Class<?>... classes) {
    return Stream.of(classes)
        .map(
            type ->
                Path.of(
                    URI.create(
                        type.getProtectionDomain().getCodeSource().getLocation().toString())))
        .map(Path::toString)
        .distinct()
        .collect(Collectors.joining(File.pathSeparator));
  }

  /** Runs a class and waits for its end; a JVM that hangs is ended after a minute. */
  public static Result run(String classPath, List<String> jvmOptions, Class<?> main, String... args)
      throws IOException, InterruptedException {
    return run(Map.of(), classPath, jvmOptions, main, args);
  }

  /** Runs a class with these environment variables besides those of this process. */
  public static Result run(
      Map<String, String> environment,
      String classPath,
      List<String> jvmOptions,
      Class<?> main,
      String... args)
      throws IOException, InterruptedException {
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    command.addAll(List.of("-Xmx256m", "-XX:-CreateCoredumpOnCrash", "-cp", classPath));
    command.addAll(jvmOptions);
    command.add(main.getName());
    command.addAll(List.of(args));
    Path output = Files.createTempFile("rankrt-forked", ".log");
    try {
      ProcessBuilder builder =
          new ProcessBuilder(command)
              .directory(output.getParent().toFile())
              .redirectErrorStream(true)
              .redirectOutput(output.toFile());
      builder.environment().putAll(environment);
      Process process = builder.start();
      if (!process.waitFor(PATIENCE_SECONDS, TimeUnit.SECONDS)) {
        process.destroyForcibly().waitFor();
      }
      return new Result(process.exitValue(), Files.readString(output, StandardCharsets.UTF_8));
    } finally {
      Files.delete(output);
    }
  }
}
