package dev.rankrt.memory.internal;

/**
 * A point in a device's work that memory must outlive. Safe for use by several threads.
 *
 * <p>A block that was part of running work is returned with a fence, and its pool hands it to
 * nobody until the fence has passed. The pool asks and never waits inside CUDA, because CUDA's
 * waits know neither deadlines nor interrupts.
 */
@FunctionalInterface
public interface Fence {

  /**
   * Returns whether everything before this point is done.
   *
   * <p>Pools call this with their lock held, on any thread and whichever device is current there.
   * It must not block and must not use a pool. The pool asks no more after the first {@code true}.
   * An exception counts as "not yet": memory whose work has an unknown end is never reused, and the
   * exception becomes the cause of a {@link dev.rankrt.memory.PoolExhaustedException} that it leads
   * to.
   *
   * @return true once the work is done, and true from then on
   */
  boolean isDone();
}
