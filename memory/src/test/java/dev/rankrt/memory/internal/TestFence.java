package dev.rankrt.memory.internal;

/** A fence that passes when the test says so. */
final class TestFence implements Fence {
  private volatile boolean done;
  private volatile int asked;

  void pass() {
    done = true;
  }

  int asked() {
    return asked;
  }

  @Override
  @SuppressWarnings("NonAtomicVolatileUpdate") // pools ask under their lock
  public boolean isDone() {
    asked++;
    return done;
  }
}
