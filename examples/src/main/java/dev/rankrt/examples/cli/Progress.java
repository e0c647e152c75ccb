package dev.rankrt.examples.cli;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import me.tongfei.progressbar.ProgressBar;
import me.tongfei.progressbar.ProgressBarBuilder;
import me.tongfei.progressbar.ProgressBarStyle;

/** How long work tells how far it is: on the standard error, only if that is a terminal. */
public final class Progress {
  private final boolean shown;

  private Progress(boolean shown) {
    this.shown = shown;
  }

  /** Returns progress that nobody sees. */
  public static Progress none() {
    return new Progress(false);
  }

  /** Returns progress that is seen where a person watches. */
  public static Progress onTerminal() {
    return new Progress(standardErrorIsTerminal());
  }

  /** Java's console tells nothing of the standard error, and since Java 22 is never null. */
  private static boolean standardErrorIsTerminal() {
    try {
      return Files.readSymbolicLink(Path.of("/proc/self/fd/2"))
          .toString()
          .matches("/dev/(pts/|tty).*");
    } catch (IOException | UnsupportedOperationException e) {
      return false;
    }
  }

  /**
   * Begins a piece of work.
   *
   * @param name what is done, in a few words
   * @param steps how many steps it has; negative if that is not known
   * @return the bar, which whoever does the work closes
   */
  public Task begin(String name, long steps) {
    if (!shown) {
      return new Task(null);
    }
    return new Task(
        new ProgressBarBuilder()
            .setTaskName(name)
            .setInitialMax(steps)
            .setStyle(ProgressBarStyle.ASCII)
            .setUpdateIntervalMillis(200)
            .clearDisplayOnFinish()
            .build());
  }

  /** One piece of work. Safe for use by several threads. */
  public static final class Task implements AutoCloseable {
    private final ProgressBar bar;

    private Task(ProgressBar bar) {
      this.bar = bar;
    }

    /** Takes note of steps that are done. */
    public void step(long steps) {
      if (bar != null) {
        bar.stepBy(steps);
      }
    }

    /** Shows what is being done. */
    public void say(String message) {
      if (bar != null) {
        bar.setExtraMessage(message);
      }
    }

    @Override
    public void close() {
      if (bar != null) {
        bar.close();
      }
    }
  }
}
