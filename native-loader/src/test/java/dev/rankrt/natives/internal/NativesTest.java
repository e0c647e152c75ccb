package dev.rankrt.natives.internal;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNotSame;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.rankrt.natives.LoadOptions;
import dev.rankrt.natives.NativeLoadException;
import dev.rankrt.natives.NativeRuntime;
import dev.rankrt.testing.Forked;
import java.io.File;
import java.io.IOException;
import java.lang.ref.Reference;
import java.nio.MappedByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;

class NativesTest {
  private static final LoadOptions OPTIONS =
      new LoadOptions(List.of(), true, true, Optional.empty());

  @TempDir Path folder;

  private static FakeMachine fitting() {
    FakeMachine machine = new FakeMachine();
    Presets presets = Presets.read();
    machine.driverVersion = presets.cudaMajor() * 1000;
    machine.runtimeVersion = presets.cudaMajor() * 1000;
    machine.tensorRtVersion =
        presets.tensorRt().major() * 10_000 + presets.tensorRt().minor() * 100;
    machine.files.add(FakeMachine.SYSTEM.resolve(presets.libcudart()));
    machine.files.add(FakeMachine.SYSTEM.resolve(presets.library("nvinfer")));
    return machine;
  }

  @Test
  void load_fromManyThreads_happensOnce() throws Exception {
    Natives.Once once = new Natives.Once();
    AtomicInteger machines = new AtomicInteger();
    ExecutorService threads = Executors.newFixedThreadPool(8);
    try {
      List<Future<Natives>> answers = new ArrayList<>();
      for (int i = 0; i < 8; i++) {
        answers.add(
            threads.submit(
                () ->
                    once.get(
                        OPTIONS,
                        () -> {
                          machines.incrementAndGet();
                          return fitting();
                        })));
      }
      for (Future<Natives> answer : answers) {
        assertSame(answers.get(0).get(), answer.get());
      }
    } finally {
      threads.shutdownNow();
    }
    assertEquals(1, machines.get());
  }

  @Test
  void load_thatFailed_failsAgainTheSameWay() {
    Natives.Once once = new Natives.Once();
    FakeMachine machine = fitting();
    machine.musl = true;
    NativeLoadException first =
        assertThrows(NativeLoadException.class, () -> once.get(OPTIONS, () -> machine));
    machine.musl = false;
    NativeLoadException second =
        assertThrows(
            NativeLoadException.class,
            () -> once.get(OPTIONS.withFolders(folder), NativesTest::fitting));
    assertEquals(first.getMessage(), second.getMessage());
    assertNotSame(first, second);
    assertSame(first.getCause(), second.getCause());
  }

  @Test
  void load_thatEndedInAnError_decidesNothing() {
    Natives.Once once = new Natives.Once();
    OutOfMemoryError error = new OutOfMemoryError("unable to create native thread");
    assertSame(
        error,
        assertThrows(
            OutOfMemoryError.class,
            () ->
                once.get(
                    OPTIONS,
                    () -> {
                      throw error;
                    })));
    assertNotNull(once.get(OPTIONS, NativesTest::fitting));
  }

  @Test
  void load_onAnInterruptedThread_succeedsAndKeepsTheFlag() {
    Natives.Once once = new Natives.Once();
    Thread.currentThread().interrupt();
    Natives natives;
    boolean kept;
    try {
      natives =
          once.get(
              OPTIONS,
              () -> {
                // As JavaCPP and Extraction do.
                try (FileChannel channel =
                        FileChannel.open(
                            folder.resolve("lock"),
                            StandardOpenOption.CREATE,
                            StandardOpenOption.WRITE);
                    FileLock lock = channel.lock()) {
                  return lock.isValid() ? fitting() : null;
                } catch (IOException e) {
                  throw new NativeLoadException("cannot be extracted: " + e, e);
                }
              });
    } finally {
      kept = Thread.interrupted();
    }
    assertNotNull(natives);
    assertTrue(kept);
  }

  @Test
  void bindings_ofAnotherRelease_areAnAnswerAndNotAnError() {
    Natives.Once once = new Natives.Once();
    NativeLoadException failure =
        assertThrows(
            NativeLoadException.class,
            () ->
                once.get(
                    OPTIONS,
                    () -> {
                      throw new NoSuchMethodError("cudaGraphLaunch");
                    }));
    assertTrue(failure.getMessage().contains("cudaGraphLaunch"), failure.getMessage());
    assertTrue(failure.getMessage().contains("of one release"), failure.getMessage());
  }

  /** Runs {@link Child} in a process of its own, with a libcuda.so.1 that holds nothing or none. */
  private String loadInAnotherProcess(boolean driver, String... properties) throws Exception {
    Path libraries = Files.createDirectories(folder.resolve("linker"));
    if (driver) {
      writeLibrary(libraries.resolve("libcuda.so.1"));
    }
    Forked.Result result =
        Forked.run(
            Map.of("LD_LIBRARY_PATH", libraries.toString()),
            System.getProperty("java.class.path"),
            List.of(properties),
            Child.class);
    assertEquals(0, result.exit(), result.output());
    assertTrue(result.output().contains("loadlibraries is null"), result.output());
    return result.output();
  }

  private static void writeLibrary(Path file) throws Exception {
    RealMachine machine = new RealMachine();
    int elf = Platform.of(machine.osName(), machine.osArch()).orElseThrow().elfMachine;
    Files.write(file, ElfShim.write(elf, file.getFileName().toString(), List.of(), ""));
  }

  @Test
  @EnabledOnOs(OS.LINUX)
  void thisMachine_withoutADriver_saysSo() throws Exception {
    String output = loadInAnotherProcess(false);
    if (new File("/dev/nvidiactl").exists()) {
      assertTrue(output.contains("NativeInfo[") || output.contains("wanted"), output);
    } else {
      assertTrue(output.contains("refused: no NVIDIA driver: found none (libcuda.so.1: "), output);
      assertTrue(output.contains("install NVIDIA's driver"), output);
    }
  }

  @Test
  @EnabledOnOs(OS.LINUX)
  void driver_withoutCudart_saysWhereItWasSought() throws Exception {
    Path empty = Files.createDirectories(folder.resolve("empty"));
    String output =
        loadInAnotherProcess(
            true,
            "-Ddev.rankrt.natives.system=false",
            "-Ddev.rankrt.natives.redist=false",
            "-Ddev.rankrt.natives.folders=" + empty);
    assertTrue(output.contains("refused: the CUDA runtime is missing: found none"), output);
    assertTrue(output.contains("tried folder " + empty + ": no libcudart.so."), output);
    assertTrue(output.contains("tried system: switched off"), output);
  }

  @Test
  @EnabledOnOs(OS.LINUX)
  void cudart_ofAnotherMajorVersion_isNamedWithItsFile() throws Exception {
    Path other = Files.createDirectories(folder.resolve("other"));
    writeLibrary(other.resolve("libcudart.so.9"));
    String output =
        loadInAnotherProcess(
            true, "-Ddev.rankrt.natives.system=false", "-Ddev.rankrt.natives.folders=" + other);
    assertTrue(output.contains("found " + other.resolve("libcudart.so.9")), output);
  }

  @Test
  @EnabledOnOs(OS.LINUX)
  void mappedFile_withANameThatTheLocaleLacks_isPassedOver() throws Exception {
    Path named = Files.createDirectories(folder.resolve("named"));
    String umlaut = "printf x > \"$0/$(printf '\\303\\274').so\"";
    assertEquals(
        0, new ProcessBuilder("sh", "-c", umlaut, named.toString()).inheritIO().start().waitFor());
    Forked.Result result =
        Forked.run(
            Map.of("LC_ALL", "C"),
            System.getProperty("java.class.path"),
            List.of(),
            Mapping.class,
            named.toString());
    assertEquals(0, result.exit(), result.output());
    assertTrue(result.output().contains("musl false"), result.output());
  }

  /**
   * Maps the only file of a folder, as the linker does with a library, and looks at the machine.
   */
  static final class Mapping {
    private Mapping() {}

    public static void main(String[] args) throws IOException {
      try (DirectoryStream<Path> files = Files.newDirectoryStream(Path.of(args[0]));
          FileChannel file = FileChannel.open(files.iterator().next())) {
        MappedByteBuffer mapped = file.map(FileChannel.MapMode.READ_ONLY, 0, 1);
        try {
          System.out.println("musl " + new RealMachine().musl());
        } finally {
          Reference.reachabilityFence(mapped);
        }
      }
    }
  }

  /** Loads for real and prints what came of it. */
  static final class Child {
    private Child() {}

    public static void main(String[] args) {
      try {
        System.out.println(NativeRuntime.load(LoadOptions.defaults()));
      } catch (NativeLoadException e) {
        System.out.println("refused: " + e.getMessage());
      }
      System.out.println(
          "loadlibraries is " + System.getProperty("org.bytedeco.javacpp.loadlibraries"));
    }
  }
}
