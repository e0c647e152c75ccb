package dev.rankrt.internal.tensorrt;

import dev.rankrt.ModelException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.security.MessageDigest;
import java.util.HexFormat;
import java.util.List;
import java.util.function.Supplier;
import java.util.stream.Stream;
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

  /** Locks of files are held by a process, so threads of this one need a lock of their own. */
  private static final Object BUILDING = new Object();

  /** A model with its weights elsewhere is small. */
  private static final long MAX_BYTES_WITHOUT_WEIGHTS = 64 << 20;

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
      for (Path weights : externalWeights(model)) {
        digest(weights, digest);
      }
    } catch (IOException e) {
      throw new ModelException("cannot read model file " + model.toAbsolutePath() + ": " + e, e);
    }
    settings.forEach(setting -> digest.update((setting + "\n").getBytes(StandardCharsets.UTF_8)));
    return HexFormat.of().formatHex(digest.digest());
  }

  /**
   * Returns a plan from the cache, built first if it is not there. Where the folder cannot be
   * written, the plan is built and not kept.
   */
  Plan get(String key, Supplier<Plan> builder) {
    Path entry = folder.resolve(key + ".plan");
    Plan present = readIfIntact(entry);
    if (present != null) {
      return present;
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
      return buildLocked(key, entry, builder);
    }
  }

  private Plan buildLocked(String key, Path entry, Supplier<Plan> builder) {
    Path lockFile = folder.resolve(key + ".lock");
    try (FileChannel channel =
            FileChannel.open(lockFile, StandardOpenOption.CREATE, StandardOpenOption.WRITE);
        FileLock lock = channel.lock()) {
      log.debug("building under {}", lock);
      Plan present = readIfIntact(entry);
      if (present != null) {
        return present;
      }
      Plan plan = builder.get();
      store(plan, entry);
      return plan;
    } catch (IOException e) {
      log.warn(
          "{} cannot be locked, so that another process may build the same plan: {}",
          lockFile,
          e.toString());
      return builder.get();
    }
  }

  private void store(Plan plan, Path entry) {
    try {
      Path temporary = Files.createTempFile(folder, "building", ".tmp");
      try {
        plan.write(temporary);
        Files.move(temporary, entry, StandardCopyOption.ATOMIC_MOVE);
      } finally {
        Files.deleteIfExists(temporary);
      }
    } catch (IOException e) {
      log.warn("a plan could not be kept as {}: {}", entry, e.toString());
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
    if (!Files.isDirectory(folder)) {
      // Plans are code: nobody else may put one there.
      Files.createDirectories(
          folder,
          PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------")));
    }
    if (!Files.isWritable(folder)) {
      throw new IOException("not writable");
    }
  }

  private static void digest(Path file, MessageDigest digest) throws IOException {
    try (FileChannel channel = FileChannel.open(file)) {
      ByteBuffer piece = ByteBuffer.allocate(1 << 20);
      while (channel.read(piece) >= 0) {
        digest.update(piece.flip());
        piece.clear();
      }
    }
  }

  /**
   * Returns the files beside a model that may hold its weights: ONNX names them in the model by
   * their file names, so a file whose name does not occur there is none.
   */
  private static List<Path> externalWeights(Path model) throws IOException {
    Path folder = model.toAbsolutePath().getParent();
    if (Files.size(model) > MAX_BYTES_WITHOUT_WEIGHTS) {
      return List.of(); // with its weights inside
    }
    String content = Files.readString(model, StandardCharsets.ISO_8859_1);
    try (Stream<Path> siblings = Files.list(folder)) {
      return siblings
          .filter(Files::isRegularFile)
          .filter(sibling -> !sibling.getFileName().equals(model.getFileName()))
          .filter(sibling -> content.contains(latin1(sibling.getFileName().toString())))
          .sorted()
          .toList();
    }
  }

  private static String latin1(String name) {
    return new String(name.getBytes(StandardCharsets.UTF_8), StandardCharsets.ISO_8859_1);
  }
}
