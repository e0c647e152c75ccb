package dev.rankrt.examples.bench;

import java.util.function.Consumer;

/**
 * What answers requests: sessions, or something with a queue in front of them. Safe for use by
 * several threads, each with a lane of its own.
 */
interface Target extends AutoCloseable {
  /** Returns how many threads may be in {@link #call} at once, each with a lane from 0 on. */
  int lanes();

  /** Sends a request and returns when it is answered. */
  void call(int lane, int rows);

  /** Returns how many threads are to {@link #submit} requests. */
  default int submitters() {
    return lanes();
  }

  /**
   * Sends a request; unless the target has a queue of its own, this answers it as well.
   *
   * @param answer is told once that the request is answered, by null, or why it is not; unless this
   *     method throws that itself
   */
  default void submit(int lane, int rows, Consumer<Throwable> answer) {
    call(lane, rows);
    answer.accept(null);
  }

  @Override
  void close();
}
