package dev.rankrt.natives;

import java.io.File;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.Optional;

/**
 * Where NVIDIA's libraries are looked for. Immutable.
 *
 * <p>The places are tried in this order, and the first that holds a library wins:
 *
 * <ol>
 *   <li>{@link #folders}, in their order;
 *   <li>the system: what the dynamic linker finds by name ({@code LD_LIBRARY_PATH}, {@code
 *       ld.so.cache}, its default folders), then the folders that NVIDIA's installers use;
 *   <li>the redist jars on the class path, {@code org.bytedeco:tensorrt} with the classifier {@code
 *       linux-x86_64-redist} and {@code org.bytedeco:cuda-redist}, which are extracted once into a
 *       cache folder.
 * </ol>
 *
 * <p>TensorRT's parser, plugins and builder resources are taken from where {@code libnvinfer} came
 * from, so that two installations are never mixed. The driver's own library always comes from the
 * system.
 *
 * @param folders folders to look into first
 * @param system whether to look where the system keeps libraries
 * @param redistJars whether to extract from redist jars
 * @param cacheFolder where to extract to; empty for {@code rankrt} in {@code $XDG_CACHE_HOME} or
 *     {@code ~/.cache}, or a folder of the user's own under {@code java.io.tmpdir} where the home
 *     cannot be written
 */
public record LoadOptions(
    List<Path> folders, boolean system, boolean redistJars, Optional<Path> cacheFolder) {

  /** The property that names the folders. */
  static final String FOLDERS = "dev.rankrt.natives.folders";

  /** The property that switches the system's places. */
  static final String SYSTEM = "dev.rankrt.natives.system";

  /** The property that switches the redist jars. */
  static final String REDIST = "dev.rankrt.natives.redist";

  /** The property that names the cache folder. */
  static final String CACHE = "dev.rankrt.natives.cacheFolder";

  /**
   * Checks that at least one place is left.
   *
   * @param folders folders to look into first
   * @param system whether to look where the system keeps libraries
   * @param redistJars whether to extract from redist jars
   * @param cacheFolder where to extract to
   */
  public LoadOptions {
    folders = List.copyOf(folders);
    Objects.requireNonNull(cacheFolder, "cacheFolder");
    if (folders.isEmpty() && !system && !redistJars) {
      throw new IllegalArgumentException(
          "nowhere to look for NVIDIA's libraries: no folder given, system and redistJars both off");
    }
  }

  /**
   * Returns what the system properties ask for; where none is set, the system and the redist jars.
   *
   * @return options, to be changed with the methods below
   */
  public static LoadOptions defaults() {
    List<Path> folders = new ArrayList<>();
    for (String folder : System.getProperty(FOLDERS, "").split(File.pathSeparator, -1)) {
      if (!folder.isBlank()) {
        folders.add(Path.of(folder.strip()));
      }
    }
    return new LoadOptions(
        folders,
        flag(SYSTEM),
        flag(REDIST),
        Optional.ofNullable(System.getProperty(CACHE))
            .filter(folder -> !folder.isBlank())
            .map(Path::of));
  }

  /**
   * Returns these options with other folders.
   *
   * @param first the folder to look into first
   * @param more the folders after it
   * @return new options
   */
  public LoadOptions withFolders(Path first, Path... more) {
    List<Path> all = new ArrayList<>();
    all.add(first);
    all.addAll(Arrays.asList(more));
    return new LoadOptions(all, system, redistJars, cacheFolder);
  }

  /**
   * Returns these options with the system's places on or off.
   *
   * @param on whether to look there
   * @return new options
   */
  public LoadOptions withSystem(boolean on) {
    return new LoadOptions(folders, on, redistJars, cacheFolder);
  }

  /**
   * Returns these options with the redist jars on or off.
   *
   * @param on whether to look there
   * @return new options
   */
  public LoadOptions withRedistJars(boolean on) {
    return new LoadOptions(folders, system, on, cacheFolder);
  }

  /**
   * Returns these options with another cache folder.
   *
   * @param folder where to extract to; created when missing
   * @return new options
   */
  public LoadOptions withCacheFolder(Path folder) {
    return new LoadOptions(folders, system, redistJars, Optional.of(folder));
  }

  private static boolean flag(String property) {
    String value = System.getProperty(property, "true");
    return switch (value) {
      case "true" -> true;
      case "false" -> false;
      default ->
          throw new IllegalArgumentException(
              "system property " + property + " must be true or false: '" + value + "'");
    };
  }
}
