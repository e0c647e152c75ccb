package dev.rankrt.natives.internal;

import dev.rankrt.natives.LoadOptions;
import java.io.IOException;
import java.math.BigInteger;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Looks for one library in the documented order and keeps every reason. One thread at a time. */
final class Search {
  /** Where NVIDIA's installers put things without telling the linker. */
  private static final List<Path> INSTALLERS =
      List.of(
          Path.of("/usr/local/cuda/lib64"),
          Path.of("/usr/local/tensorrt/lib"),
          Path.of("/usr/local/TensorRT/lib"),
          Path.of("/opt/tensorrt/lib"));

  /** Where the linker looks by default, to name what is there in another version. */
  private static final List<Path> DEFAULTS =
      List.of(
          Path.of("/usr/lib/x86_64-linux-gnu"),
          Path.of("/usr/lib/aarch64-linux-gnu"),
          Path.of("/usr/lib64"),
          Path.of("/usr/lib"),
          Path.of("/usr/local/lib"));

  /** What the linker says of a library in a folder that is mounted noexec. */
  static final String NOT_EXECUTABLE = "failed to map segment";

  private static final Pattern NUMBER = Pattern.compile("\\d+");

  /** How far from the wanted major version to look for what is there instead. */
  private static final int MAJORS_AROUND = 3;

  /** The three kinds of place, each with the way to take more libraries from it. */
  enum Kind {
    FOLDER,
    SYSTEM,
    REDIST
  }

  /**
   * Where a library was found.
   *
   * @param file the file that was loaded
   * @param kind the kind of place
   */
  record Found(Path file, Kind kind) {
    Path folder() {
      Path parent = file.toAbsolutePath().getParent();
      return parent == null ? Path.of("/") : parent;
    }
  }

  private final Machine machine;
  private final LoadOptions options;
  private final Platform platform;
  private final List<String> attempts = new ArrayList<>();
  private final List<String> otherVersions = new ArrayList<>();

  Search(Machine machine, LoadOptions options, Platform platform) {
    this.machine = machine;
    this.options = options;
    this.platform = platform;
  }

  /**
   * Loads a library from the first place that has it.
   *
   * @param stem such as {@code nvinfer}
   * @param major the version wanted
   * @param artifact the folder of {@code org/bytedeco} in which a redist jar keeps it
   */
  Optional<Found> find(String stem, int major, String artifact) {
    String name = "lib" + stem + ".so." + major;
    for (Path folder : options.folders()) {
      Optional<Found> found = inFolder(folder, name, stem, Kind.FOLDER);
      if (found.isPresent()) {
        return found;
      }
    }
    if (options.system()) {
      Optional<Found> found = inSystem(name, stem);
      if (found.isPresent()) {
        return found;
      }
    } else {
      attempts.add("system: switched off");
    }
    if (options.redistJars()) {
      return inRedistJar(name, stem, major, artifact);
    }
    attempts.add("redist jars: switched off");
    return Optional.empty();
  }

  private Optional<Found> inFolder(Path folder, String name, String stem, Kind kind) {
    List<String> present = machine.list(folder, "lib" + stem + ".so");
    // Without the link that an installation has, the newest, as ldconfig would link it.
    Pattern versioned = Pattern.compile(Pattern.quote(name) + "(\\.\\d+)+");
    String exact =
        present.contains(name)
            ? name
            : present.stream()
                .filter(file -> versioned.matcher(file).matches())
                .max(Comparator.comparing(Search::numbers, Arrays::compare))
                .orElse("");
    if (exact.isEmpty()) {
      String instead = present.isEmpty() ? "" : ", but " + String.join(", ", present);
      attempts.add("folder " + folder + ": no " + name + instead);
      noteOthers(folder, present);
      return Optional.empty();
    }
    return open(exact, Optional.of(folder), kind, "folder " + folder);
  }

  /** Returns the numbers of a library's version; some have a date there, which fits no int. */
  private static BigInteger[] numbers(String file) {
    return NUMBER
        .matcher(file.substring(file.indexOf(".so.")))
        .results()
        .map(number -> new BigInteger(number.group()))
        .toArray(BigInteger[]::new);
  }

  private Optional<Found> inSystem(String name, String stem) {
    Optional<Found> found =
        open(
            name,
            Optional.empty(),
            Kind.SYSTEM,
            "system (LD_LIBRARY_PATH=" + machine.environment("LD_LIBRARY_PATH") + ")");
    for (Path folder : INSTALLERS) {
      if (found.isEmpty() && !machine.list(folder, name).isEmpty()) {
        found = inFolder(folder, name, stem, Kind.FOLDER);
      }
    }
    if (found.isEmpty()) {
      for (Path folder : linkerFolders()) {
        noteOthers(folder, machine.list(folder, "lib" + stem + ".so."));
      }
    }
    return found;
  }

  private Optional<Found> inRedistJar(String name, String stem, int major, String artifact) {
    String folder = "org/bytedeco/" + artifact + "/" + platform.classifier + "/";
    if (!machine.hasResource(folder + name)) {
      attempts.add("redist jars: no " + name + " on the class path");
      for (int other = major - MAJORS_AROUND; other <= major + MAJORS_AROUND; other++) {
        String otherName = "lib" + stem + ".so." + other;
        if (other != major && machine.hasResource(folder + otherName)) {
          otherVersions.add("a redist jar with " + otherName);
        }
      }
      return Optional.empty();
    }
    Path file;
    try {
      file = machine.extract(folder + name, options.cacheFolder());
    } catch (IOException e) {
      attempts.add("redist jars: " + name + " cannot be extracted: " + e.getMessage());
      return Optional.empty();
    }
    return open(name, Optional.ofNullable(file.getParent()), Kind.REDIST, "redist jars");
  }

  private Optional<Found> open(String name, Optional<Path> folder, Kind kind, String where) {
    try {
      return Optional.of(new Found(machine.open(name, folder), kind));
    } catch (UnsatisfiedLinkError e) {
      attempts.add(where + ": " + reason(e));
      return Optional.empty();
    }
  }

  /** The JVM puts the file's name before the linker's words; ours is a shim that means nothing. */
  static String reason(UnsatisfiedLinkError e) {
    String message = String.valueOf(e.getMessage());
    int shim = message.indexOf(".so: ");
    String reason =
        shim >= 0 && message.startsWith("/") && message.contains("rankrt")
            ? message.substring(shim + ".so: ".length())
            : message;
    return reason.contains(NOT_EXECUTABLE) ? reason + " (is the folder mounted noexec?)" : reason;
  }

  private List<Path> linkerFolders() {
    List<Path> folders = new ArrayList<>();
    for (String folder : machine.environment("LD_LIBRARY_PATH").split(":", -1)) {
      if (!folder.isEmpty()) {
        folders.add(Path.of(folder));
      }
    }
    folders.addAll(DEFAULTS);
    folders.addAll(INSTALLERS);
    return folders;
  }

  private void noteOthers(Path folder, List<String> files) {
    for (String file : files) {
      otherVersions.add(folder.resolve(file).toString());
    }
  }

  /** Returns every attempt with its reason, one per line. */
  String attempts() {
    return attempts.isEmpty() ? "" : "\n  tried " + String.join("\n  tried ", attempts);
  }

  /** Returns the major versions seen that are not the wanted one, and where; empty if none. */
  String otherVersions(int wanted) {
    Pattern version = Pattern.compile("\\.so\\.(\\d+)");
    List<String> others = new ArrayList<>();
    for (String other : otherVersions) {
      Matcher matcher = version.matcher(other);
      if (matcher.find() && !matcher.group(1).equals(Integer.toString(wanted))) {
        others.add(other);
      }
    }
    return String.join(", ", others);
  }
}
