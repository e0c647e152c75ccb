package dev.rankrt.examples.bench;

import dev.rankrt.Engine;
import dev.rankrt.Session;
import java.util.ArrayList;
import java.util.List;
import java.util.function.IntFunction;

/** A number of sessions of one engine, one for each lane. Closes the engine with them. */
final class SessionsTarget implements Target {
  /** Lanes begin at different requests. */
  private static final int STRIDE = 37;

  private final Engine engine;
  private final IntFunction<Requests> requests;
  private final List<Session> sessions = new ArrayList<>();
  private final int[] next;
  private final boolean denseAndSparse;

  /**
   * Creates the sessions.
   *
   * @param requests gives the requests of a number of rows, the same ones for the same number
   */
  SessionsTarget(Engine engine, int count, IntFunction<Requests> requests) {
    this.engine = engine;
    this.requests = requests;
    this.next = new int[count * PADDING];
    this.denseAndSparse = requests.apply(1).isDenseAndSparse(engine.outputs());
    boolean success = false;
    try {
      for (int i = 0; i < count; i++) {
        next[i * PADDING] = i * STRIDE;
        sessions.add(engine.newSession());
      }
      success = true;
    } finally {
      if (!success) {
        close();
      }
    }
  }

  /** Lanes' counters are on cache lines of their own: 64 bytes, and the neighbour's prefetched. */
  private static final int PADDING = 32;

  @Override
  public int lanes() {
    return sessions.size();
  }

  @Override
  public void call(int lane, int rows) {
    Requests drawn = requests.apply(rows);
    int number = next[lane * PADDING]++;
    Session session = sessions.get(lane);
    if (denseAndSparse) {
      session.infer(drawn.dense(number), drawn.sparse(number));
    } else {
      drawn.run(session, number, rows);
    }
  }

  @Override
  public void close() {
    sessions.forEach(Session::close);
    engine.close();
  }
}
