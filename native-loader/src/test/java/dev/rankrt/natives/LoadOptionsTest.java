package dev.rankrt.natives;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.File;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class LoadOptionsTest {
  @AfterEach
  void clearProperties() {
    for (String property :
        List.of(LoadOptions.FOLDERS, LoadOptions.SYSTEM, LoadOptions.REDIST, LoadOptions.CACHE)) {
      System.clearProperty(property);
    }
  }

  @Test
  void defaults_withoutProperties_areSystemAndJars() {
    assertEquals(new LoadOptions(List.of(), true, true, Optional.empty()), LoadOptions.defaults());
  }

  @Test
  void defaults_withProperties_followThem() {
    System.setProperty(LoadOptions.FOLDERS, "/a" + File.pathSeparator + "/b");
    System.setProperty(LoadOptions.SYSTEM, "false");
    System.setProperty(LoadOptions.REDIST, "false");
    System.setProperty(LoadOptions.CACHE, "/c");
    assertEquals(
        new LoadOptions(
            List.of(Path.of("/a"), Path.of("/b")), false, false, Optional.of(Path.of("/c"))),
        LoadOptions.defaults());
  }

  @Test
  void property_thatIsNeitherTrueNorFalse_isRefused() {
    System.setProperty(LoadOptions.SYSTEM, "yes");
    IllegalArgumentException refusal =
        assertThrows(IllegalArgumentException.class, LoadOptions::defaults);
    assertTrue(refusal.getMessage().contains(LoadOptions.SYSTEM), refusal.getMessage());
  }

  @Test
  void options_withNoPlaceLeft_areRefused() {
    LoadOptions jarsOnly = LoadOptions.defaults().withSystem(false);
    assertThrows(IllegalArgumentException.class, () -> jarsOnly.withRedistJars(false));
  }

  @Test
  void withers_changeOneThing() {
    LoadOptions options =
        LoadOptions.defaults()
            .withFolders(Path.of("/a"), Path.of("/b"))
            .withSystem(false)
            .withRedistJars(false)
            .withCacheFolder(Path.of("/c"));
    assertEquals(List.of(Path.of("/a"), Path.of("/b")), options.folders());
    assertFalse(options.system());
    assertFalse(options.redistJars());
    assertEquals(Optional.of(Path.of("/c")), options.cacheFolder());
  }
}
