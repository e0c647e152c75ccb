package dev.rankrt;

import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/**
 * A future that nobody waits for on a thread that is to answer: who did would wait for ever, and so
 * would everyone else. Safe for use by several threads.
 *
 * @param <A> the answer, or what became of it
 */
abstract class Awaited<A> extends CompletableFuture<A> {
  /** Returns what answers it; null before anything took it. */
  abstract Serving serving();

  private void requireOutside() {
    Serving serving = serving();
    if (serving != null && !isDone()) {
      serving.requireOutside("waiting for an answer");
    }
  }

  @Override
  public A join() {
    requireOutside();
    return super.join();
  }

  @Override
  public A get() throws InterruptedException, ExecutionException {
    requireOutside();
    return super.get();
  }

  @Override
  public A get(long timeout, TimeUnit unit)
      throws InterruptedException, ExecutionException, TimeoutException {
    requireOutside();
    return super.get(timeout, unit);
  }

  @Override
  public <U> CompletableFuture<U> newIncompleteFuture() {
    return new Dependent<>(serving());
  }

  /**
   * What an action makes of a request's answer, or of what another made of it. It does not know the
   * request, which would be kept as long as it is, with the caller's values.
   */
  private static final class Dependent<U> extends Awaited<U> {
    private final Serving serving;

    Dependent(Serving serving) {
      this.serving = serving;
    }

    @Override
    Serving serving() {
      return serving;
    }
  }
}
