package dev.rankrt.internal.tensorrt;

import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.BiConsumer;
import org.bytedeco.tensorrt.nvinfer.ILogger;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Where TensorRT's messages go: to SLF4J at the matching level, and to whoever is listening. Safe
 * for use by several threads.
 *
 * <p>TensorRT knows one logger a process, whichever it was given first, and calls it from threads
 * of its own for as long as anything of it lives. So there is one, which is never freed.
 */
final class TensorRtLog extends ILogger {
  private static final Logger log = LoggerFactory.getLogger("dev.rankrt.tensorrt");

  /** Warns of what is so: an input of 64-bit ids gets 64-bit ids. */
  private static final String INT64_INPUT = " has Int64 binding.";

  private final Set<BiConsumer<Severity, String>> listeners = ConcurrentHashMap.newKeySet();

  /** Adds a listener, which is called on any thread and must not throw. */
  void add(BiConsumer<Severity, String> listener) {
    listeners.add(listener);
  }

  void remove(BiConsumer<Severity, String> listener) {
    listeners.remove(listener);
  }

  @Override
  public void log(Severity severity, String message) {
    // Nothing may be thrown into the native caller, which would end the process.
    try {
      Severity known = severity.intern();
      listeners.forEach(listener -> listener.accept(known, message)); // whatever a logger does
      switch (known) {
        case kINTERNAL_ERROR, kERROR -> log.error(message);
        case kWARNING -> {
          if (message.endsWith(INT64_INPUT)) {
            log.debug(message);
          } else {
            log.warn(message);
          }
        }
        case kINFO -> log.info(message);
        case kVERBOSE -> log.trace(message);
      }
    } catch (Throwable e) {
      lost(e);
    }
  }

  private static void lost(Throwable failure) {
    try {
      log.error("a message of TensorRT's was lost", failure);
    } catch (Throwable again) {
      // There is nobody left to tell.
    }
  }
}
