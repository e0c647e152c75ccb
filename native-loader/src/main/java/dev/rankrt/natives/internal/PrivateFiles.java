package dev.rankrt.natives.internal;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.PosixFilePermissions;

/**
 * Files that this user's processes share and nobody else's may write: what they hold is run as
 * code. Safe for use by several threads and processes.
 */
public final class PrivateFiles {
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
   * with {@code .tmp}.
   */
  public static void replace(Path file, Writing contents) throws IOException {
    Path absolute = file.toAbsolutePath();
    Path temporary =
        Files.createTempFile(absolute.getParent(), absolute.getFileName().toString(), ".tmp");
    try {
      contents.to(temporary);
      Files.move(temporary, absolute, StandardCopyOption.ATOMIC_MOVE);
    } finally {
      Files.deleteIfExists(temporary);
    }
  }
}
