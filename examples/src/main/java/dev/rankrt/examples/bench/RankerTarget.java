package dev.rankrt.examples.bench;

import dev.rankrt.Ranker;
import java.util.concurrent.CompletableFuture;
import java.util.function.Consumer;
import java.util.function.IntFunction;

/** A ranker, which has a queue of its own and runs together what waits together. Closes it. */
final class RankerTarget implements Target {
  private static final int MOST_SUBMITTERS = 4;

  private final Ranker ranker;
  private final IntFunction<Requests> requests;

  RankerTarget(Ranker ranker, IntFunction<Requests> requests) {
    this.ranker = ranker;
    this.requests = requests;
  }

  @Override
  public int lanes() {
    return Integer.MAX_VALUE;
  }

  @Override
  public void call(int lane, int rows) {
    requests.apply(rows).any().run(ranker);
  }

  /** Few, since they never wait for answers, and take the processors that the workers need. */
  @Override
  public int submitters() {
    return Math.max(1, Math.min(MOST_SUBMITTERS, Runtime.getRuntime().availableProcessors() / 4));
  }

  @Override
  public void submit(int lane, int rows, Consumer<Throwable> answer) {
    CompletableFuture<?> unused =
        requests
            .apply(rows)
            .any()
            .start(ranker)
            .whenComplete((scores, problem) -> answer.accept(problem));
  }

  @Override
  public void close() {
    ranker.close();
  }
}
