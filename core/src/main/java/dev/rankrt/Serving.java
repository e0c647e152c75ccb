package dev.rankrt;

import dev.rankrt.EngineOptions.PerformanceHint;
import dev.rankrt.RequestRefusedException.Reason;
import dev.rankrt.internal.Pace;
import dev.rankrt.natives.DeviceLostException;
import dev.rankrt.natives.internal.Closing;
import dev.rankrt.natives.internal.PlatformThreads;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.atomic.AtomicReference;
import java.util.concurrent.atomic.LongAdder;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Consumer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What all views of a ranker share: the model that serves, its successor while there is one, and
 * the end. Safe for use by several threads.
 *
 * <p>A model serves as a {@link Fleet} of replicas, each with workers of its own. A swap starts a
 * second fleet beside the first, then changes one reference: requests go to the new one from there
 * on, and the old one answers what it has accepted and ends. So each request is one model's,
 * whatever its size. A caller that still held the old fleet finds its queues closed and looks
 * again.
 */
final class Serving {
  private static final Logger log = LoggerFactory.getLogger(Serving.class);

  private final Backends backends;
  private final EngineOptions engineOptions;
  private final RankerOptions options;
  private final RankerListener listener;
  private final List<Device> devices = new ArrayList<>();
  private final Map<Device, Replica.Counters> counters = new ConcurrentHashMap<>();

  /** Why devices serve no longer. */
  private final Map<Device, Throwable> failed = new ConcurrentHashMap<>();

  private final LongAdder refused = new LongAdder();

  private final Traffic traffic =
      new Traffic(() -> counters.values().stream().mapToLong(of -> of.batches.sum()).sum());

  /** One swap at a time. Never taken by who holds {@link #lifecycle}. */
  private final ReentrantLock swapping = new ReentrantLock();

  /** Makes a new fleet and the end exclude each other. Held for a moment. */
  private final ReentrantLock lifecycle = new ReentrantLock();

  private volatile Fleet fleet;
  private volatile boolean closed;

  /** The model that was replaced, while it answers what it had; else null. By lifecycle. */
  private Fleet retiring;

  private Serving(Backends backends, EngineOptions engineOptions, RankerOptions options) {
    this.backends = backends;
    this.engineOptions = engineOptions;
    this.options = options;
    this.listener = options.listener().orElse(new RankerListener() {});
  }

  static Serving open(
      Backends backends, Path model, EngineOptions engineOptions, RankerOptions options) {
    Serving serving = new Serving(backends, hinted(engineOptions, options), options);
    List<Device> asked =
        options.devices().isEmpty() ? List.of(engineOptions.device()) : options.devices();
    List<Replica> replicas = new ArrayList<>();
    try {
      // One after the other: what the first builds, the others find in the plan cache.
      for (Device device : asked) {
        Replica replica = serving.openReplica(model, device, false);
        replicas.add(replica);
        serving.devices.add(replica.device());
      }
      serving.fleet = new Fleet(model, replicas);
      return serving;
    } catch (RuntimeException | Error e) {
      replicas.forEach(replica -> Closing.after(e, replica::close));
      throw e;
    }
  }

  /** Workers run side by side: unless the user knows better, that is what counts. */
  private static EngineOptions hinted(EngineOptions engineOptions, RankerOptions options) {
    return engineOptions.performanceHint().isPresent() || options.workers().orElse(2) == 1
        ? engineOptions
        : engineOptions.toBuilder().performanceHint(PerformanceHint.THROUGHPUT).build();
  }

  private Replica openReplica(Path model, Device device, boolean beside) {
    Engine engine = backends.open(model, device, engineOptions);
    return Replica.start(
        this,
        engine,
        counters.computeIfAbsent(engine.device(), any -> new Replica.Counters()),
        beside);
  }

  /** Opens a model while another serves on the same device. */
  private Replica openBeside(Path model, Device device) {
    // On one thread, which alone knows that it is to rest; a virtual one would use several.
    return PlatformThreads.call(
        () -> {
          AtomicReference<Replica> opened = new AtomicReference<>();
          Pace.run(() -> restsNow(device), () -> opened.set(openReplica(model, device, true)));
          return opened.get();
        });
  }

  /** Tells whether a swap keeps out of the way of requests, of which the end leaves none. */
  boolean swapsGently(Device device) {
    return device.type() == Device.Type.GPU && options.gentleSwaps() && !closed;
  }

  /** Tells whether there are requests to keep out of the way of. */
  boolean restsNow(Device device) {
    return swapsGently(device) && traffic.wasThereLately(System.nanoTime());
  }

  RankerOptions options() {
    return options;
  }

  EngineOptions engineOptions() {
    return engineOptions;
  }

  /** Returns the model that serves, which the next moment may be another. */
  Fleet fleet() {
    return fleet;
  }

  // ----------------------------------------------------------------------------------- requests

  /** Queues a request, or completes it with why it was refused. */
  void submit(Request<?> request) {
    while (true) {
      Fleet current = fleet;
      Replica replica = current.leastLoaded();
      if (replica == null) {
        if (current == fleet) {
          refuse(request, refusalOfAll());
          return;
        }
      } else {
        Replica.Admission admission = replica.submit(request);
        if (admission == Replica.Admission.ACCEPTED) {
          return;
        }
        if (admission != Replica.Admission.CLOSED) {
          if (current.anotherTakes(request, replica)) {
            return;
          }
          if (current == fleet) {
            refuse(request, refusalBy(replica, admission, request));
            return;
          }
        }
        // What was asked was closed by a swap, a failure or the end: look again.
      }
    }
  }

  private static RequestRefusedException refusalBy(
      Replica replica, Replica.Admission admission, Request<?> request) {
    String load = replica.describeLoad(request);
    return admission == Replica.Admission.FULL
        ? new RequestRefusedException(
            Reason.QUEUE_FULL, "the queue is full: " + load + "; send less, or add devices")
        : new RequestRefusedException(
            Reason.DEADLINE,
            "might not be answered within the "
                + request.microsLeft()
                + " us that are left: "
                + load);
  }

  private RequestRefusedException refusalOfAll() {
    if (closed) {
      return new RequestRefusedException(Reason.CLOSED, this + " is closed");
    }
    return new RequestRefusedException(
        Reason.NO_DEVICE,
        "no device is left that runs " + fleet.model().getFileName() + ": " + failed,
        failed.values().stream().findFirst().orElse(null));
  }

  private void refuse(Request<?> request, RequestRefusedException refusal) {
    refused.increment();
    request.completeExceptionally(refusal);
  }

  /** Drops a request whose deadline has passed, unless all of it runs already. */
  void expire(Request<?> request) {
    Replica replica = request.withdraw();
    if (replica != null) {
      replica.expire(request);
    }
  }

  /** Takes note of why a replica is about to serve no longer. */
  void deviceFailed(Replica replica, Throwable failure) {
    lifecycle.lock();
    try {
      if (serves(replica)) {
        failed.put(replica.device(), failure);
      }
    } finally {
      lifecycle.unlock();
    }
  }

  /** Says that a replica serves no longer, on its worker's thread. */
  void tellOfFailure(Replica replica) {
    if (!serves(replica)) {
      log.warn("{} failed behind its successor", replica.engine(), replica.failure());
      return;
    }
    int left = (int) fleet.replicas().stream().filter(Replica::isOpen).count();
    log.error(
        "{} serves no longer, {} of {} devices are left",
        replica.engine(),
        left,
        devices.size(),
        replica.failure());
    tell(listener -> listener.deviceFailed(replica.device(), replica.failure(), left));
  }

  /** Tells whether a replica is of the model that serves, rather than of one that was replaced. */
  private boolean serves(Replica replica) {
    return fleet.replicas().contains(replica);
  }

  private void tell(Consumer<RankerListener> event) {
    try {
      event.accept(listener);
    } catch (RuntimeException | Error e) {
      log.warn("a listener of {} failed", this, e);
    }
  }

  // --------------------------------------------------------------------------------------- swap

  void swap(Path model) {
    Objects.requireNonNull(model, "model");
    requireOutside("swap");
    if (swapping.isHeldByCurrentThread()) {
      throw new IllegalStateException("a swap of " + this + " is under way on this very thread");
    }
    swapping.lock();
    try {
      Path before = fleet.model();
      swapLocked(model);
      log.info("{} serves now, instead of {}", fleet, before);
      tell(listener -> listener.swapped(before, model));
    } catch (RuntimeException | Error e) {
      log.warn("{} does not serve, {} goes on: {}", model, fleet, e.getMessage());
      tell(listener -> listener.swapFailed(model, e));
      throw e;
    } finally {
      swapping.unlock();
    }
  }

  private void swapLocked(Path model) {
    Fleet old = fleet;
    List<Replica> replicas = new ArrayList<>();
    try {
      for (Device device : devices) {
        addReplica(model, device, old, replicas);
      }
      if (replicas.isEmpty()) {
        throw new ModelException("no device is left to open " + model + " on: " + failed);
      }
      publish(new Fleet(model, replicas));
    } catch (RuntimeException | Error e) {
      replicas.forEach(Replica::drainGently);
      replicas.forEach(replica -> Closing.after(e, replica::awaitEnd));
      throw e;
    }
    try {
      old.endBehindSuccessor();
    } finally {
      retired();
    }
  }

  /**
   * Opens and checks the new model on one device. One that was lost stays out; one that failed in
   * another way may do better with another model, and stays out if it does not.
   */
  private void addReplica(Path model, Device device, Fleet old, List<Replica> replicas) {
    requireOpen();
    Throwable failure = failed.get(device);
    if (failure instanceof DeviceLostException) {
      return;
    }
    try {
      Replica replica = openBeside(model, device);
      replicas.add(replica);
      requireSame(old, replica.engine());
      requireSound(replica);
    } catch (RuntimeException e) {
      if (failure == null || replicas.stream().anyMatch(one -> one.device().equals(device))) {
        throw e;
      }
      log.warn("{} stays out of service", device, e);
    }
  }

  private static void requireSame(Fleet old, Engine now) {
    Engine before = old.replicas().get(0).engine();
    boolean same =
        before.inputs().equals(now.inputs())
            && before.outputs().equals(now.outputs())
            && before.minBatch() == now.minBatch()
            && before.maxBatch() == now.maxBatch();
    if (!same) {
      throw new ModelException(
          now
              + " cannot take the place of "
              + before
              + ", which callers know: it has "
              + signature(now)
              + " instead of "
              + signature(before)
              + "; open a ranker of its own for it");
    }
  }

  private static String signature(Engine engine) {
    return "inputs "
        + engine.inputs()
        + ", outputs "
        + engine.outputs()
        + " and "
        + engine.minBatch()
        + " to "
        + engine.maxBatch()
        + " rows a run";
  }

  private void requireSound(Replica replica) {
    TensorSpec notFinite = replica.notFinite();
    if (notFinite != null) {
      throw new ModelException(
          replica.engine()
              + " answers with infinite floats or NaN in output "
              + notFinite
              + " to rows of 0.5 and valid ids; check how it was exported");
    }
    try {
      options.check().ifPresent(check -> check.accept(replica.engine()));
    } catch (RuntimeException | AssertionError e) {
      throw new ModelException(replica.engine() + " did not pass the check: " + e.getMessage(), e);
    }
  }

  private void publish(Fleet next) {
    lifecycle.lock();
    try {
      requireOpen();
      retiring = fleet;
      fleet = next;
      // None of them had a request before; what fails from now on is noted behind this.
      next.replicas().forEach(replica -> failed.remove(replica.device()));
    } finally {
      lifecycle.unlock();
    }
  }

  private void retired() {
    lifecycle.lock();
    try {
      retiring = null;
    } finally {
      lifecycle.unlock();
    }
  }

  // ---------------------------------------------------------------------------------------- end

  private void requireOpen() {
    if (closed) {
      throw new IllegalStateException(this + " is closed");
    }
  }

  /** Refuses what would make a worker wait for itself. */
  void requireOutside(String call) {
    if (Worker.isOf(this)) {
      throw new IllegalStateException(
          call
              + " was called on a worker's thread of "
              + this
              + ", where it would wait for itself; call it on another thread, as dependents of"
              + " inferAsync do that were added by a method ending in Async");
    }
  }

  void close() {
    Fleet replaced;
    lifecycle.lock();
    try {
      closed = true;
      replaced = retiring;
    } finally {
      lifecycle.unlock();
    }
    fleet.drain();
    if (!Worker.isOf(this)) {
      fleet.awaitEnd();
      if (replaced != null) {
        replaced.awaitEnd(); // the swap has it drained
      }
    }
  }

  Ranker.Stats stats() {
    List<Ranker.ReplicaStats> replicas = new ArrayList<>();
    Fleet current = fleet;
    long failures = 0;
    long expired = 0;
    for (Device device : devices) {
      Replica.Counters counted = counters.get(device);
      Replica replica = current.on(device);
      failures += counted.failed.sum();
      expired += counted.expired.sum();
      replicas.add(
          new Ranker.ReplicaStats(
              device,
              replica != null && replica.isOpen(),
              counted.answered.sum(),
              counted.batches.sum(),
              counted.rows.sum(),
              replica == null ? 0 : replica.waitingRows()));
    }
    return new Ranker.Stats(
        replicas.stream().mapToLong(Ranker.ReplicaStats::requests).sum(),
        replicas.stream().mapToLong(Ranker.ReplicaStats::batches).sum(),
        replicas.stream().mapToLong(Ranker.ReplicaStats::rows).sum(),
        refused.sum(),
        expired,
        failures,
        replicas.stream().mapToLong(Ranker.ReplicaStats::queued).sum(),
        List.copyOf(replicas));
  }

  @Override
  public String toString() {
    return "ranker of " + fleet;
  }

  /** A model on every device that serves it. Immutable, but for what its replicas go through. */
  static final class Fleet {
    private final Path model;
    private final List<Replica> replicas;

    Fleet(Path model, List<Replica> replicas) {
      this.model = model;
      this.replicas = List.copyOf(replicas);
    }

    Path model() {
      return model;
    }

    List<Replica> replicas() {
      return replicas;
    }

    /** Returns the replica with the fewest rows to run; null if none is open. */
    Replica leastLoaded() {
      int count = replicas.size();
      // Among equals not always the first.
      int start = count == 1 ? 0 : ThreadLocalRandom.current().nextInt(count);
      Replica least = null;
      long leastLoad = Long.MAX_VALUE;
      for (int i = 0; i < count; i++) {
        Replica replica = replicas.get((start + i) % count);
        if (replica.isOpen()) {
          long load = count == 1 ? 0 : replica.load();
          if (load < leastLoad) {
            least = replica;
            leastLoad = load;
          }
        }
      }
      return least;
    }

    /** Offers a request that one replica refused to the others, which may be faster. */
    boolean anotherTakes(Request<?> request, Replica not) {
      for (int i = 0; i < replicas.size(); i++) {
        Replica replica = replicas.get(i);
        if (replica != not && replica.submit(request) == Replica.Admission.ACCEPTED) {
          return true;
        }
      }
      return false;
    }

    Replica on(Device device) {
      return replicas.stream()
          .filter(replica -> replica.device().equals(device))
          .findFirst()
          .orElse(null);
    }

    Engine engine() {
      return replicas.get(0).engine();
    }

    void drain() {
      replicas.forEach(Replica::drain);
    }

    void awaitEnd() {
      replicas.forEach(Replica::awaitEnd);
    }

    /** Answers what was accepted and ends, while a successor serves. */
    void endBehindSuccessor() {
      replicas.forEach(Replica::drainGently);
      awaitEnd();
    }

    @Override
    public String toString() {
      return model.getFileName() + " on " + replicas.stream().map(Replica::device).toList();
    }
  }
}
