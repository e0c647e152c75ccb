package dev.rankrt.examples.bench;

import java.util.function.LongUnaryOperator;

/** One lane whose calls take played time. */
final class PlayedServer implements Target {
  private final PlayedClock clock;
  private final LongUnaryOperator nanosOfCall;
  private long calls;

  /**
   * Creates a server.
   *
   * @param nanosOfCall how long a call takes, by its number from 0
   */
  PlayedServer(PlayedClock clock, LongUnaryOperator nanosOfCall) {
    this.clock = clock;
    this.nanosOfCall = nanosOfCall;
  }

  @Override
  public int lanes() {
    return 1;
  }

  @Override
  public void call(int lane, int rows) {
    clock.pass(nanosOfCall.applyAsLong(calls++));
  }

  @Override
  public void close() {}
}
