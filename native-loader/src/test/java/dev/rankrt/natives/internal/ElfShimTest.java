package dev.rankrt.natives.internal;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;

/** The linker itself is the judge of these. */
@EnabledOnOs(OS.LINUX)
class ElfShimTest {
  @TempDir Path folder;

  private final RealMachine machine = new RealMachine();

  private void library(String name, String soname, String... needed) throws IOException {
    int elfMachine = Platform.of(machine.osName(), machine.osArch()).orElseThrow().elfMachine;
    Files.write(folder.resolve(name), ElfShim.write(elfMachine, soname, List.of(needed), ""));
  }

  @Test
  void library_openedFromFolder_isKnownByItsBareName() throws IOException {
    library("librankrt_one.so.10.6.0", "do_not_link_against_this");
    String name = "librankrt_one.so.10.6.0";
    assertThrows(UnsatisfiedLinkError.class, () -> machine.open(name, Optional.empty()));

    assertEquals(folder.resolve(name).toRealPath(), machine.open(name, Optional.of(folder)));
    assertEquals(folder.resolve(name).toRealPath(), machine.open(name, Optional.empty()));
  }

  @Test
  void library_openedByPathAlone_staysUnknown() throws IOException {
    library("librankrt_two.so.1", "do_not_link_against_this");
    System.load(folder.resolve("librankrt_two.so.1").toString());
    assertThrows(
        UnsatisfiedLinkError.class, () -> machine.open("librankrt_two.so.1", Optional.empty()));
  }

  @Test
  void library_thatNeedsANeighbour_findsItInTheFolder() throws IOException {
    library("librankrt_three.so.1", "librankrt_three.so.1", "librankrt_four.so.1");
    library("librankrt_four.so.1", "librankrt_four.so.1");
    machine.open("librankrt_three.so.1", Optional.of(folder));
    machine.open("librankrt_four.so.1", Optional.empty());
  }

  @Test
  void link_isReportedAsTheFileBehindIt() throws IOException {
    library("librankrt_five.so.1.2.3", "librankrt_five.so.1");
    Files.createSymbolicLink(
        folder.resolve("librankrt_five.so.1"), Path.of("librankrt_five.so.1.2.3"));
    assertEquals(
        folder.toRealPath().resolve("librankrt_five.so.1.2.3"),
        machine.open("librankrt_five.so.1", Optional.of(folder)));
  }

  @Test
  void library_missing_leavesTheLinkersWords() {
    UnsatisfiedLinkError error =
        assertThrows(
            UnsatisfiedLinkError.class,
            () -> machine.open("librankrt_none.so.1", Optional.of(folder)));
    String reason = Search.reason(error);
    assertTrue(reason.startsWith("librankrt_none.so.1: "), reason);
    assertEquals(
        "libx.so.1: failed to map segment from shared object (is the folder mounted noexec?)",
        Search.reason(
            new UnsatisfiedLinkError(
                "/tmp/rankrt7.so: libx.so.1: failed to map segment from shared object")));
  }
}
