package dev.rankrt.memory;

import java.io.Serializable;

/**
 * Where a pool's bytes are at one moment. Immutable.
 *
 * <p>{@code reservedBytes} is always the sum of {@code inUseBytes}, {@code freeBytes} and {@code
 * quarantinedBytes}. Bytes are those of blocks, which are up to an eighth larger than what was
 * asked, or up to twice as large where the pool was full and had such a block free.
 *
 * @param pool the pool's name
 * @param limitBytes what the pool may hold of CUDA's memory
 * @param reservedBytes what it holds
 * @param inUseBytes held by leases, or just being allocated or freed
 * @param freeBytes ready to be handed out
 * @param quarantinedBytes returned, but not yet seen to be behind their fence
 * @param leases how many leases are open
 * @param quarantinedBlocks how many blocks wait for a fence
 * @param waiters how many threads wait for memory
 * @param highWaterBytes the most bytes that were ever in use or in quarantine at once
 */
public record PoolStats(
    String pool,
    long limitBytes,
    long reservedBytes,
    long inUseBytes,
    long freeBytes,
    long quarantinedBytes,
    int leases,
    int quarantinedBlocks,
    int waiters,
    long highWaterBytes)
    implements Serializable {}
