package dev.rankrt.examples.doctor;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class CgroupsTest {
  @TempDir Path root;

  private Cgroups groups() {
    return new Cgroups(new Tree(root));
  }

  private void write(String path, String text) throws IOException {
    Files.createDirectories(root.resolve(path).getParent());
    Files.writeString(root.resolve(path), text + "\n");
  }

  @Test
  void withoutControlGroups_thereIsNoVersionAndNoLimit() {
    assertEquals(Optional.empty(), groups().version());
    assertEquals(Optional.empty(), groups().memoryLimit());
    assertEquals(Optional.empty(), groups().processors());
  }

  @Test
  void inVersion2_theSmallestLimitAboveTheProcessCounts() throws IOException {
    write("proc/self/cgroup", "0::/a/b/c");
    write("sys/fs/cgroup/cgroup.controllers", "cpu memory");
    write("sys/fs/cgroup/a/memory.max", "3000000");
    write("sys/fs/cgroup/a/b/memory.max", "2000000");
    write("sys/fs/cgroup/a/b/c/memory.max", "max");
    write("sys/fs/cgroup/a/cpu.max", "150000 100000");
    write("sys/fs/cgroup/a/b/c/cpu.max", "max 100000");
    assertEquals(Optional.of(2), groups().version());
    assertEquals(Optional.of(2000000L), groups().memoryLimit());
    assertEquals(Optional.of(1.5), groups().processors());
  }

  @Test
  void aGroupOutsideOfTheContainer_isReadAtItsVisibleRoot() throws IOException {
    write("proc/self/cgroup", "0::/../../other");
    write("sys/fs/cgroup/cgroup.controllers", "cpu memory");
    write("sys/fs/cgroup/memory.max", "2000000");
    assertEquals(Optional.of(2000000L), groups().memoryLimit());
  }

  @Test
  void inVersion1_theLargestNumberIsNoLimit() throws IOException {
    write("proc/self/cgroup", "8:memory:/\n4:cpu,cpuacct:/");
    write("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712");
    write("sys/fs/cgroup/cpu/cpu.cfs_quota_us", "-1");
    write("sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000");
    assertEquals(Optional.of(1), groups().version());
    assertEquals(Optional.empty(), groups().memoryLimit());
    assertEquals(Optional.empty(), groups().processors());
  }

  @Test
  void swapIsForbidden_ifAnyGroupForbidsIt() throws IOException {
    write("proc/self/cgroup", "0::/a/b");
    write("sys/fs/cgroup/cgroup.controllers", "memory");
    write("sys/fs/cgroup/a/b/memory.swap.max", "max");
    assertFalse(groups().swapForbidden());
    write("sys/fs/cgroup/a/memory.swap.max", "0");
    assertTrue(groups().swapForbidden());
  }
}
