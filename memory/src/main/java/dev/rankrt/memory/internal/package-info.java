/**
 * Pools of device memory and of pinned host memory, and the leases that they hand out.
 *
 * <p>There is one lock, each pool's own. {@link Fence#isDone} is the only foreign code that runs
 * with it held; CUDA allocates and frees, and listeners run, without it.
 */
package dev.rankrt.memory.internal;
