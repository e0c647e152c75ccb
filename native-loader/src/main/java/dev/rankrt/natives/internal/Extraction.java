package dev.rankrt.natives.internal;

import java.io.IOException;
import java.io.InputStream;
import java.net.JarURLConnection;
import java.net.URL;
import java.net.URLConnection;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.channels.OverlappingFileLockException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermission;
import java.nio.file.attribute.UserPrincipal;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.jar.JarEntry;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Extracts NVIDIA's libraries from redist jars. Safe for use by several threads and processes.
 *
 * <p>JavaCPP's own cache writes each file in place and takes size and time stamp for proof that it
 * is whole, one lock for all; its cache folder cannot be changed once anything in the process has
 * used it. Here a file appears under its name only when it is complete, so that its presence is the
 * proof; the lock saves eight processes from writing the same gigabyte eight times, and tells what
 * a process left that was killed while it wrote from what one is writing.
 */
final class Extraction {
  private static final Logger LOG = LoggerFactory.getLogger(Extraction.class);
  private static final Path SELF = Path.of("/proc/self");
  private static final long LOCK_RETRY_MILLIS = 20;

  private final List<Path> folders;

  /**
   * Creates an extraction.
   *
   * @param folders the folders to try, in order
   */
  Extraction(List<Path> folders) {
    this.folders = folders;
  }

  /** Returns the folders for what the options say: the one that is named, or the usual two. */
  static List<Path> folders(Optional<Path> named) {
    return named
        .map(List::of)
        .orElseGet(
            () ->
                List.of(
                    PrivateFiles.cacheFolder(),
                    Path.of(
                        System.getProperty("java.io.tmpdir"),
                        "rankrt-" + System.getProperty("user.name"))));
  }

  /**
   * Extracts a resource into the first folder that takes it. Libraries of one jar share a folder.
   *
   * @throws IOException if no folder takes it, with each one's reason
   */
  Path extract(URL resource) throws IOException {
    List<String> reasons = new ArrayList<>();
    IOException first = null;
    for (Path folder : folders) {
      try {
        return extract(resource, folder);
      } catch (IOException e) {
        reasons.add(folder + ": " + e);
        if (first == null) {
          first = e;
        } else {
          first.addSuppressed(e);
        }
      }
    }
    throw new IOException("no folder to extract to: " + String.join("; ", reasons), first);
  }

  private static Path extract(URL resource, Path cache) throws IOException {
    URLConnection connection = resource.openConnection();
    String path = resource.getPath();
    String name = path.substring(path.lastIndexOf('/') + 1);
    long size = connection.getContentLengthLong();
    Path folder = cache.resolve(folderName(connection));
    Path file = folder.resolve(name);
    createPrivate(folder);
    if (isWhole(file, size)) {
      return file;
    }
    // One lock per class in this process, for threads; the file's lock is for other processes.
    synchronized (Extraction.class) {
      try (FileChannel channel =
              FileChannel.open(
                  folder.resolve(name + ".lock"),
                  StandardOpenOption.CREATE,
                  StandardOpenOption.WRITE);
          FileLock lock = lock(channel)) {
        if (!isWhole(file, size)) {
          // First, since it may be what the disk has no room for.
          PrivateFiles.removeLeftovers(file);
          LOG.info("extracting {} ({} bytes) to {}", name, size, folder);
          PrivateFiles.replace(
              file,
              temporary -> {
                try (InputStream in = connection.getInputStream()) {
                  Files.copy(in, temporary, StandardCopyOption.REPLACE_EXISTING);
                }
              });
        }
        LOG.debug("{} is there, under {}", file, lock);
      }
    }
    return file;
  }

  /** A size that differs is not a half-written file but a damaged disk or a meddling hand. */
  private static boolean isWhole(Path file, long size) throws IOException {
    return Files.exists(file) && (size < 0 || Files.size(file) == size);
  }

  /** The jar's name has the version; its entry's check sum tells snapshots of one version apart. */
  private static String folderName(URLConnection connection) throws IOException {
    if (connection instanceof JarURLConnection jar) {
      String jarName = Path.of(jar.getJarFile().getName()).getFileName().toString();
      JarEntry manifest = jar.getJarFile().getJarEntry("META-INF/MANIFEST.MF");
      long stamp = manifest == null ? 0 : manifest.getCrc() & 0xffffffffL;
      return jarName + "-" + Long.toHexString(stamp);
    }
    return "class-path-" + Integer.toHexString(connection.getURL().toString().hashCode());
  }

  private static void createPrivate(Path folder) throws IOException {
    PrivateFiles.createFolder(folder);
    // What lies here is loaded as code. In a folder such as /tmp another user may have been first.
    Path cache = folder.getParent();
    Path shared = cache.getParent();
    if (shared != null && othersMayWrite(shared)) {
      UserPrincipal owner = Files.getOwner(cache, LinkOption.NOFOLLOW_LINKS);
      UserPrincipal self = Files.getOwner(SELF);
      if (!owner.equals(self)) {
        throw new IOException(cache + " belongs to " + owner.getName() + ", not " + self.getName());
      }
      if (othersMayWrite(cache)) {
        throw new IOException(cache + " can be written by other users");
      }
    }
  }

  private static boolean othersMayWrite(Path folder) throws IOException {
    Set<PosixFilePermission> permissions = Files.getPosixFilePermissions(folder);
    return permissions.contains(PosixFilePermission.OTHERS_WRITE);
  }

  private static FileLock lock(FileChannel channel) throws IOException {
    for (; ; ) {
      try {
        return channel.lock();
      } catch (OverlappingFileLockException e) {
        // Another class loader of this process holds a copy of this class, and the lock.
        try {
          Thread.sleep(LOCK_RETRY_MILLIS);
        } catch (InterruptedException interrupted) {
          Thread.currentThread().interrupt();
          throw new IOException("interrupted while waiting to extract", interrupted);
        }
      }
    }
  }
}
