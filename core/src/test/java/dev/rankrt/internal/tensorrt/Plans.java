package dev.rankrt.internal.tensorrt;

import java.util.Properties;
import java.util.concurrent.atomic.AtomicInteger;
import org.bytedeco.javacpp.BytePointer;
import org.bytedeco.javacpp.Pointer;

/** Plans that no TensorRT wrote: bytes are all that files and caches look at. */
final class Plans {
  /** How many are open: tests end with none. */
  static final AtomicInteger OPEN = new AtomicInteger();

  private Plans() {}

  static Plan of(byte[] content, String... header) {
    Pointer memory = Pointer.malloc(Math.max(1, content.length));
    new BytePointer(memory).put(content);
    Properties properties = new Properties();
    for (int i = 0; i < header.length; i += 2) {
      properties.setProperty(header[i], header[i + 1]);
    }
    OPEN.incrementAndGet();
    return new Plan(
        properties,
        memory,
        content.length,
        () -> {
          Pointer.free(memory);
          OPEN.decrementAndGet();
        });
  }

  static byte[] contentOf(Plan plan) {
    byte[] content = new byte[Math.toIntExact(plan.size())];
    new BytePointer(plan.data()).get(content);
    return content;
  }
}
