package dev.rankrt.testing;

import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.List;

/** What is logged while this is open; SLF4J's simple logger writes to the standard error. */
public final class CapturedLog implements AutoCloseable {
  private final PrintStream before = System.err;
  private final ByteArrayOutputStream written = new ByteArrayOutputStream();

  /** Starts to capture. */
  public CapturedLog() {
    System.setErr(new PrintStream(written, true, StandardCharsets.UTF_8));
  }

  /** Returns what was logged so far. */
  public List<String> lines() {
    return written.toString(StandardCharsets.UTF_8).lines().toList();
  }

  @Override
  public void close() {
    System.setErr(before);
  }
}
