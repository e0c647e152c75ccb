package dev.rankrt.natives.internal;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.rankrt.testing.Forked;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.bytedeco.javacpp.BytePointer;
import org.bytedeco.javacpp.Pointer;
import org.junit.jupiter.api.Test;

/** In JVMs of their own: JavaCPP reads its limit once. */
class MemoryLimitTest {
  @Test
  void processOfAnySize_getsNativeObjects() throws Exception {
    assertEquals("limit 0, property null, allocated", Child.run());
  }

  @Test
  void limitOfTheHosts_standsAndIsExplained() throws Exception {
    for (String name : List.of("maxPhysicalBytes", "maxphysicalbytes")) {
      String output = Child.run("-Dorg.bytedeco.javacpp." + name + "=2m");
      assertTrue(output.startsWith("limit 2097152, "), output);
      assertTrue(
          output.contains(
              "refused: JavaCPP makes no more native objects: found a process that holds "),
          output);
      assertTrue(output.contains(" MiB, wanted one of at most 2 MiB; start Java with -D"), output);
    }
  }

  @Test
  void limitThatJavacppHasRead_stands() throws Exception {
    String output = Child.run("-Dfirst=true");
    assertTrue(output.endsWith(", property null, allocated"), output);
    assertFalse(output.startsWith("limit 0,"), output);
  }

  @Test
  void otherErrors_areNotExplained() {
    for (String message : new String[] {"Java heap space", "physicalBytes = 1M", null}) {
      assertEquals(Optional.empty(), MemoryLimit.explain(new OutOfMemoryError(message)));
    }
  }

  static final class Child {
    private Child() {}

    static String run(String... properties) throws Exception {
      List<String> options = new ArrayList<>(List.of(properties));
      options.add("-Dorg.bytedeco.javacpp.maxRetries=1");
      Forked.Result result =
          Forked.run(System.getProperty("java.class.path"), options, Child.class);
      assertEquals(0, result.exit(), result.output());
      return result.output().lines().reduce((first, last) -> last).orElseThrow();
    }

    public static void main(String[] args) {
      if (Boolean.getBoolean("first")) {
        Pointer.maxPhysicalBytes();
      }
      new RealMachine().prepareJavacpp();
      String found =
          "limit "
              + Pointer.maxPhysicalBytes()
              + ", property "
              + System.getProperty("org.bytedeco.javacpp.maxPhysicalBytes");
      try (BytePointer bytes = new BytePointer(8)) {
        System.out.println(found + (bytes.isNull() ? "" : ", allocated"));
      } catch (OutOfMemoryError e) {
        if (MemoryLimit.explain(new OutOfMemoryError("Java heap space")).isPresent()) {
          throw new AssertionError("the heap's end has nothing to do with it", e);
        }
        System.out.println(
            found + ", refused: " + MemoryLimit.explain(e).orElseThrow().getMessage());
      }
    }
  }
}
