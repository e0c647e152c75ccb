package dev.rankrt.natives.internal;

import static java.util.Collections.nCopies;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.rankrt.testing.Forked;
import java.io.IOException;
import java.io.OutputStream;
import java.net.URI;
import java.net.URL;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
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
