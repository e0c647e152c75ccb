package dev.rankrt.streams;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;

/** Unpacks the machines of {@code src/test/resources/topology}; its README tells their format. */
final class RecordedTree {
  private RecordedTree() {}

  static NumaTopology topology(String machine, Path root) {
    unpack(machine, root);
    return NumaTopology.read(root);
  }

  static void unpack(String machine, Path root) {
    String resource = "/topology/" + machine + ".txt";
    try (InputStream recording = RecordedTree.class.getResourceAsStream(resource)) {
      String text = new String(recording.readAllBytes(), StandardCharsets.UTF_8);
      text.lines().filter(line -> !line.startsWith("#")).forEach(line -> write(root, line));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static void write(Path root, String line) {
    int equals = line.indexOf(" = ");
    write(root, line.substring(0, equals), line.substring(equals + 3));
  }

  /** Adds a line to a file of the tree. */
  static void write(Path root, String path, String content) {
    try {
      Path file = root.resolve(path);
      Files.createDirectories(file.getParent());
      Files.writeString(file, content + "\n", StandardOpenOption.CREATE, StandardOpenOption.APPEND);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** Puts a file of the tree in place of what was recorded. */
  static void replace(Path root, String path, String content) {
    try {
      Files.deleteIfExists(root.resolve(path));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    write(root, path, content);
  }
}
