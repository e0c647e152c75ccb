package dev.rankrt.examples.bench;

/** Time that passes only when it is told to. One thread at a time. */
final class PlayedClock implements Clock {
  private long now;

  @Override
  public long nanos() {
    return now;
  }

  @Override
  public void waitUntil(long nanos) {
    now = Math.max(now, nanos);
  }

  void pass(long nanos) {
    now += nanos;
  }
}
