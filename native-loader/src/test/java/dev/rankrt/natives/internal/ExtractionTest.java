package dev.rankrt.natives.internal;

import static java.util.Collections.nCopies;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.rankrt.testing.Forked;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.SequenceInputStream;
import java.net.URI;
import java.net.URL;
import java.net.URLConnection;
import java.net.URLStreamHandler;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.FileTime;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.Supplier;
import java.util.jar.JarEntry;
import java.util.jar.JarOutputStream;
import java.util.jar.Manifest;
import java.util.stream.Stream;
import java.util.zip.CRC32;
import org.bytedeco.javacpp.LongPointer;
import org.bytedeco.javacpp.Pointer;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ExtractionTest {
  private static final int PROCESSES = 8;
  private static final int SIZE = 4 << 20;

  @TempDir Path folder;
  private final byte[] content = new byte[SIZE];
  private URL resource;

  @BeforeEach
  void writeJar() throws IOException {
    new Random(7).nextBytes(content);
    Path jar = folder.resolve("lib-1.0-redist.jar");
    Manifest manifest = new Manifest();
    manifest.getMainAttributes().putValue("Manifest-Version", "1.0");
    try (OutputStream out = Files.newOutputStream(jar);
        JarOutputStream entries = new JarOutputStream(out, manifest)) {
      entries.putNextEntry(new JarEntry("a/libx.so.1"));
      entries.write(content);
      entries.closeEntry();
    }
    resource = URI.create("jar:" + jar.toUri() + "!/a/libx.so.1").toURL();
  }

  private static Path extract(URL resource, Path... folders) throws IOException {
    return new Extraction(List.of(folders)).extract(resource);
  }

  @Test
  void file_extractedTwice_isWrittenOnce() throws IOException {
    Path file = extract(resource, folder.resolve("cache"));
    assertArrayEquals(content, Files.readAllBytes(file));
    FileTime written = FileTime.fromMillis(1000);
    Files.setLastModifiedTime(file, written);
    assertEquals(file, extract(resource, folder.resolve("cache")));
    assertEquals(written, Files.getLastModifiedTime(file));
  }

  @Test
  void file_damaged_isReplaced() throws IOException {
    Path file = extract(resource, folder.resolve("cache"));
    Files.write(file, new byte[] {1, 2, 3});
    assertArrayEquals(content, Files.readAllBytes(extract(resource, folder.resolve("cache"))));
  }

  @Test
  void process_killedWhileExtracting_leavesNothingForTheNext() throws Exception {
    Path cache = folder.resolve("cache");
    Forked.Result killed =
        Forked.run(
            System.getProperty("java.class.path"), List.of(), Killed.class, cache.toString());
    assertEquals(Killed.EXIT, killed.exit(), killed.output());
    assertEquals(1, temporaryFiles(cache).size(), "killed where it writes");
    Path file = extract(readBy(() -> new ByteArrayInputStream(content)), cache);
    assertArrayEquals(content, Files.readAllBytes(file));
    assertEquals(List.of(), temporaryFiles(cache));
  }

  /** A resource that is not in a jar. */
  private static URL readBy(Supplier<InputStream> content) throws IOException {
    return new URL(
        null,
        "test:/a/libx.so.1",
        new URLStreamHandler() {
          @Override
          protected URLConnection openConnection(URL url) {
            return new URLConnection(url) {
              @Override
              public void connect() {}

              @Override
              public InputStream getInputStream() {
                return content.get();
              }
            };
          }
        });
  }

  /** Ends in the middle of its extraction, as if killed. */
  static final class Killed {
    static final int EXIT = 9;

    private Killed() {}

    public static void main(String[] args) throws IOException {
      InputStream dying =
          new InputStream() {
            @Override
            public int read() {
              Runtime.getRuntime().halt(EXIT);
              return -1;
            }

            @Override
            public int read(byte[] bytes, int offset, int length) {
              return read();
            }
          };
      InputStream some = new ByteArrayInputStream(new byte[1 << 20]);
      extract(readBy(() -> new SequenceInputStream(some, dying)), Path.of(args[0]));
    }
  }

  @Test
  void file_thatAnotherProcessIsWriting_isNotTakenForALeftover() throws Exception {
    Path cache = folder.resolve("cache");
    Path file = extract(resource, cache);
    // Of libraries whose names begin like this one's, under locks of their own.
    List<String> others = List.of("libx.so.1.2.345.tmp", "libx.so.12.345.tmp", "libx.so.1.345.so");
    for (String other : others) {
      Files.write(file.resolveSibling(other), content);
    }
    Path leftover = Files.write(file.resolveSibling("libx.so.1.345.tmp"), content);
    Files.delete(file);
    extract(resource, cache);
    assertFalse(Files.exists(leftover));
    for (String other : others) {
      assertTrue(Files.exists(file.resolveSibling(other)), other);
    }
  }

  @Test
  void leftover_thatCannotBeRemoved_isNoError() throws IOException {
    Path cache = folder.resolve("cache");
    Path file = extract(resource, cache);
    // A folder that is not empty refuses everybody, root included.
    Path leftover = Files.createDirectory(file.resolveSibling("libx.so.1.345.tmp"));
    Files.createFile(leftover.resolve("full"));
    Files.delete(file);
    assertArrayEquals(content, Files.readAllBytes(extract(resource, cache)));
    assertTrue(Files.exists(leftover));
  }

  private static List<Path> temporaryFiles(Path cache) throws IOException {
    try (Stream<Path> files = Files.walk(cache)) {
      return files.filter(file -> file.toString().endsWith(".tmp")).toList();
    }
  }

  @Test
  void home_thatCannotBeWritten_isPassedOver() throws IOException {
    // A file where the folder should be refuses everybody, root included.
    Path home = Files.createFile(folder.resolve("home"));
    Path file = extract(resource, home.resolve("rankrt"), folder.resolve("other"));
    assertTrue(file.startsWith(folder.resolve("other")));
  }

  @Test
  void cache_withoutAnyUsableFolder_namesThemAll() throws IOException {
    Path one = Files.createFile(folder.resolve("one")).resolve("rankrt");
    Path two = Files.createFile(folder.resolve("two")).resolve("rankrt");
    IOException failure = assertThrows(IOException.class, () -> extract(resource, one, two));
    assertTrue(failure.getMessage().contains(one + ": "), failure.getMessage());
    assertTrue(failure.getMessage().contains(two + ": "), failure.getMessage());
  }

  @Test
  void folder_thatOthersCanWrite_isNotTrustedInASharedPlace() throws IOException {
    Path shared = Files.createDirectory(folder.resolve("tmp"));
    Files.setPosixFilePermissions(shared, PosixFilePermissions.fromString("rwxrwxrwx"));
    Path cache = Files.createDirectory(shared.resolve("rankrt-me"));
    Files.setPosixFilePermissions(cache, PosixFilePermissions.fromString("rwxrwxrwx"));
    IOException failure = assertThrows(IOException.class, () -> extract(resource, cache));
    assertTrue(failure.getMessage().contains("written by other users"), failure.getMessage());

    Files.setPosixFilePermissions(cache, PosixFilePermissions.fromString("rwx------"));
    assertArrayEquals(content, Files.readAllBytes(extract(resource, cache)));
  }

  @Test
  void folders_byDefault_areTheHomeAndATemporaryOne() {
    List<Path> folders = Extraction.folders(Optional.empty());
    assertTrue(folders.get(0).startsWith(System.getProperty("user.home")));
    assertTrue(folders.get(1).startsWith(System.getProperty("java.io.tmpdir")));
    assertEquals(List.of(folder), Extraction.folders(Optional.of(folder)));
  }

  @Test
  void lockThatThisProcessHoldsElsewhere_isWaitedFor() throws Exception {
    Path cache = folder.resolve("cache");
    Path file = extract(resource, cache);
    Files.delete(file);
    ExecutorService thread = Executors.newSingleThreadExecutor();
    try {
      Future<Path> extracted;
      // As a class loader does that has a copy of RankRT.
      try (FileChannel channel =
              FileChannel.open(file.resolveSibling("libx.so.1.lock"), StandardOpenOption.WRITE);
          FileLock lock = channel.lock()) {
        extracted = thread.submit(() -> extract(resource, cache));
        assertThrows(TimeoutException.class, () -> extracted.get(200, TimeUnit.MILLISECONDS));
        assertFalse(Files.exists(file), () -> "written under " + lock);
      }
      assertEquals(file, extracted.get(30, TimeUnit.SECONDS));
      assertArrayEquals(content, Files.readAllBytes(file));
    } finally {
      thread.shutdownNow();
    }
  }

  @Test
  void eightProcesses_onOneEmptyCache_allGetTheWholeFile() throws Exception {
    CRC32 crc = new CRC32();
    crc.update(content);
    Callable<Forked.Result> process =
        () ->
            Forked.run(
                System.getProperty("java.class.path"),
                List.of(
                    "-Xmx64m",
                    "-XX:TieredStopAtLevel=1",
                    "-Dorg.bytedeco.javacpp.cachedir=" + folder.resolve("javacpp")),
                Child.class,
                resource.toString(),
                folder.resolve("cache").toString());
    ExecutorService threads = Executors.newFixedThreadPool(PROCESSES);
    try {
      for (Future<Forked.Result> each : threads.invokeAll(nCopies(PROCESSES, process))) {
        Forked.Result result = each.get();
        assertEquals(0, result.exit(), result.output());
        assertTrue(result.output().contains("crc " + crc.getValue() + " jni 8"), result.output());
      }
    } finally {
      threads.shutdownNow();
    }
    try (Stream<Path> files = Files.walk(folder.resolve("cache"))) {
      assertEquals(
          List.of("libx.so.1", "libx.so.1.lock"),
          files
              .filter(Files::isRegularFile)
              .map(file -> file.getFileName().toString())
              .sorted()
              .toList());
    }
  }

  /** One of the processes: extracts with us, then lets JavaCPP extract and load its own library. */
  static final class Child {
    private Child() {}

    public static void main(String[] args) throws IOException {
      Path file = extract(URI.create(args[0]).toURL(), Path.of(args[1]));
      CRC32 crc = new CRC32();
      crc.update(Files.readAllBytes(file));
      System.out.println("crc " + crc.getValue() + " jni " + Pointer.sizeof(LongPointer.class));
    }
  }
}
