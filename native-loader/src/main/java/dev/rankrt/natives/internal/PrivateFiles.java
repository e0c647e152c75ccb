package dev.rankrt.natives.internal;

import java.io.IOException;
import java.nio.file.DirectoryIteratorException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.function.Predicate;
import java.util.regex.Pattern;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Files that this user's processes share and nobody else's may write: what they hold is run as
 * code. Safe for use by several threads and processes.
 */
public final class PrivateFiles {
  private static final Logger LOG = LoggerFactory.getLogger(PrivateFiles.class);
  private static final String TEMPORARY = ".tmp";

  private PrivateFiles() {}

  /**
   * Returns where this user's programs keep what they can make again: {@code rankrt} in the folder
   * that the freedesktop.org base directory specification names.
   */
  public static Path cacheFolder() {
    String named = System.getenv("XDG_CACHE_HOME");
    Path caches =
        named != null && !named.isBlank()
            ? Path.of(named)
            : Path.of(System.getProperty("user.home"), ".cache");
    return caches.resolve("rankrt");
  }

  /** Writes a file's contents. */
  @FunctionalInterface
  public interface Writing {
    /** Writes to a file that exists and is empty. */
    void to(Path file) throws IOException;
  }

  /** Creates a folder, and those above it, for this user alone. Does nothing to one that exists. */
  public static void createFolder(Path folder) throws IOException {
    if (!Files.isDirectory(folder)) {
      Files.createDirectories(
          folder,
          PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------")));
    }
  }

  /**
   * Creates or replaces a file, so that whoever reads it sees all of it or what was there before. A
   * process that ends meanwhile leaves a file beside it, whose name begins with the file's and ends
   * with {@code .tmp}; see {@link #removeLeftovers}.
   */
  public static void replace(Path file, Writing contents) throws IOException {
    Path absolute = file.toAbsolutePath();
    Path temporary =
        Files.createTempFile(absolute.getParent(), absolute.getFileName() + ".", TEMPORARY);
    try {
      contents.to(temporary);
      Files.move(temporary, absolute, StandardCopyOption.ATOMIC_MOVE);
    } finally {
      Files.deleteIfExists(temporary);
    }
  }

  /**
   * Deletes what processes left that ended while they {@linkplain #replace replaced} a file. To be
   * called under a lock that all who replace it take: what lies there then is nobody's any more.
   * What cannot be deleted stays, and the log says so.
   */
  static void removeLeftovers(Path file) {
    Path absolute = file.toAbsolutePath();
    // With digits alone between the dots: libx.so.1 must not delete what is written for
    // libx.so.1.2.
    Predicate<String> leftover =
        Pattern.compile(
                Pattern.quote(absolute.getFileName() + ".") + "\\d+" + Pattern.quote(TEMPORARY))
            .asMatchPredicate();
    try (DirectoryStream<Path> leftovers =
        Files.newDirectoryStream(
            absolute.getParent(), path -> leftover.test(path.getFileName().toString()))) {
      for (Path path : leftovers) {
        removeLeftover(path);
      }
    } catch (IOException | DirectoryIteratorException e) {
      LOG.warn("what is left over beside {} cannot be found: {}", file, e.toString());
    }
  }

  private static void removeLeftover(Path path) {
    try {
      if (Files.deleteIfExists(path)) {
        LOG.info("removed {}, which a process left that ended while it wrote it", path);
      }
    } catch (IOException e) {
      LOG.warn("{} is left over and cannot be removed: {}", path, e.toString());
    }
  }
}
