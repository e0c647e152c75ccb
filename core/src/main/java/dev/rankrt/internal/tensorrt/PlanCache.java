package dev.rankrt.internal.tensorrt;

import dev.rankrt.ModelException;
import dev.rankrt.internal.onnx.OnnxFile;
import dev.rankrt.natives.RankRtException;
import dev.rankrt.natives.internal.PrivateFiles;
import java.io.File;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.ClosedByInterruptException;
import java.nio.channels.FileChannel;
import java.nio.channels.OverlappingFileLockException;
import java.nio.charset.StandardCharsets;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.security.MessageDigest;
import java.util.HexFormat;
import java.util.List;
import java.util.function.Supplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Plans on disk, so that a model is built once for a machine. Safe for use by several threads and
 * several processes.
 *
 * <p>An entry is written to a temporary file and renamed, so a reader sees all of it or nothing.
 * Whoever builds holds the entry's lock file; others wait for it and then find the entry. A damaged
 * entry is built again.
 */
final class PlanCache {
  private static final Logger log = LoggerFactory.getLogger(PlanCache.class);

  /**
   * Locks of files are held by a process, so threads of this one need a lock of their own. Taken
   * before {@link Builders}' lock, and held while a plan is built.
   */
  private static final Object BUILDING = new Object();

  /** Between two looks at a lock that somebody holds for seconds at least. */
  private static final long POLL_MILLIS = 50;

  private static final int PIECE_BYTES = 1 << 20;

  private final Path folder;

  PlanCache(Path folder) {
    this.folder = folder;
  }

  /**
   * Returns the key of a model that is built in a certain way.
   *
   * @param settings everything else that the plan depends on
   */
  static String key(Path model, List<String> settings) {
    MessageDigest digest = Plan.sha256();
    try {
      digest(model, digest);
      for (String location : OnnxFile.externalWeights(model)) {
        // One that is missing, or no path, is TensorRT's to complain about.
        File weights = new File(model.toAbsolutePath().getParent().toFile(), location);
        if (weights.isFile()) {
          digest(weights.toPath(), digest);
        }
      }
    } catch (ClosedByInterruptException e) {
      throw Plan.interrupted(model, e);
    } catch (IOException e) {
      throw new ModelException("cannot read model file " + model.toAbsolutePath() + ": " + e, e);
    }
    for (String setting : settings) {
      byte[] bytes = setting.getBytes(StandardCharsets.UTF_8);
      digest.update(bytes);
      digest.update(ByteBuffer.allocate(Integer.BYTES).putInt(0, bytes.length));
    }
    return HexFormat.of().formatHex(digest.digest());
  }

  /**
   * Returns a plan from the cache, built first if it is not there. Where the folder cannot be
   * written, or where the model changes while it is built, the plan is built and not kept.
   *
   * @param keys reads the model and returns its {@linkplain #key key}; asked again after the build,
   *     which reads the model too
   * @throws RankRtException if the thread is interrupted while another one, or another process,
   *     builds the plan
   */
  Plan get(Supplier<String> keys, Supplier<Plan> builder) {
    String key = keys.get();
    Path entry = folder.resolve(key + ".plan");
    Plan present = readIfIntact(entry);
    if (present != null) {
      return present;
    }
    if (Thread.holdsLock(BUILDING)) {
      throw new IllegalStateException("a build listener must not open engines: one is being built");
    }
    synchronized (BUILDING) {
      try {
        createPrivately(folder);
      } catch (IOException e) {
        log.warn(
            "plans cannot be kept in {}, so that every start builds them: {}",
            folder,
            e.toString());
        return builder.get();
      }
      FileChannel lock = lock(folder.resolve(key + ".lock"));
      try {
        present = readIfIntact(entry);
        if (present != null) {
          return present;
        }
        Plan plan = builder.get();
        store(plan, key, keys, entry);
        return plan;
      } finally {
        close(lock);
      }
    }
  }

  /** Waits for an entry's lock; without one, where the file system has none, nobody is harmed. */
  private static FileChannel lock(Path file) {
    FileChannel channel = null;
    boolean success = false;
    try {
      channel = FileChannel.open(file, StandardOpenOption.CREATE, StandardOpenOption.WRITE);
      boolean told = false;
      while (!isLocked(channel)) {
        if (!told) {
          log.info("waiting for whoever builds the same plan and holds {}", file);
          told = true;
        }
        Thread.sleep(POLL_MILLIS);
      }
      success = true;
      return channel;
    } catch (ClosedByInterruptException e) {
      throw new RankRtException("interrupted while locking " + file, e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new RankRtException("interrupted while waiting for " + file, e);
    } catch (IOException e) {
      log.warn(
          "{} cannot be locked, so that another process may build the same plan: {}",
          file,
          e.toString());
      return null;
    } finally {
      if (!success) {
        close(channel);
      }
    }
  }

  private static boolean isLocked(FileChannel channel) throws IOException {
    try {
      return channel.tryLock() != null;
    } catch (OverlappingFileLockException e) {
      return false; // held by RankRT in another class loader of this process
    }
  }

  private static void close(FileChannel lock) {
    try {
      if (lock != null) {
        lock.close();
      }
    } catch (IOException e) {
      log.warn("a lock of the plan cache could not be given back: {}", e.toString());
    }
  }

  /** Keeps a plan if that is possible; it has been built in any case, and is its caller's. */
  private void store(Plan plan, String key, Supplier<String> keys, Path entry) {
    // With the flag set, files close as soon as they are read or written.
    boolean interrupted = Thread.interrupted();
    try {
      // Under the key of what was there before, it would be served when that comes back.
      if (!keys.get().equals(key)) {
        log.warn("the model changed while it was built, so that its plan is not kept as {}", entry);
        return;
      }
      removeLeftovers(key);
      PrivateFiles.replace(entry, plan::write);
    } catch (IOException | RankRtException e) {
      log.warn("a plan could not be kept as {}: {}", entry, e.toString());
    } finally {
      if (interrupted) {
        Thread.currentThread().interrupt();
      }
    }
  }

  /** Deletes what processes left that ended while they wrote this entry, under its lock. */
  private void removeLeftovers(String key) throws IOException {
    try (DirectoryStream<Path> leftovers = Files.newDirectoryStream(folder, key + "*.tmp")) {
      for (Path leftover : leftovers) {
        Files.deleteIfExists(leftover);
      }
    }
  }

  private static Plan readIfIntact(Path entry) {
    if (!Files.isReadable(entry)) {
      return null;
    }
    try {
      return Plan.read(entry);
    } catch (ModelException e) {
      log.warn("a kept plan is built again: {}", e.getMessage());
      return null;
    }
  }

  private static void createPrivately(Path folder) throws IOException {
    PrivateFiles.createFolder(folder);
    if (!Files.isWritable(folder)) {
      throw new IOException("not writable");
    }
  }

  private static void digest(Path file, MessageDigest digest) throws IOException {
    try (FileChannel channel = FileChannel.open(file)) {
      ByteBuffer piece = ByteBuffer.allocate(PIECE_BYTES);
      while (channel.read(piece) >= 0) {
        digest.update(piece.flip());
        piece.clear();
      }
      digest.update(ByteBuffer.allocate(Long.BYTES).putLong(0, channel.size()));
    }
  }
}
