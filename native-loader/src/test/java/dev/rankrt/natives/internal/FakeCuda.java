package dev.rankrt.natives.internal;

import dev.rankrt.natives.CudaException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.HashMap;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Queue;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.LongAdder;

/**
 * CUDA without a GPU. Safe for use by several threads.
 *
 * <p>Memory is a ledger of blocks with made-up addresses, backed by host memory from the first time
 * that something touches it, so copies and fills move real bytes and a ledger of gigabytes costs
 * nothing. Fresh memory holds garbage, as on a GPU. Freeing twice, freeing what was never
 * allocated, freeing or reading what queued work still needs, and every other use that would crash
 * or corrupt a real process is a <em>fault</em>: an {@link AssertionError} where it happens, and
 * remembered for {@link #assertNothingLive}.
 *
 * <p>Work completes as it is enqueued. After {@link #holdWork} it waits until the test says {@link
 * #complete} or {@link #completeAll}; a thread that synchronises meanwhile really waits.
 *
 * <p>Contexts come into being as they do since CUDA 12: {@link #setDevice} creates its device's,
 * and on a thread without one nearly every other call creates device 0's.
 *
 * <p>Work runs under the fake's one lock: a callback may use the fake, but must not wait for
 * another thread that does.
 */
public final class FakeCuda implements Cuda {
  private static final long ALIGNMENT = 256;
  private static final byte GARBAGE = (byte) 0xCB;

  /** Where devices see pinned memory: never the same address, so that mixing them up is a fault. */
  private static final long MAPPED_OFFSET = 1L << 45;

  private static final long PINNED_BASE = 1L << 44;
  private static final long DEVICE_BASE = 1L << 40;
  private static final long DEVICE_SPACING = 1L << 40;

  /** A test in which nobody completes held work fails after this, rather than hang the build. */
  private static final long SYNCHRONIZE_LIMIT_NANOS = TimeUnit.SECONDS.toNanos(20);

  private final List<DeviceProperties> devices;
  private final ThreadLocal<Current> current = ThreadLocal.withInitial(Current::new);
  private final Map<String, LongAdder> calls = new ConcurrentHashMap<>();

  // Everything below is guarded by the lock.
  private final Object lock = new Object();
  private final TreeMap<Long, Block> ledger = new TreeMap<>();
  private final boolean[] contexts;
  private final long[] nextAddress;
  private final long[] deviceBytes;
  private final long[] peakDeviceBytes;
  private long nextPinned = PINNED_BASE;
  private long pinnedBytes;
  private long peakPinnedBytes;
  private long nextHandle = 0x5000;
  private boolean held;
  private final Set<FakeStream> streams = identitySet();
  private final Set<FakeEvent> events = identitySet();
  private final Set<FakeGraph> graphs = identitySet();
  private final Map<String, Queue<Failure>> failures = new HashMap<>();
  private Failure lost;
  private final List<AssertionError> faults = new ArrayList<>();

  /** A fake with one device. */
  public FakeCuda() {
    this(1);
  }

  /** A fake with that many devices of 16 GiB. */
  public FakeCuda(int devices) {
    this(devices, 16L << 30);
  }

  /** A fake with that many devices of that much memory each. */
  public FakeCuda(int devices, long totalBytes) {
    List<DeviceProperties> list = new ArrayList<>();
    for (int i = 0; i < devices; i++) {
      String bus = String.format("0000:%02x:00.0", 0x3b + i);
      list.add(new DeviceProperties(i, "Fake GPU " + i, 9, 0, 132, totalBytes, bus, false));
    }
    this.devices = List.copyOf(list);
    this.contexts = new boolean[devices];
    this.nextAddress = new long[devices];
    this.deviceBytes = new long[devices];
    this.peakDeviceBytes = new long[devices];
    for (int i = 0; i < devices; i++) {
      nextAddress[i] = DEVICE_BASE + i * DEVICE_SPACING;
    }
  }

  // ---- What tests ask and tell -------------------------------------------------------------

  /** From now on, work waits for {@link #complete} or {@link #completeAll}. */
  public void holdWork() {
    synchronized (lock) {
      held = true;
    }
  }

  /** Completes what waits, and from now on work completes as it is enqueued. */
  public void releaseWork() {
    synchronized (lock) {
      held = false;
      completeAll();
    }
  }

  /** Lets everything that is now in a stream complete, as far as the events it awaits allow. */
  public void complete(Stream stream) {
    synchronized (lock) {
      FakeStream s = (FakeStream) stream;
      s.released = s.queue.size();
      drain();
    }
  }

  /** Lets one piece of a stream's work complete, if the event it may await allows. */
  public void completeNext(Stream stream) {
    synchronized (lock) {
      FakeStream s = (FakeStream) stream;
      s.released = Math.min(s.released + 1, s.queue.size());
      drain();
    }
  }

  /** Lets everything that is now in any stream complete. */
  public void completeAll() {
    synchronized (lock) {
      for (FakeStream s : streams) {
        s.released = s.queue.size();
      }
      drain();
    }
  }

  /** Returns how many pieces of work a stream still holds. */
  public int pending(Stream stream) {
    synchronized (lock) {
      return ((FakeStream) stream).queue.size();
    }
  }

  /**
   * Enqueues code in place of kernels; a capture records it and a graph runs it again.
   *
   * @param touched addresses of the blocks that the work reads or writes: freeing one of them
   *     before the work is done is a fault
   */
  public void enqueue(Stream stream, Runnable work, long... touched) {
    long[] addresses = touched.clone();
    synchronized (lock) {
      enter("enqueue");
      enqueue(
          live(stream),
          new Op() {
            @Override
            public void run() {
              for (long address : addresses) {
                find(address, 1, "work reads or writes");
              }
              work.run();
            }

            @Override
            public boolean touches(Block block) {
              for (long address : addresses) {
                if (block.contains(address)) {
                  return true;
                }
              }
              return false;
            }
          });
    }
  }

  /** Returns a view of device, pinned or mapped memory, for code in place of kernels. */
  public ByteBuffer bytes(long address, int bytes) {
    synchronized (lock) {
      return find(address, bytes, "a view of").slice(address, bytes);
    }
  }

  /**
   * Makes a coming call fail once; scripted several times, several calls fail in order. What a
   * failing free should have freed counts as freed, because no caller can know better.
   *
   * @param call the method's name, such as {@code allocate}
   * @param code the {@code cudaError_t}
   * @param errorName such as {@code cudaErrorMemoryAllocation}
   */
  public void failNext(String call, int code, String errorName) {
    boolean known = false;
    for (var method : Cuda.class.getMethods()) {
      known |= !method.isDefault() && method.getName().equals(call);
    }
    if (!known) {
      throw new IllegalArgumentException("Cuda has no method " + call);
    }
    synchronized (lock) {
      failures
          .computeIfAbsent(call, c -> new ArrayDeque<>())
          .add(new Failure(code, Objects.requireNonNull(errorName)));
    }
  }

  /** Every later call fails as it does when the context is gone. */
  public void loseDevice() {
    synchronized (lock) {
      lost = new Failure(700, "cudaErrorIllegalAddress");
      lock.notifyAll();
    }
  }

  /** Returns how often a method of {@link Cuda} was called, by its name; failures count. */
  public long calls(String call) {
    LongAdder adder = calls.get(call);
    return adder == null ? 0 : adder.sum();
  }

  /** Returns whether a device's context was created, by whichever thread. */
  public boolean contextExists(int ordinal) {
    synchronized (lock) {
      return contexts[ordinal];
    }
  }

  /** Returns how many bytes of a device are allocated. */
  public long deviceBytes(int ordinal) {
    synchronized (lock) {
      return deviceBytes[ordinal];
    }
  }

  /** Returns the most bytes of a device that were ever allocated at once. */
  public long peakDeviceBytes(int ordinal) {
    synchronized (lock) {
      return peakDeviceBytes[ordinal];
    }
  }

  /** Returns how many bytes of pinned memory are allocated. */
  public long pinnedBytes() {
    synchronized (lock) {
      return pinnedBytes;
    }
  }

  /** Returns the most bytes of pinned memory that were ever allocated at once. */
  public long peakPinnedBytes() {
    synchronized (lock) {
      return peakPinnedBytes;
    }
  }

  /** Returns the device that an address belongs to, or -1 for pinned memory. */
  public int deviceOf(long address) {
    synchronized (lock) {
      return find(address, 1, "the device of").device;
    }
  }

  /** Returns the thread that allocated the block that an address belongs to. */
  public Thread allocatedBy(long address) {
    synchronized (lock) {
      return find(address, 1, "the allocating thread of").allocatedBy;
    }
  }

  /** Returns how many streams live. */
  public int liveStreams() {
    synchronized (lock) {
      return streams.size();
    }
  }

  /** Returns how many events live. */
  public int liveEvents() {
    synchronized (lock) {
      return events.size();
    }
  }

  /** Returns how many graphs live. */
  public int liveGraphs() {
    synchronized (lock) {
      return graphs.size();
    }
  }

  /** Returns the misuse seen so far. */
  public List<AssertionError> faults() {
    synchronized (lock) {
      return List.copyOf(faults);
    }
  }

  /** Fails unless every allocation and object is gone and nothing was misused. */
  public void assertNothingLive() {
    synchronized (lock) {
      List<String> left = new ArrayList<>();
      for (Block block : ledger.values()) {
        left.add(block.toString());
      }
      if (!streams.isEmpty()) {
        left.add(streams.size() + " streams");
      }
      if (!events.isEmpty()) {
        left.add(events.size() + " events");
      }
      if (!graphs.isEmpty()) {
        left.add(graphs.size() + " graphs");
      }
      if (!left.isEmpty() || !faults.isEmpty()) {
        AssertionError error =
            new AssertionError("still live: " + left + ", faults: " + faults.size());
        faults.forEach(error::addSuppressed);
        throw error;
      }
    }
  }

  // ---- Devices -----------------------------------------------------------------------------

  @Override
  public int deviceCount() {
    synchronized (lock) {
      enterWithoutContext("deviceCount");
      return devices.size();
    }
  }

  @Override
  public DeviceProperties properties(int ordinal) {
    synchronized (lock) {
      enterWithoutContext("properties");
      return devices.get(checkDevice("properties", ordinal));
    }
  }

  @Override
  public void setDevice(int ordinal) {
    synchronized (lock) {
      enterWithoutContext("setDevice");
      current.get().device = checkDevice("setDevice", ordinal);
      bindContext();
    }
  }

  @Override
  public boolean hasContext() {
    synchronized (lock) {
      enterWithoutContext("hasContext");
      return current.get().hasContext;
    }
  }

  private void bindContext() {
    Current thread = current.get();
    thread.hasContext = true;
    contexts[thread.device] = true;
  }

  @Override
  public int device() {
    synchronized (lock) {
      enterWithoutContext("device");
      return current.get().device;
    }
  }

  @Override
  public MemoryInfo memoryInfo() {
    synchronized (lock) {
      enter("memoryInfo");
      int device = current.get().device;
      long total = devices.get(device).totalBytes();
      return new MemoryInfo(total - deviceBytes[device], total);
    }
  }

  @Override
  public void synchronizeDevice() {
    synchronized (lock) {
      enter("synchronizeDevice");
      refuseInCapture("synchronizeDevice");
      int device = current.get().device;
      waitUntil(
          "synchronizeDevice",
          () -> streams.stream().noneMatch(s -> s.device == device && !s.queue.isEmpty()));
    }
  }

  private int checkDevice(String call, int ordinal) {
    if (ordinal < 0 || ordinal >= devices.size()) {
      throw error(call, 101, "cudaErrorInvalidDevice");
    }
    return ordinal;
  }

  // ---- Memory ------------------------------------------------------------------------------

  @Override
  public long allocate(long bytes) {
    synchronized (lock) {
      enter("allocate");
      refuseInCapture("allocate");
      int device = current.get().device;
      if (bytes <= 0) {
        throw fault("allocate(" + bytes + ")");
      }
      if (bytes > devices.get(device).totalBytes() - deviceBytes[device]) {
        throw error("allocate", CudaErrors.MEMORY_ALLOCATION, "cudaErrorMemoryAllocation");
      }
      long address = nextAddress[device];
      // A gap after every block: reading past the end of one is a fault, not its neighbour's bytes.
      nextAddress[device] = roundUp(address + bytes) + ALIGNMENT;
      deviceBytes[device] += bytes;
      peakDeviceBytes[device] = Math.max(peakDeviceBytes[device], deviceBytes[device]);
      ledger.put(address, new Block(address, bytes, device, Thread.currentThread()));
      return address;
    }
  }

  @Override
  public void free(long address) {
    synchronized (lock) {
      refuseInCapture("free");
      Block block = removeBlock(address, false);
      deviceBytes[block.device] -= block.bytes;
      enter("free");
    }
  }

  @Override
  public long allocatePinned(long bytes) {
    synchronized (lock) {
      enter("allocatePinned");
      refuseInCapture("allocatePinned");
      if (bytes <= 0) {
        throw fault("allocatePinned(" + bytes + ")");
      }
      long address = nextPinned;
      nextPinned = roundUp(address + bytes) + ALIGNMENT;
      pinnedBytes += bytes;
      peakPinnedBytes = Math.max(peakPinnedBytes, pinnedBytes);
      ledger.put(address, new Block(address, bytes, -1, Thread.currentThread()));
      return address;
    }
  }

  @Override
  public void freePinned(long address) {
    synchronized (lock) {
      refuseInCapture("freePinned");
      Block block = removeBlock(address, true);
      pinnedBytes -= block.bytes;
      enter("freePinned");
    }
  }

  private Block removeBlock(long address, boolean pinned) {
    Block block = ledger.get(address);
    if (block == null || pinned != (block.device < 0)) {
      String what = pinned ? "freePinned(" : "free(";
      throw fault(what + hex(address) + "): not allocated, already freed, or of the other kind");
    }
    for (FakeStream stream : streams) {
      for (Op op : stream.queue) {
        if (op.touches(block)) {
          throw fault("freed while queued work needs it: " + block);
        }
      }
    }
    ledger.remove(address);
    block.poison();
    return block;
  }

  @Override
  public long mappedAddress(long pinnedAddress) {
    synchronized (lock) {
      enter("mappedAddress");
      Block block = ledger.floorEntry(pinnedAddress) == null ? null : find(pinnedAddress, 1, "map");
      if (block == null || block.device >= 0) {
        throw fault("mappedAddress(" + hex(pinnedAddress) + "): not pinned memory");
      }
      return pinnedAddress + MAPPED_OFFSET;
    }
  }

  @Override
  public ByteBuffer view(long address, int bytes) {
    synchronized (lock) {
      count("view"); // Host memory is there even when the device is lost.
      Block block = find(address, bytes, "a view of");
      if (block.device >= 0 || address >= MAPPED_OFFSET) {
        throw fault("view(" + hex(address) + "): the host cannot read device memory");
      }
      return block.slice(address, bytes);
    }
  }

  @Override
  public void copy(long destination, long source, long bytes, Stream stream) {
    copy(destination, source, bytes, bytes, 1, stream);
  }

  @Override
  public void copy(
      long destination, long source, long pitch, long bytes, long pieces, Stream stream) {
    synchronized (lock) {
      enter("copy");
      if (bytes > pitch) {
        throw fault("a copy of " + bytes + " bytes every " + pitch + " bytes: the pieces overlap");
      }
      long span = pieces == 0 ? 0 : (pieces - 1) * pitch + bytes;
      find(destination, span, "a copy to");
      find(source, span, "a copy from");
      enqueue(
          live(stream),
          new Op() {
            @Override
            public void run() {
              Block to = find(destination, span, "a copy to");
              Block from = find(source, span, "a copy from");
              int count = Math.toIntExact(bytes);
              for (long at = 0; at < pieces * pitch; at += pitch) {
                to.slice(destination + at, count).put(from.slice(source + at, count));
              }
            }

            @Override
            public boolean touches(Block block) {
              return block.contains(destination) || block.contains(source);
            }
          });
    }
  }

  @Override
  public void fill(long destination, int value, long bytes, Stream stream) {
    synchronized (lock) {
      enter("fill");
      find(destination, bytes, "a fill of");
      enqueue(
          live(stream),
          new Op() {
            @Override
            public void run() {
              Block block = find(destination, bytes, "a fill of");
              ByteBuffer to = block.slice(destination, Math.toIntExact(bytes));
              byte[] filling = new byte[to.remaining()];
              Arrays.fill(filling, (byte) value);
              to.put(filling);
            }

            @Override
            public boolean touches(Block block) {
              return block.contains(destination);
            }
          });
    }
  }

  private Block find(long address, long bytes, String use) {
    Map.Entry<Long, Block> entry = ledger.floorEntry(unmap(address));
    Block block = entry == null ? null : entry.getValue();
    if (block == null || unmap(address) - block.address > block.bytes - bytes || bytes < 0) {
      throw fault(use + " " + bytes + " bytes at " + hex(address) + ": not allocated memory");
    }
    return block;
  }

  private static long unmap(long address) {
    return address >= MAPPED_OFFSET ? address - MAPPED_OFFSET : address;
  }

  private static long roundUp(long bytes) {
    return (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
  }

  // ---- Streams and events ------------------------------------------------------------------

  @Override
  public Stream createStream(int priority) {
    synchronized (lock) {
      enter("createStream");
      FakeStream stream = new FakeStream(nextHandle += 0x10, current.get().device);
      streams.add(stream);
      return stream;
    }
  }

  @Override
  public int[] streamPriorities() {
    synchronized (lock) {
      enter("streamPriorities");
      return new int[] {0, -5};
    }
  }

  @Override
  public void destroy(Stream stream) {
    synchronized (lock) {
      FakeStream s = live(stream);
      if (!s.queue.isEmpty()) {
        throw fault("destroyed with work pending: " + s);
      }
      if (s.capture != null) {
        throw fault("destroyed while capturing: " + s);
      }
      streams.remove(s);
      enter("destroy");
    }
  }

  @Override
  public void synchronize(Stream stream) {
    synchronized (lock) {
      enter("synchronize");
      FakeStream s = live(stream);
      refuseCapturing("synchronize", s);
      if (!s.queue.isEmpty()) {
        waitUntil("synchronize", s.queue::isEmpty);
      }
    }
  }

  @Override
  public boolean isDone(Stream stream) {
    synchronized (lock) {
      enter("isDone");
      FakeStream s = live(stream);
      refuseCapturing("isDone", s);
      return s.queue.isEmpty();
    }
  }

  @Override
  public Event createEvent(boolean timing, boolean blocking) {
    synchronized (lock) {
      enter("createEvent");
      FakeEvent event = new FakeEvent(current.get().device, timing);
      events.add(event);
      return event;
    }
  }

  @Override
  public void destroy(Event event) {
    synchronized (lock) {
      events.remove(live(event));
      enter("destroy");
    }
  }

  @Override
  public void record(Event event, Stream stream) {
    synchronized (lock) {
      enter("record");
      FakeEvent e = live(event);
      FakeStream s = live(stream);
      if (e.device != s.device) {
        throw error("record", 400, "cudaErrorInvalidResourceHandle");
      }
      if (s.capture != null) {
        enqueue(s, () -> e.pass(++e.recorded));
        return;
      }
      long version = ++e.recorded;
      enqueue(s, () -> e.pass(version));
    }
  }

  @Override
  public boolean isDone(Event event) {
    synchronized (lock) {
      enter("isDone");
      return live(event).isDone();
    }
  }

  @Override
  public void synchronize(Event event) {
    synchronized (lock) {
      enter("synchronize");
      FakeEvent e = live(event);
      if (!e.isDone()) {
        waitUntil("synchronize", e::isDone);
      }
    }
  }

  @Override
  public void await(Stream stream, Event event) {
    synchronized (lock) {
      enter("await");
      FakeStream s = live(stream);
      FakeEvent e = live(event);
      if (s.capture != null) {
        s.capture.invalid = true;
        throw error("await", 905, "cudaErrorStreamCaptureIsolation");
      }
      long version = e.recorded;
      enqueue(
          s,
          new Op() {
            @Override
            public boolean isReady() {
              return e.passed >= version;
            }

            @Override
            public void run() {}
          });
    }
  }

  @Override
  public float elapsedMillis(Event start, Event end) {
    synchronized (lock) {
      enter("elapsedMillis");
      FakeEvent from = live(start);
      FakeEvent to = live(end);
      if (!from.timing || !to.timing || from.recorded == 0 || to.recorded == 0) {
        throw error("elapsedMillis", 400, "cudaErrorInvalidResourceHandle");
      }
      if (!from.isDone() || !to.isDone()) {
        throw error("elapsedMillis", CudaErrors.NOT_READY, "cudaErrorNotReady");
      }
      return (to.passedNanos - from.passedNanos) / 1e6f;
    }
  }

  // ---- Graphs ------------------------------------------------------------------------------

  @Override
  public void beginCapture(Stream stream) {
    synchronized (lock) {
      enter("beginCapture");
      FakeStream s = live(stream);
      if (s.capture != null) {
        throw error("beginCapture", 1, "cudaErrorInvalidValue");
      }
      s.capture = new Capture(Thread.currentThread());
    }
  }

  @Override
  public Graph endCapture(Stream stream) {
    synchronized (lock) {
      FakeStream s = live(stream);
      Capture capture = s.capture;
      if (capture == null) {
        throw error("endCapture", 1, "cudaErrorInvalidValue");
      }
      if (capture.thread != Thread.currentThread()) {
        throw error("endCapture", 908, "cudaErrorStreamCaptureWrongThread");
      }
      s.capture = null;
      enter("endCapture");
      if (capture.invalid) {
        throw error("endCapture", 901, "cudaErrorStreamCaptureInvalidated");
      }
      FakeGraph graph = new FakeGraph(capture.ops.toArray(new Op[0]));
      graphs.add(graph);
      return graph;
    }
  }

  @Override
  public void abandonCapture(Stream stream) {
    synchronized (lock) {
      live(stream).capture = null;
      enter("abandonCapture");
    }
  }

  @Override
  public void launch(Graph graph, Stream stream) {
    synchronized (lock) {
      enter("launch");
      enqueue(live(stream), live(graph));
    }
  }

  @Override
  public void destroy(Graph graph) {
    synchronized (lock) {
      graphs.remove(live(graph));
      enter("destroy");
    }
  }

  // ---- The machinery -----------------------------------------------------------------------

  private void enqueue(FakeStream stream, Op op) {
    if (stream.capture != null) {
      stream.capture.ops.add(op);
    } else if (!held && stream.queue.isEmpty() && op.isReady()) {
      // Nothing is created on this way, so that callers can count what they allocate themselves.
      op.run();
    } else {
      stream.queue.add(op);
      if (!held) {
        stream.released = stream.queue.size();
        drain();
      }
    }
  }

  private void drain() {
    boolean progress = true;
    while (progress) {
      progress = false;
      for (FakeStream stream : new ArrayList<>(streams)) {
        while (!stream.running && stream.released > 0 && stream.queue.element().isReady()) {
          Op op = stream.queue.element();
          stream.running = true;
          try {
            op.run();
          } finally {
            stream.running = false;
            stream.queue.remove();
            stream.released--;
          }
          progress = true;
        }
      }
    }
    lock.notifyAll();
  }

  private interface Condition {
    boolean isMet();
  }

  private void waitUntil(String call, Condition condition) {
    long deadline = System.nanoTime() + SYNCHRONIZE_LIMIT_NANOS;
    boolean interrupted = false;
    try {
      while (!condition.isMet()) {
        long millis = TimeUnit.NANOSECONDS.toMillis(deadline - System.nanoTime());
        if (millis <= 0) {
          throw fault(call + ": nobody completed the held work");
        }
        try {
          lock.wait(millis);
        } catch (InterruptedException e) {
          // CUDA's waits do not notice interrupts either.
          interrupted = true;
        }
        if (lost != null) {
          throw error(call, lost.code, lost.name);
        }
      }
    } finally {
      if (interrupted) {
        Thread.currentThread().interrupt();
      }
    }
  }

  private void count(String call) {
    LongAdder adder = calls.get(call);
    if (adder == null) {
      adder = calls.computeIfAbsent(call, c -> new LongAdder());
    }
    adder.increment();
  }

  /** Counts a call that needs a context, and lets a scripted failure happen. */
  private void enter(String call) {
    if (lost == null) {
      bindContext();
    }
    enterWithoutContext(call);
  }

  /** Counts a call and lets a scripted failure happen. */
  private void enterWithoutContext(String call) {
    count(call);
    if (lost != null) {
      throw error(call, lost.code, lost.name);
    }
    Queue<Failure> scripted = failures.get(call);
    Failure failure = scripted == null ? null : scripted.poll();
    if (failure != null) {
      throw error(call, failure.code, failure.name);
    }
  }

  private void refuseInCapture(String call) {
    for (FakeStream stream : streams) {
      if (stream.capture != null && stream.capture.thread == Thread.currentThread()) {
        refuseCapturing(call, stream);
      }
    }
  }

  private static void refuseCapturing(String call, FakeStream stream) {
    if (stream.capture != null) {
      stream.capture.invalid = true;
      throw error(call, 900, "cudaErrorStreamCaptureUnsupported");
    }
  }

  private static CudaException error(String call, int code, String name) {
    return CudaErrors.exception(call, code, name, "this CUDA is a fake", "");
  }

  private AssertionError fault(String message) {
    AssertionError fault = new AssertionError(message);
    faults.add(fault);
    return fault;
  }

  private FakeStream live(Stream stream) {
    if (!streams.contains(stream)) {
      throw fault("use of a destroyed or foreign stream");
    }
    return (FakeStream) stream;
  }

  private FakeEvent live(Event event) {
    if (!events.contains(event)) {
      throw fault("use of a destroyed or foreign event");
    }
    return (FakeEvent) event;
  }

  private FakeGraph live(Graph graph) {
    if (!graphs.contains(graph)) {
      throw fault("use of a destroyed or foreign graph");
    }
    return (FakeGraph) graph;
  }

  private static <T> Set<T> identitySet() {
    return Collections.newSetFromMap(new IdentityHashMap<>());
  }

  private static String hex(long address) {
    return "0x" + Long.toHexString(address);
  }

  /** What a thread has. */
  private static final class Current {
    int device;
    boolean hasContext;
  }

  private record Failure(int code, String name) {}

  /** A piece of a stream's work. */
  private interface Op {
    void run();

    default boolean isReady() {
      return true;
    }

    default boolean touches(Block block) {
      return false;
    }
  }

  private static final class Block {
    final long address;
    final long bytes;
    final int device;
    final Thread allocatedBy;
    private ByteBuffer memory;

    Block(long address, long bytes, int device, Thread allocatedBy) {
      this.address = address;
      this.bytes = bytes;
      this.device = device;
      this.allocatedBy = allocatedBy;
    }

    boolean contains(long other) {
      long offset = unmap(other) - address;
      return offset >= 0 && offset < bytes;
    }

    ByteBuffer slice(long from, int count) {
      if (memory == null) {
        int size = Math.toIntExact(bytes);
        // A view of pinned memory is a direct buffer with CUDA, so it is one here.
        memory = device < 0 ? ByteBuffer.allocateDirect(size) : ByteBuffer.allocate(size);
        poison();
      }
      int offset = Math.toIntExact(unmap(from) - address);
      return memory.slice(offset, count).order(ByteOrder.nativeOrder());
    }

    void poison() {
      if (memory != null) {
        byte[] garbage = new byte[memory.capacity()];
        Arrays.fill(garbage, GARBAGE);
        memory.put(0, garbage);
      }
    }

    @Override
    public String toString() {
      String where = device < 0 ? "pinned host" : "device " + device;
      return bytes + " bytes of " + where + " memory at " + hex(address);
    }
  }

  private static final class Capture {
    final Thread thread;
    final List<Op> ops = new ArrayList<>();
    boolean invalid;

    Capture(Thread thread) {
      this.thread = thread;
    }
  }

  private static final class FakeStream implements Stream {
    final long address;
    final int device;
    final Queue<Op> queue = new ArrayDeque<>();
    int released;
    boolean running;
    Capture capture;

    FakeStream(long address, int device) {
      this.address = address;
      this.device = device;
    }

    @Override
    public long address() {
      return address;
    }

    @Override
    public String toString() {
      return "stream " + hex(address) + " of device " + device;
    }
  }

  private static final class FakeEvent implements Event {
    final int device;
    final boolean timing;
    long recorded;
    long passed;
    long passedNanos;

    FakeEvent(int device, boolean timing) {
      this.device = device;
      this.timing = timing;
    }

    boolean isDone() {
      return passed >= recorded;
    }

    void pass(long version) {
      passed = Math.max(passed, version);
      passedNanos = System.nanoTime();
    }
  }

  private static final class FakeGraph implements Graph, Op {
    private final Op[] ops;

    FakeGraph(Op[] ops) {
      this.ops = ops;
    }

    @Override
    public void run() {
      for (Op op : ops) {
        op.run();
      }
    }

    @Override
    public boolean touches(Block block) {
      for (Op op : ops) {
        if (op.touches(block)) {
          return true;
        }
      }
      return false;
    }
  }
}
