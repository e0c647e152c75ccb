package dev.rankrt.streams.internal;

/**
 * Whether and for how long to spin before blocking, learnt from the recent waits: for the GPU, or
 * for work. One thread at a time.
 *
 * <p><b>The choice.</b> A thread that waits can <em>spin</em> (the end is seen at once, and a core
 * is taken meanwhile) or <em>block</em> until it is woken (the core is free, and waking up costs
 * about {@link #WAKE_UP_NANOS}, through an interrupt, the driver and the scheduler). If the wait's
 * length were known the choice would be simple: spin through waits that are not much longer than a
 * wake-up, block in longer ones. A ranking model answers in 50 to 500 microseconds, and nearly
 * every call of a session takes as long as the one before: the length nearly is known.
 *
 * <p><b>The rule.</b> Keep a moving average of the waits, the <em>typical</em> one.
 *
 * <ul>
 *   <li>Where it is at most {@link #LONGEST_SPUN_NANOS}, spin up to twice as long as it: that
 *       covers jitter and batches up to twice the usual work. A wait that lasts longer is held up
 *       by something (a busy GPU, another process), its end cannot be foretold, and the core is
 *       worth more to others: block.
 *   <li>Where it is longer, a wake-up is less than a twentieth of the wait, and spinning through it
 *       would burn most of a core: block. Who can spin for a limited time does so for a wake-up's
 *       cost in any case: it is the old rule for not knowing, and never costs more than twice what
 *       knowing would have.
 * </ul>
 *
 * <p><b>Who spins for the GPU.</b> The driver, in one call: it watches a word in memory. Asking it
 * again and again whether the work is done takes its lock each time, and sixteen threads that do so
 * hold up each other's launches. The price is that such a wait cannot be cut short: one that turns
 * out to be long is spun through to its end. It is paid about ten times when a GPU becomes busy,
 * until the average has followed.
 *
 * <p><b>What keeps it steady.</b> One wait counts for an eighth, so about ten calls after the model
 * or the load has changed the average has followed. A wait counts for four times the typical one at
 * most: a single pause of a second, which says nothing of the next call, moves the average by three
 * eighths and no more. Waits that find the work done already count as zero, which is what the
 * wake-up's cost as the lower end of spinning is for. Blocked waits count with their wake-up in
 * them; that can keep waits that lie within a wake-up of the limit on either side of it, where both
 * sides are equally good.
 */
public final class AdaptiveSpin {
  /** What waking a blocked thread costs, a guess on the high side of tens of microseconds. */
  static final long WAKE_UP_NANOS = 50_000;

  /** Twenty wake-ups: from here on blocking adds 5 % at most. */
  static final long LONGEST_SPUN_NANOS = 20 * WAKE_UP_NANOS;

  private static final int WEIGHT = 8;
  private static final int MOST_COUNTED = 4;

  private long typicalNanos = WAKE_UP_NANOS;

  /** Returns whether the next wait should spin, for who cannot limit how long. */
  boolean spins() {
    return typicalNanos <= LONGEST_SPUN_NANOS;
  }

  /** Returns how long the next wait should spin before it blocks. */
  public long spinNanos() {
    return spins() ? Math.max(WAKE_UP_NANOS, 2 * typicalNanos) : WAKE_UP_NANOS;
  }

  /** Learns from a wait that has ended. */
  public void ended(long waitedNanos) {
    long counted = Math.min(waitedNanos, MOST_COUNTED * Math.max(typicalNanos, WAKE_UP_NANOS));
    typicalNanos += (counted - typicalNanos) / WEIGHT;
  }
}
