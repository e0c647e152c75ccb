package dev.rankrt.examples.bench;

import java.io.IOException;
import java.time.Duration;

/** What is measured: in this process, or in another one. One thread at a time. */
interface Subject extends AutoCloseable {
  /** Keeps requests in flight; see {@link Load#closed}. */
  Figures closed(int inFlight, int rows, Duration duration) throws IOException;

  /** Sends requests at set times; see {@link Load#open}. */
  Figures open(double perSecond, int rows, Duration duration, Duration grace) throws IOException;

  @Override
  void close();

  /** Returns a subject in this process, which closes its target. */
  static Subject of(Target target) {
    return new Subject() {
      @Override
      public Figures closed(int inFlight, int rows, Duration duration) {
        return Load.closed(target, Clock.SYSTEM, inFlight, rows, duration);
      }

      @Override
      public Figures open(double perSecond, int rows, Duration duration, Duration grace) {
        return Load.open(target, Clock.SYSTEM, perSecond, rows, duration, grace);
      }

      @Override
      public void close() {
        target.close();
      }
    };
  }
}
