package dev.rankrt.examples.bench;

import dev.rankrt.Engine;
import dev.rankrt.Session;
import java.util.ArrayList;
import java.util.List;
import java.util.function.IntFunction;

/** A number of sessions of one engine, one for each lane. Closes the engine with them. */
final class SessionsTarget implements Target {
  private final Engine engine;
  private final IntFunction<Requests> requests;
  private final List<Session> sessions = new ArrayList<>();

  /**
   * Creates the sessions.
   *
   * @param requests gives the requests of a number of rows, the same ones for the same number
   */
  SessionsTarget(Engine engine, int count, IntFunction<Requests> requests) {
    this.engine = engine;
    this.requests = requests;
    boolean success = false;
    try {
      for (int i = 0; i < count; i++) {
        sessions.add(engine.newSession());
      }
      success = true;
    } finally {
      if (!success) {
        close();
      }
    }
  }

  @Override
  public int lanes() {
    return sessions.size();
  }

  @Override
  public void call(int lane, int rows) {
    requests.apply(rows).any().run(sessions.get(lane));
  }

  @Override
  public void close() {
    sessions.forEach(Session::close);
    engine.close();
  }
}
