package dev.rankrt.spi;

import java.nio.ByteBuffer;

/**
 * The memory of one session and the means to run it. One thread at a time, which the caller sees
 * to.
 *
 * <p>Buffers are direct, in native byte order, stay the same for the session's life and hold {@link
 * BackendEngine#maxBatch} rows. Every floating type of a model is a {@code float} in them; integers
 * are as in the model.
 */
public interface BackendSession extends AutoCloseable {
  /**
   * Returns the memory that a run reads an input from.
   *
   * @param index the input's place in {@link BackendEngine#inputs}
   * @return the whole buffer
   */
  ByteBuffer input(int index);

  /**
   * Returns the memory that a run leaves an output in.
   *
   * @param index the output's place in {@link BackendEngine#outputs}
   * @return the whole buffer
   */
  ByteBuffer output(int index);

  /**
   * Runs the first rows of the inputs and returns when the same rows of the outputs are there. What
   * lies behind them, in inputs and outputs alike, never changes a result.
   *
   * @param rows from {@link BackendEngine#minBatch} to {@link BackendEngine#maxBatch}
   * @throws dev.rankrt.InferenceException if the run failed; the next one may succeed
   */
  void run(int rows);

  /** Frees the session's memory. Called once, never during a run. */
  @Override
  void close();
}
