package dev.rankrt.examples.bench;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import java.util.concurrent.TimeUnit;

/**
 * The machine that was measured on. Immutable.
 *
 * @param cpu the processor's name
 * @param processors how many of it this process may use
 * @param memoryBytes the machine's memory
 * @param os the operating system and its kernel's version
 * @param java the Java runtime
 * @param heapBytes the limit of the heap
 */
record Machine(
    String cpu, int processors, long memoryBytes, String os, String java, long heapBytes) {

  static Machine here() {
    Runtime runtime = Runtime.getRuntime();
    return new Machine(
        field("/proc/cpuinfo", "model name").orElse(System.getProperty("os.arch")),
        runtime.availableProcessors(),
        field("/proc/meminfo", "MemTotal")
            .map(text -> Long.parseLong(text.replace(" kB", "")) * 1024)
            .orElse(0L),
        System.getProperty("os.name") + " " + System.getProperty("os.version"),
        System.getProperty("java.vm.name") + " " + System.getProperty("java.runtime.version"),
        runtime.maxMemory());
  }

  /** Returns the commit of the sources in the working directory, if this is where they are. */
  static Optional<String> commit() {
    if (!Files.exists(Path.of("examples", "pom.xml"))) {
      return Optional.empty();
    }
    try {
      Process git =
          new ProcessBuilder("git", "describe", "--always", "--dirty")
              .redirectError(ProcessBuilder.Redirect.DISCARD)
              .start();
      String text = new String(git.getInputStream().readAllBytes(), StandardCharsets.UTF_8).strip();
      return git.waitFor(10, TimeUnit.SECONDS) && git.exitValue() == 0
          ? Optional.of(text)
          : Optional.empty();
    } catch (IOException e) {
      return Optional.empty();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      return Optional.empty();
    }
  }

  /** Returns a value from a file of lines such as {@code MemTotal: 1 kB}. */
  private static Optional<String> field(String file, String name) {
    Path path = Path.of(file);
    if (!Files.isReadable(path)) {
      return Optional.empty();
    }
    try {
      return Files.readAllLines(path).stream()
          .filter(line -> line.startsWith(name))
          .map(line -> line.substring(line.indexOf(':') + 1).strip())
          .findFirst();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
