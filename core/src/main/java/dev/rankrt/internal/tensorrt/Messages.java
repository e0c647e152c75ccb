package dev.rankrt.internal.tensorrt;

import java.util.ArrayDeque;
import java.util.Deque;
import java.util.List;
import java.util.function.BiConsumer;
import org.bytedeco.tensorrt.nvinfer.ILogger.Severity;

/**
 * Collects what TensorRT says while something is attempted, for the exception if it fails. Safe for
 * use by several threads.
 */
final class Messages implements BiConsumer<Severity, String>, AutoCloseable {
  /** Enough for a cause and its consequences; a failing build may add thousands of lines. */
  private static final int KEPT_LINES = 12;

  private final TensorRtLog log;
  private final Deque<String> errors = new ArrayDeque<>();
  private final Deque<String> warnings = new ArrayDeque<>();

  Messages(TensorRtLog log) {
    this.log = log;
    log.add(this);
  }

  @Override
  public synchronized void accept(Severity severity, String message) {
    switch (severity) {
      case kINTERNAL_ERROR, kERROR -> keep(errors, message);
      case kWARNING -> keep(warnings, message);
      default -> {}
    }
  }

  private static void keep(Deque<String> lines, String line) {
    if (lines.size() == KEPT_LINES) {
      lines.removeLast(); // the first lines name the cause
    }
    lines.addLast(line);
  }

  /** Returns the errors, or the warnings where there was none. */
  synchronized List<String> lines() {
    return List.copyOf(errors.isEmpty() ? warnings : errors);
  }

  /** Returns the lines in one. */
  String text() {
    List<String> lines = lines();
    return lines.isEmpty() ? "TensorRT gave no reason" : String.join("; ", lines);
  }

  @Override
  public void close() {
    log.remove(this);
  }
}
