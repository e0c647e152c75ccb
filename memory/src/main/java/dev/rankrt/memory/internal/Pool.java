package dev.rankrt.memory.internal;

import dev.rankrt.memory.AllocationListener;
import dev.rankrt.memory.PoolConfig;
import dev.rankrt.memory.PoolExhaustedException;
import dev.rankrt.memory.PoolStats;
import dev.rankrt.natives.CudaException;
import dev.rankrt.natives.internal.Cuda;
import dev.rankrt.natives.internal.CudaErrors;
import java.lang.ref.Reference;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.LockSupport;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Consumer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Leases of memory up to a limit. Safe for use by several threads.
 *
 * <p>A lease belongs to whoever acquired it, until it is closed. The pool outlives its leases, in
 * that a pool which is closed earlier frees a block only when its lease comes back.
 *
 * @param <L> the kind of lease
 */
public abstract sealed class Pool<L extends Lease> implements AutoCloseable
    permits DevicePool, StagingPool {

  /*
   * How it works.
   *
   * A block is one allocation of CUDA's. Blocks are not cut out of larger slabs: sessions lease a few
   * large regions for as long as they live, so there is nothing for slabs to amortise, and whole
   * allocations make the limit exact, let trimming give back whatever is free, and cannot fragment.
   *
   *                      acquire                          close
   *            +------------------------- free <---------------------------+
   *            v                          ^  |                             |
   *         leased                        |  | trim, evict              leased
   *            |                          |  v
   *            | closeAfter      fence    |  moving <---- CUDA allocates or frees, lock not held
   *            +-------> quarantine ------+
   *
   * Every byte of a block is counted in exactly one of the four places; "reserved" is what the pool
   * holds of CUDA's memory and is always their sum. Bytes enter "moving" before CUDA is asked for
   * them and leave it after CUDA took them back, so that what CUDA has really given never exceeds the
   * limit, whatever other threads do meanwhile.
   *
   * A request is served by the first of these that works:
   *   1. a free block of its size class, one lock away: the fast path, open only while nobody waits;
   *   2. the same, after the quarantine was asked which fences have passed;
   *   3. a new block, if the limit allows;
   *   4. a free block up to twice as large, which is cheaper than 5;
   *   5. a new block in place of free blocks of other classes. Freeing makes CUDA wait for the whole
   *      device, so this comes last;
   *   6. waiting.
   *
   * Who waits stands in a queue, and only its head is ever served: large requests do not starve behind
   * small ones. serve() is the one place that serves, with the lock held: it takes a waiter out of the
   * queue and gives it its block (or its share of "moving") in the same step. A waiter that gives up
   * takes itself out under the same lock, so it is either served or gone, never both, and no memory is
   * lost on it. CUDA cannot wake Java when a fence passes, so the head asks the fences itself, every
   * POLL_NANOS; whoever becomes head is signalled, to take that over.
   */

  private static final Logger LOG = LoggerFactory.getLogger(Pool.class);

  /** A query costs CUDA about a microsecond, and a run is rarely shorter than this. */
  private static final long POLL_NANOS = TimeUnit.MICROSECONDS.toNanos(50);

  /** Enough names to see who it is; a message with hundreds of them is no longer read. */
  private static final int HOLDERS_NAMED = 8;

  final Cuda cuda;
  private final String kind;
  final int device;
  private final PoolConfig config;
  private final SizeClasses sizes;
  private final LeakTracker leaks;

  private final ReentrantLock lock = new ReentrantLock();

  // Guarded by the lock.
  private final Block[] free;
  private final Set<Block> blocks = new HashSet<>();
  private final ArrayDeque<Block> quarantine = new ArrayDeque<>();
  private final ArrayDeque<Waiter> waiters = new ArrayDeque<>();
  private long reservedBytes;
  private long leasedBytes;
  private long freeBytes;
  private long quarantinedBytes;
  private long movingBytes;
  private long highWaterBytes;
  private int leases;
  private boolean closed;
  private RuntimeException fenceFailure;

  Pool(String kind, Cuda cuda, int device, PoolConfig config) {
    this.kind = kind;
    this.cuda = Objects.requireNonNull(cuda, "cuda");
    this.device = device;
    this.config = Objects.requireNonNull(config, "config");
    this.sizes = new SizeClasses(config.limitBytes());
    this.free = new Block[sizes.count()];
    this.leaks = new LeakTracker(config.leakDetection());
  }

  /** Asks CUDA for a block. */
  abstract Block allocate(int sizeClass, long bytes);

  /** Gives a block back to CUDA. */
  abstract void free(Block block);

  abstract L lease(Block block, long bytes);

  /** Sees every block that becomes free, with the lock held. */
  void cameBack(Block block) {}

  // ---- Acquiring ---------------------------------------------------------------------------

  /**
   * Leases memory, waiting as long as the configuration says. See {@link #acquire(long, String,
   * Duration)}.
   */
  public final L acquire(long bytes, String holder) throws InterruptedException {
    return acquire(bytes, holder, config.maxWait());
  }

  /**
   * Leases memory, waiting for it if need be. Waiting requests are served in their order.
   *
   * @param bytes how many; one or more
   * @param holder what the memory is for, as exceptions and the log should call it
   * @param maxWait how long to wait for other holders; zero or less does not wait
   * @throws PoolExhaustedException if there was nothing within the wait, at once where the pool
   *     could never hold that much, or where the device itself has no memory left
   * @throws InterruptedException if interrupted while waiting; the request changed nothing
   * @throws IllegalStateException if the pool is closed
   * @throws CudaException if CUDA could not allocate for another reason
   */
  public final L acquire(long bytes, String holder, Duration maxWait) throws InterruptedException {
    long start = System.nanoTime();
    Block block = take(bytes, holder, nanos(maxWait));
    if (block == null) {
      throw exhausted(bytes, System.nanoTime() - start, null);
    }
    return leased(block, bytes, holder);
  }

  /**
   * Leases memory if that needs no waiting for other holders, those that already wait included.
   *
   * @param bytes how many; one or more
   * @param holder what the memory is for, as exceptions and the log should call it
   * @return the lease, or nothing where another holder has what it would take
   * @throws PoolExhaustedException if the device itself has no memory left
   * @throws IllegalStateException if the pool is closed
   * @throws CudaException if CUDA could not allocate for another reason
   */
  public final Optional<L> tryAcquire(long bytes, String holder) {
    try {
      Block block = take(bytes, holder, 0);
      return block == null ? Optional.empty() : Optional.of(leased(block, bytes, holder));
    } catch (InterruptedException e) {
      throw new AssertionError("nothing waited", e);
    }
  }

  private L leased(Block block, long bytes, String holder) {
    L lease = lease(block, bytes);
    LeakTracker.Trace trace = leaks.track(lease, holder, bytes);
    if (trace != null) {
      lease.trace = trace;
      block.trace = trace;
      reportLeaks();
    }
    return lease;
  }

  /** Returns a leased block, or null if there was none within the wait. */
  private Block take(long bytes, String holder, long waitNanos) throws InterruptedException {
    if (bytes <= 0) {
      throw new IllegalArgumentException("bytes must be positive: " + bytes);
    }
    Objects.requireNonNull(holder, "holder");
    int sizeClass = sizes.of(bytes);
    lock.lock();
    try {
      requireOpen();
      if (sizeClass < 0) {
        return null;
      }
      Block block = waiters.isEmpty() ? popFree(sizeClass) : null;
      if (block != null) {
        countLeased(block, holder);
        return block;
      }
    } finally {
      lock.unlock();
    }
    Waiter waiter = new Waiter(sizeClass, holder, lock.newCondition());
    if (!await(waiter, waitNanos)) {
      return null;
    }
    return waiter.block != null ? waiter.block : allocateFor(waiter, bytes);
  }

  /** Returns whether the waiter was served. */
  private boolean await(Waiter waiter, long waitNanos) throws InterruptedException {
    long start = System.nanoTime();
    lock.lock();
    try {
      waiters.add(waiter);
      reclaim();
      serve();
      while (!waiter.served) {
        requireOpen();
        long left = waitNanos - (System.nanoTime() - start);
        if (left <= 0) {
          return false;
        }
        boolean polls = waiters.peek() == waiter && !quarantine.isEmpty();
        try {
          waiter.condition.awaitNanos(polls ? Math.min(left, POLL_NANOS) : left);
        } catch (InterruptedException e) {
          if (!waiter.served) {
            throw e;
          }
          Thread.currentThread().interrupt();
        }
        if (waiters.peek() == waiter) {
          reclaim();
          serve();
        }
      }
      return true;
    } finally {
      if (!waiter.served) {
        waiters.remove(waiter);
        serve();
      }
      lock.unlock();
    }
  }

  /** Serves waiters in their order, as far as there is memory. */
  private void serve() {
    while (!closed && !waiters.isEmpty() && serve(waiters.element())) {
      Waiter waiter = waiters.remove();
      waiter.served = true;
      waiter.condition.signal();
    }
    Waiter head = waiters.peek();
    if (head != null) {
      head.condition.signal();
    }
  }

  private boolean serve(Waiter waiter) {
    int sizeClass = waiter.sizeClass;
    long bytes = sizes.bytes(sizeClass);
    long room = config.limitBytes() - reservedBytes;
    Block block = popFree(sizeClass);
    if (block == null && bytes > room) {
      block = popLarger(sizeClass);
    }
    if (block != null) {
      countLeased(block, waiter.holder);
      waiter.block = block;
      return true;
    }
    if (bytes > room + freeBytes) {
      return false;
    }
    List<Block> evicted = popUntil(bytes - room);
    long evictedBytes = sum(evicted);
    long grown = Math.max(0, bytes - evictedBytes);
    reservedBytes += grown;
    movingBytes += evictedBytes + grown;
    waiter.evicted = evicted;
    return true;
  }

  /** Allocates the block that a waiter was given room for; the room is in "moving". */
  private Block allocateFor(Waiter waiter, long asked) {
    int sizeClass = waiter.sizeClass;
    long bytes = sizes.bytes(sizeClass);
    Block block = null;
    try {
      waiter.evicted.forEach(this::freeQuietly);
      moved(Math.max(0, sum(waiter.evicted) - bytes));
      block = allocateOrTrim(sizeClass, bytes, asked);
    } finally {
      if (block == null) {
        moved(bytes);
      }
    }
    lock.lock();
    try {
      blocks.add(block);
      movingBytes -= bytes;
      countLeased(block, waiter.holder);
    } finally {
      lock.unlock();
    }
    tell(listener -> listener.allocated(config.name(), bytes));
    return block;
  }

  private Block allocateOrTrim(int sizeClass, long bytes, long asked) {
    try {
      return allocate(sizeClass, bytes);
    } catch (CudaException e) {
      if (e.code() != CudaErrors.MEMORY_ALLOCATION) {
        throw e;
      }
      // Others use the device too: what lies free here may be what CUDA lacks.
      if (trim(0) == 0) {
        throw exhausted(asked, 0, e);
      }
    }
    try {
      return allocate(sizeClass, bytes);
    } catch (CudaException e) {
      if (e.code() != CudaErrors.MEMORY_ALLOCATION) {
        throw e;
      }
      throw exhausted(asked, 0, e);
    }
  }

  // ---- Giving back -------------------------------------------------------------------------

  /** Ends a lease; a second time, does nothing. */
  final void release(Lease lease, Fence fence) {
    boolean freeNow;
    lock.lock();
    try {
      if (lease.closed) {
        return;
      }
      lease.closed = true;
      if (lease.trace != null) {
        lease.trace.clear();
      }
      Block block = lease.block;
      block.holder = null;
      block.trace = null;
      leases--;
      leasedBytes -= block.bytes;
      if (fence == null) {
        pushFree(block);
      } else {
        block.fence = fence;
        quarantine.add(block);
        quarantinedBytes += block.bytes;
      }
      if (!waiters.isEmpty()) {
        serve();
      }
      freeNow = closed;
    } finally {
      lock.unlock();
      // Without this, the collector may take the lease for leaked while it is being closed.
      Reference.reachabilityFence(lease);
    }
    if (freeNow) {
      trim(0);
    }
  }

  /** Moves blocks whose fence has passed from quarantine to the free ones. */
  private void reclaim() {
    fenceFailure = null;
    for (Iterator<Block> i = quarantine.iterator(); i.hasNext(); ) {
      Block block = i.next();
      if (hasPassed(block.fence)) {
        i.remove();
        block.fence = null;
        quarantinedBytes -= block.bytes;
        pushFree(block);
      }
    }
  }

  private boolean hasPassed(Fence fence) {
    try {
      return fence.isDone();
    } catch (RuntimeException e) {
      fenceFailure = e;
      return false;
    }
  }

  /**
   * Takes back what lies behind passed fences, then gives free memory back to CUDA. CUDA waits for
   * the whole device to free memory: call this when load has fallen, not between two runs.
   *
   * @param keepBytes how much may stay free in the pool
   * @return how many bytes CUDA got back
   */
  public final long trim(long keepBytes) {
    List<Block> surplus;
    lock.lock();
    try {
      reclaim();
      serve();
      surplus = popUntil(freeBytes - Math.max(0, keepBytes));
      movingBytes += sum(surplus);
    } finally {
      lock.unlock();
    }
    surplus.forEach(this::freeQuietly);
    long bytes = sum(surplus);
    if (bytes > 0) {
      moved(bytes);
    }
    return bytes;
  }

  /** Bytes that were moving are no longer the pool's. */
  private void moved(long bytes) {
    lock.lock();
    try {
      movingBytes -= bytes;
      reservedBytes -= bytes;
      serve();
    } finally {
      lock.unlock();
    }
  }

  /**
   * Frees a block, whose bytes are "moving". A block is gone even when freeing it fails: nobody can
   * know how far that got, and trying again could free somebody else's memory.
   */
  private void freeQuietly(Block block) {
    lock.lock();
    try {
      blocks.remove(block);
    } finally {
      lock.unlock();
    }
    try {
      free(block);
    } catch (RuntimeException | Error e) {
      LOG.warn("{}: freeing {} failed; it counts as freed", this, size(block.bytes), e);
    }
    tell(listener -> listener.freed(config.name(), block.bytes));
  }

  /**
   * Refuses new requests, those that wait included, and frees what is free. Waits for fences as
   * long as the configuration lets a request wait. What is leased is freed when its lease is
   * closed; what is then still behind a fence stays allocated, because the device may be writing to
   * it. The log gets one warning that names the holders of what is left. Closing again does
   * nothing.
   */
  @Override
  public final void close() {
    lock.lock();
    try {
      if (closed) {
        return;
      }
      closed = true;
      waiters.forEach(waiter -> waiter.condition.signal());
    } finally {
      lock.unlock();
    }
    long start = System.nanoTime();
    long waitNanos = nanos(config.maxWait());
    trim(0);
    while (isBehindFences()
        && System.nanoTime() - start < waitNanos
        && !Thread.currentThread().isInterrupted()) {
      LockSupport.parkNanos(this, POLL_NANOS);
      trim(0);
    }
    reportLeaks();
    lock.lock();
    try {
      if (reservedBytes > 0) {
        LOG.warn("{} was closed with {}", this, describe());
      }
    } finally {
      lock.unlock();
    }
  }

  private boolean isBehindFences() {
    lock.lock();
    try {
      return !quarantine.isEmpty();
    } finally {
      lock.unlock();
    }
  }

  // ---- Free blocks and their bytes; the lock is held ----------------------------------------

  private void pushFree(Block block) {
    cameBack(block);
    block.next = free[block.sizeClass];
    free[block.sizeClass] = block;
    freeBytes += block.bytes;
  }

  private Block popFree(int sizeClass) {
    Block block = free[sizeClass];
    if (block != null) {
      free[sizeClass] = block.next;
      block.next = null;
      freeBytes -= block.bytes;
    }
    return block;
  }

  private Block popLarger(int sizeClass) {
    long most = 2 * sizes.bytes(sizeClass);
    Block block = null;
    for (int i = sizeClass + 1; block == null && i < free.length && sizes.bytes(i) <= most; i++) {
      block = popFree(i);
    }
    return block;
  }

  /** Pops the largest blocks, so the fewest, until they have that many bytes or none is left. */
  private List<Block> popUntil(long bytes) {
    List<Block> popped = new ArrayList<>();
    long left = bytes;
    for (int i = free.length - 1; left > 0 && i >= 0; i--) {
      for (Block block; left > 0 && (block = popFree(i)) != null; left -= block.bytes) {
        popped.add(block);
      }
    }
    return popped;
  }

  private void countLeased(Block block, String holder) {
    block.holder = holder;
    leases++;
    leasedBytes += block.bytes;
    highWaterBytes = Math.max(highWaterBytes, leasedBytes + quarantinedBytes);
  }

  private static long sum(List<Block> list) {
    long bytes = 0;
    for (Block block : list) {
      bytes += block.bytes;
    }
    return bytes;
  }

  // ---- Telling -----------------------------------------------------------------------------

  /** Returns where the pool's bytes are now. Fences are not asked: see {@link #trim}. */
  public final PoolStats stats() {
    reportLeaks();
    lock.lock();
    try {
      return snapshot();
    } finally {
      lock.unlock();
    }
  }

  private PoolStats snapshot() {
    return new PoolStats(
        config.name(),
        config.limitBytes(),
        reservedBytes,
        leasedBytes + movingBytes,
        freeBytes,
        quarantinedBytes,
        leases,
        quarantine.size(),
        waiters.size(),
        highWaterBytes);
  }

  private PoolExhaustedException exhausted(
      long bytes, long waitedNanos, CudaException outOfMemory) {
    reportLeaks();
    PoolExhaustedException refusal;
    lock.lock();
    try {
      long waitedMillis = TimeUnit.NANOSECONDS.toMillis(waitedNanos);
      String advice;
      if (outOfMemory != null) {
        advice = "the device itself has no memory left: lower limitBytes or free memory there";
      } else if (sizes.of(bytes) < 0) {
        advice = "it can never fit: raise limitBytes";
      } else {
        advice = "raise limitBytes, or close leases sooner";
      }
      String message =
          String.format(
              Locale.ROOT,
              "%s: %s asked, %s free of %s, waited %d ms, %s; %s",
              this,
              size(bytes),
              size(config.limitBytes() - reservedBytes + freeBytes),
              size(config.limitBytes()),
              waitedMillis,
              describe(),
              advice);
      Throwable cause = outOfMemory != null ? outOfMemory : fenceFailure;
      refusal = new PoolExhaustedException(message, snapshot(), cause);
    } finally {
      lock.unlock();
    }
    tell(listener -> listener.exhausted(config.name(), refusal));
    return refusal;
  }

  /** Says who holds what; the lock is held. */
  private String describe() {
    Map<String, Holding> holdings = new LinkedHashMap<>();
    for (Block block : blocks) {
      if (block.holder != null) {
        holdings.computeIfAbsent(block.holder, Holding::new).add(block);
      }
    }
    StringBuilder text = new StringBuilder();
    text.append(leases).append(" leases held (").append(size(leasedBytes)).append(")");
    text.append(", ").append(quarantine.size()).append(" blocks in quarantine (");
    text.append(size(quarantinedBytes)).append(")");
    if (!holdings.isEmpty()) {
      List<Holding> sorted = new ArrayList<>(holdings.values());
      sorted.sort((a, b) -> Long.compare(b.bytes, a.bytes));
      int named = Math.min(HOLDERS_NAMED, sorted.size());
      text.append(", held by ").append(sorted.get(0));
      sorted.subList(1, named).forEach(holding -> text.append(", ").append(holding));
      if (named < sorted.size()) {
        text.append(" and ").append(sorted.size() - named).append(" more");
      }
    }
    return text.toString();
  }

  private void reportLeaks() {
    leaks.report(
        trace -> {
          LOG.warn(
              "LEAK: a lease of {} of {}, held by '{}', was collected open; its memory stays allocated",
              size(trace.bytes),
              this,
              trace.holder,
              trace.origin);
          tell(listener -> listener.leaked(config.name(), trace.bytes, trace.origin));
        });
  }

  /** Calls the listener without the lock; its failures are its own. */
  private void tell(Consumer<AllocationListener> event) {
    try {
      event.accept(config.listener());
    } catch (RuntimeException | Error e) {
      LOG.warn("{}: the listener failed", this, e);
    }
  }

  private void requireOpen() {
    if (closed) {
      throw new IllegalStateException(this + " is closed");
    }
  }

  private static long nanos(Duration duration) {
    try {
      return duration.toNanos();
    } catch (ArithmeticException e) {
      return duration.isNegative() ? 0 : Long.MAX_VALUE;
    }
  }

  /** Writes a number of bytes in the unit that keeps it short. */
  static String size(long bytes) {
    String[] units = {"bytes", "KiB", "MiB", "GiB"};
    double value = bytes;
    int unit = 0;
    while (value >= 1024 && unit < units.length - 1) {
      value /= 1024;
      unit++;
    }
    String number = String.format(Locale.ROOT, "%.1f", value).replaceFirst("\\.0$", "");
    return number + " " + units[unit];
  }

  @Override
  public final String toString() {
    return kind + " '" + config.name() + "' of device " + device;
  }

  /** A request that could not be served at once. Guarded by the lock until served. */
  private static final class Waiter {
    final int sizeClass;
    final String holder;
    final Condition condition;
    boolean served;

    /** What it was served: this block, or else room for a new one, once these are freed. */
    Block block;

    List<Block> evicted;

    Waiter(int sizeClass, String holder, Condition condition) {
      this.sizeClass = sizeClass;
      this.holder = holder;
      this.condition = condition;
    }
  }

  /** What one holder has. */
  private static final class Holding {
    private final String holder;
    private final Set<String> places = new HashSet<>();
    private int leases;
    private long bytes;

    Holding(String holder) {
      this.holder = holder;
    }

    void add(Block block) {
      leases++;
      bytes += block.bytes;
      LeakTracker.Trace trace = block.trace;
      if (trace != null) {
        places.add(trace.place());
      }
    }

    @Override
    public String toString() {
      String text = "'" + holder + "' (" + leases + " leases, " + size(bytes);
      return places.isEmpty() ? text + ")" : text + ", acquired at " + places + ")";
    }
  }
}
