package dev.rankrt.examples.doctor;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.DirectoryIteratorException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * The files of Linux under {@code /}, or under a folder that holds a recording. Whatever cannot be
 * read is not there: a container hides what it likes.
 */
record Tree(Path root) {
  private static final Pattern CHOSEN = Pattern.compile("\\[(\\w+)\\]");

  boolean exists(String path) {
    return Files.exists(root.resolve(path));
  }

  /** Returns a file's text without the white space around it. */
  Optional<String> text(String path) {
    try {
      // Every byte is a character in Latin-1, so that no content can fail to decode.
      byte[] bytes = Files.readAllBytes(root.resolve(path));
      return Optional.of(new String(bytes, StandardCharsets.ISO_8859_1).strip());
    } catch (IOException | InvalidPathException e) {
      return Optional.empty();
    }
  }

  List<String> lines(String path) {
    return text(path).map(text -> text.lines().toList()).orElse(List.of());
  }

  /** Returns what a file of lines such as {@code SwapTotal: 0 kB} says after a key. */
  Optional<String> value(String path, String key) {
    return lines(path).stream()
        .filter(line -> line.startsWith(key))
        .map(line -> line.substring(key.length()).strip())
        .findFirst();
  }

  /** Returns which of its values a setting such as {@code always [madvise] never} has. */
  Optional<String> chosen(String path) {
    return text(path).map(CHOSEN::matcher).filter(Matcher::find).map(match -> match.group(1));
  }

  Optional<Long> number(String path) {
    return text(path).flatMap(Tree::parse);
  }

  /** Returns the number that such a line begins with. */
  Optional<Long> number(String path, String key) {
    return value(path, key).map(text -> text.split("\\s+", 2)[0]).flatMap(Tree::parse);
  }

  /** Returns the names in a folder, in order. */
  List<String> list(String folder) {
    List<String> names = new ArrayList<>();
    try (DirectoryStream<Path> entries = Files.newDirectoryStream(root.resolve(folder))) {
      entries.forEach(entry -> names.add(entry.getFileName().toString()));
    } catch (IOException | DirectoryIteratorException e) {
      return List.of();
    }
    names.sort(null);
    return names;
  }

  private static Optional<Long> parse(String text) {
    try {
      return Optional.of(Long.valueOf(text));
    } catch (NumberFormatException e) {
      return Optional.empty();
    }
  }
}
