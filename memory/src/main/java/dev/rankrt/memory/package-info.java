/**
 * What users set and see of the memory that RankRT holds on a device and in pinned host memory.
 *
 * <p>A {@link dev.rankrt.memory.PoolConfig} bounds a pool, {@link dev.rankrt.memory.PoolStats} says
 * where its bytes are, an {@link dev.rankrt.memory.AllocationListener} hears of allocations and
 * leaks. The pools themselves are made and used by engines and sessions: the memory behind a
 * session is reached through the session.
 */
package dev.rankrt.memory;
