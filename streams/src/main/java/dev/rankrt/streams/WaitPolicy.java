package dev.rankrt.streams;

/**
 * How a thread waits for the GPU: what it pays in latency against what it takes from other threads.
 * Immutable.
 *
 * <p>No policy creates an object, and none is cut short by an interrupt: the work on the GPU cannot
 * be taken back, so the wait goes on and the thread's interrupt flag stays set.
 */
public enum WaitPolicy {
  /**
   * Lets the driver watch for the end. The lowest latency; takes a whole core for as long as it
   * waits, so there should be no more waiting threads than cores.
   */
  SPIN,

  /**
   * Asks the driver again and again, and lets other threads run in between. Nearly as fast as
   * {@link #SPIN} while cores are idle, and still works when there are more threads than cores.
   */
  YIELD,

  /**
   * Sleeps until the GPU's interrupt. Takes no processor time, and adds what it takes to wake a
   * thread: tens of microseconds.
   */
  BLOCK,

  /**
   * Spins where the stream's recent waits were short, and blocks where they were longer than a
   * millisecond. What a service should use unless it measured that another is better: the latency
   * of {@link #SPIN} while the GPU answers as a ranking model lets it, and the manners of {@link
   * #BLOCK} when it does not.
   */
  ADAPTIVE
}
