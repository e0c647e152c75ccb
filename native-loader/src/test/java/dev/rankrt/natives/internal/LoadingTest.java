package dev.rankrt.natives.internal;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.rankrt.natives.LoadOptions;
import dev.rankrt.natives.NativeInfo;
import dev.rankrt.natives.NativeLoadException;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.junit.jupiter.api.Test;

/** Every machine that loading may meet, none of which needs to be here. */
class LoadingTest {
  private static final Path OPT = Path.of("/opt/trt");
  private static final String REDIST = "org/bytedeco/tensorrt/linux-x86_64/";

  private final FakeMachine machine = new FakeMachine();
  private LoadOptions options = new LoadOptions(List.of(), true, true, Optional.empty());

  private Loading loading() {
    return new Loading(machine, options, machine.presets);
  }

  /** Returns the message of the failure, after checking that it says all of what is expected. */
  private void assertRefused(String... parts) {
    NativeLoadException failure = assertThrows(NativeLoadException.class, () -> loading().load());
    assertSays(failure, parts);
  }

  private static void assertSays(NativeLoadException failure, String... parts) {
    for (String part : parts) {
      assertTrue(failure.getMessage().contains(part), () -> part + " in " + failure.getMessage());
    }
    assertTrue(failure.getMessage().contains("found"), failure::getMessage);
    assertTrue(failure.getMessage().contains("wanted"), failure::getMessage);
  }

  private static void remove(Set<Path> files, String name) {
    assertTrue(files.removeIf(file -> file.endsWith(name)), name);
  }

  private void install(Path folder, String... names) {
    for (String name : names) {
      machine.files.add(folder.resolve(name));
    }
  }

  @Test
  void machine_withEverything_isReported() {
    install(FakeMachine.SYSTEM, "libnvonnxparser.so.10", "libnvinfer_plugin.so.10");
    NativeInfo info = loading().load();
    assertEquals("linux-x86_64", info.platform());
    assertEquals("12.9", info.driverCuda());
    assertEquals("12.6", info.cudaRuntime());
    assertEquals("10.6.0", info.tensorRt());
    assertTrue(info.parserFound());
    assertTrue(info.pluginsLoaded());
    assertEquals(
        FakeMachine.SYSTEM.resolve("libnvinfer.so.10"), info.files().get("libnvinfer.so.10"));
    assertFalse(machine.bound.contains(Machine.Jni.PARSER), "the parser waits for a build");
    assertEquals(
        List.of("cudart@.12=" + FakeMachine.SYSTEM.resolve("libcudart.so.12")), machine.adopted);
  }

  @Test
  void machine_thatIsNotLinux_isRefused() {
    machine.osName = "Windows 11";
    assertRefused("Windows 11 on amd64", "Linux on x86-64 or arm64", "CPU");
    machine.osName = "Linux";
    machine.osArch = "ppc64le";
    assertRefused("Linux on ppc64le");
  }

  @Test
  void java_onMusl_isRefused() {
    machine.musl = true;
    assertRefused("musl", "glibc", "Debian");
  }

  @Test
  void bindings_withoutTheirNativePart_areNamed() {
    Map<String, String> artifacts =
        Map.of(
            "org/bytedeco/javacpp/linux-x86_64/libjnijavacpp.so",
            "org.bytedeco:javacpp with the classifier linux-x86_64",
            Machine.Jni.CUDA.resource(Platform.LINUX_X86_64),
            "org.bytedeco:cuda:12.6-9.5-1.5.11 with the classifier linux-x86_64",
            Machine.Jni.TENSORRT.resource(Platform.LINUX_X86_64),
            "org.bytedeco:tensorrt:10.6-1.5.11 with the classifier linux-x86_64");
    artifacts.forEach(
        (resource, artifact) -> {
          machine.resources.remove(resource);
          NativeLoadException failure =
              assertThrows(NativeLoadException.class, () -> loading().load());
          assertTrue(failure.getMessage().contains(artifact), failure::getMessage);
          assertTrue(failure.getMessage().contains("holds no " + resource), failure::getMessage);
          assertEquals(List.of(), machine.opened, "nothing is loaded that cannot be used");
          machine.resources.add(resource);
        });
  }

  @Test
  void arm_usesItsOwnBindings() {
    machine.osArch = "aarch64";
    NativeLoadException failure = assertThrows(NativeLoadException.class, () -> loading().load());
    assertTrue(failure.getMessage().contains("classifier linux-arm64"), failure.getMessage());
  }

  @Test
  void driver_missing_saysInstall() {
    remove(machine.files, "libcuda.so.1");
    assertRefused("no NVIDIA driver", "libcuda.so.1: cannot open", "CUDA 12", "install", "CPU");
  }

  @Test
  void driver_hiddenFromContainer_saysHowToShowIt() {
    remove(machine.files, "libcuda.so.1");
    machine.files.add(Path.of("/dev/nvidiactl"));
    assertRefused("/dev/nvidiactl", "NVIDIA_DRIVER_CAPABILITIES");
  }

  @Test
  void driver_olderThanTheRuntimeNeeds_isRefused() {
    machine.driverVersion = 11080;
    assertRefused("too old", "CUDA 11.8", "CUDA 12.0 or newer", "12.6", "update the driver");
  }

  @Test
  void driver_ofTheSameMajorVersion_serves() {
    machine.driverVersion = 12000;
    assertEquals("12.0", loading().load().driverCuda());
  }

  @Test
  void cudart_missing_listsEveryPlace() {
    remove(machine.files, "libcudart.so.12");
    machine.environment.put("LD_LIBRARY_PATH", "/a:/b");
    options = options.withFolders(OPT);
    assertRefused(
        "found none",
        "libcudart.so.12 (CUDA 12)",
        "tried folder /opt/trt: no libcudart.so.12",
        "tried system (LD_LIBRARY_PATH=/a:/b): libcudart.so.12: cannot open",
        "tried redist jars: no libcudart.so.12 on the class path",
        "org.bytedeco:cuda-redist");
  }

  @Test
  void cudart_ofAnotherMajorVersion_isNamed() {
    remove(machine.files, "libcudart.so.12");
    install(FakeMachine.SYSTEM, "libcudart.so.13");
    assertRefused("found " + FakeMachine.SYSTEM + "/libcudart.so.13", "libcudart.so.12");
  }

  @Test
  void gpu_absent_isRefusedBeforeTensorRtIsTouched() {
    machine.environment.put("CUDA_VISIBLE_DEVICES", "7");
    machine.cuda.failNext("deviceCount", 100, "cudaErrorNoDevice");
    assertRefused("CUDA does not start", "cudaErrorNoDevice", "CUDA_VISIBLE_DEVICES, which is '7'");
    assertFalse(machine.bound.contains(Machine.Jni.TENSORRT));
  }

  @Test
  void gpu_absentWhereAllAreVisible_blamesNoVariable() {
    machine.cuda.failNext("deviceCount", 100, "cudaErrorNoDevice");
    String message = assertThrows(NativeLoadException.class, () -> loading().load()).getMessage();
    assertTrue(message.endsWith("check nvidia-smi, --gpus of the container"), message);
  }

  @Test
  void driver_unlikeItsKernelModule_saysReboot() {
    machine.cuda.failNext("deviceCount", 803, "cudaErrorSystemDriverMismatch");
    assertRefused("cudaErrorSystemDriverMismatch", "reboot");
  }

  @Test
  void tensorRt_missing_listsEveryPlace() {
    remove(machine.files, "libnvinfer.so.10");
    assertRefused(
        "TensorRT is missing",
        "found none",
        "libnvinfer.so.10 (TensorRT 10.6.0 or a later 10.x)",
        "tried system",
        "tried redist jars",
        "org.bytedeco:tensorrt:10.6-1.5.11 with the classifier linux-x86_64-redist");
  }

  @Test
  void tensorRt_ofAnotherMajorVersionInSystem_isNamed() {
    remove(machine.files, "libnvinfer.so.10");
    install(FakeMachine.SYSTEM, "libnvinfer.so.11", "libnvinfer.so.11.2.1");
    assertRefused("another TensorRT", "libnvinfer.so.11.2.1", "wanted libnvinfer.so.10");
  }

  @Test
  void tensorRt_ofAnotherMajorVersionInFolder_isNamed() {
    remove(machine.files, "libnvinfer.so.10");
    install(OPT, "libnvinfer.so.11");
    options = options.withFolders(OPT).withSystem(true);
    assertRefused("another TensorRT: found /opt/trt/libnvinfer.so.11");
  }

  @Test
  void tensorRt_ofAnotherMajorVersionInRedistJar_isNamed() {
    remove(machine.files, "libnvinfer.so.10");
    machine.resources.add(REDIST + "libnvinfer.so.11");
    assertRefused("another TensorRT: found a redist jar with libnvinfer.so.11");
  }

  @Test
  void tensorRt_olderThanTheBindings_isRefused() {
    machine.tensorRtVersion = 100300;
    assertRefused("another TensorRT: found 10.3.0", "10.6.0 or a later 10.x");
    machine.tensorRtVersion = 101501;
    assertEquals("10.15.1", loading().load().tensorRt());
  }

  @Test
  void bindings_thatDoNotLink_areAnAnswerAndNotAnError() {
    machine.bindRefuses.put(Machine.Jni.TENSORRT, "libjninvinfer.so: undefined symbol: x");
    assertRefused("undefined symbol: x", "jars of one version");
    machine.bindRefuses.put(
        Machine.Jni.TENSORRT, "Native Library x already loaded in another classloader");
    assertRefused("another class loader of this process");
    machine.bindRefuses.put(Machine.Jni.TENSORRT, "failed to map segment from shared object");
    assertRefused("failed to map segment", "cachedir", "noexec");
  }

  @Test
  void plugins_thatDoNotLoad_costAWarningOnly() {
    install(FakeMachine.SYSTEM, "libnvinfer_plugin.so.10");
    machine.bindRefuses.put(Machine.Jni.PLUGINS, "undefined symbol: y");
    assertFalse(loading().load().pluginsLoaded());
  }

  @Test
  void places_areTriedInOrder() {
    install(OPT, "libcudart.so.12", "libnvinfer.so.10");
    machine.resources.add(REDIST + "libnvinfer.so.10");
    options = options.withFolders(Path.of("/nowhere"), OPT);
    assertEquals(OPT.resolve("libnvinfer.so.10"), loading().load().files().get("libnvinfer.so.10"));

    options = new LoadOptions(List.of(), true, true, Optional.empty());
    assertEquals(
        FakeMachine.SYSTEM.resolve("libnvinfer.so.10"),
        loading().load().files().get("libnvinfer.so.10"));

    machine.resources.add("org/bytedeco/cuda/linux-x86_64/libcudart.so.12");
    options = options.withSystem(false);
    assertEquals(
        FakeMachine.CACHE.resolve("libnvinfer.so.10"),
        loading().load().files().get("libnvinfer.so.10"));
  }

  @Test
  void places_switchedOff_areNotTried() {
    options = options.withFolders(OPT).withSystem(false).withRedistJars(false);
    assertRefused("tried system: switched off", "tried redist jars: switched off");
  }

  @Test
  void folder_withVersionedNameOnly_serves() {
    install(OPT, "libcudart.so.12.6.77", "libnvinfer.so.10.6.0");
    options = options.withFolders(OPT).withSystem(false);
    assertEquals(
        OPT.resolve("libnvinfer.so.10.6.0"), loading().load().files().get("libnvinfer.so.10"));
  }

  @Test
  void folder_withSeveralVersionsAndNoLink_servesTheNewestOfEach() {
    install(
        OPT,
        "libcudart.so.12.10.3",
        "libcudart.so.12.6.77",
        "libnvinfer.so.10.15.1",
        "libnvinfer.so.10.15.1.bak",
        "libnvinfer.so.10.20.0.bak",
        "libnvinfer.so.10.6.0",
        "libnvinfer.so.10.9.0",
        "libnvinfer.so.100.0.0");
    options = options.withFolders(OPT);
    NativeInfo info = loading().load();
    assertEquals(OPT.resolve("libcudart.so.12.10.3"), info.files().get("libcudart.so.12"));
    assertEquals(OPT.resolve("libnvinfer.so.10.15.1"), info.files().get("libnvinfer.so.10"));
  }

  @Test
  void folder_withSeveralVersions_mixesNone() {
    for (String version : List.of("10.15.1", "10.6.0", "10.9.0")) {
      install(
          OPT,
          "libnvinfer.so." + version,
          "libnvinfer_plugin.so." + version,
          "libnvonnxparser.so." + version);
    }
    // What a package manager of other versions left.
    install(OPT, "libnvonnxparser.so.10");
    machine.tensorRtVersion = 101501;
    options = options.withFolders(OPT);
    Loading loading = loading();
    NativeInfo info = loading.load();
    assertTrue(info.parserFound());
    assertEquals(
        OPT.resolve("libnvinfer_plugin.so.10.15.1"), info.files().get("libnvinfer_plugin.so.10"));
    loading.loadForBuilding();
    assertEquals(
        List.of(OPT + "/libnvonnxparser.so.10.15.1"),
        machine.opened.stream().filter(file -> file.contains("parser")).toList());
  }

  @Test
  void folder_withParserAndPluginsOfAnotherVersion_isNotMixedWithThoseNorWithTheSystems() {
    install(
        OPT, "libnvinfer.so.10.15.1", "libnvinfer_plugin.so.10.6.0", "libnvonnxparser.so.10.6.0");
    install(FakeMachine.SYSTEM, "libnvinfer_plugin.so.10", "libnvonnxparser.so.10");
    machine.tensorRtVersion = 101501;
    options = options.withFolders(OPT);
    Loading loading = loading();
    NativeInfo info = loading.load();
    assertFalse(info.parserFound());
    assertFalse(info.pluginsLoaded());
    assertSays(
        assertThrows(NativeLoadException.class, loading::loadForBuilding),
        "found TensorRT 10.15.1 (" + OPT + "/libnvinfer.so.10.15.1)",
        "folder /opt/trt: no libnvonnxparser.so.10.15.1, but libnvonnxparser.so.10.6.0");
    remove(machine.files, "libnvonnxparser.so.10.6.0");
    assertSays(
        assertThrows(NativeLoadException.class, loading::loadForBuilding),
        "folder /opt/trt: no libnvonnxparser.so.10.15.1; install it");
  }

  @Test
  void installersFolder_unknownToTheLinker_serves() {
    remove(machine.files, "libnvinfer.so.10");
    Path usual = Path.of("/usr/local/tensorrt/lib");
    install(usual, "libnvinfer.so.10");
    assertEquals(
        usual.resolve("libnvinfer.so.10"), loading().load().files().get("libnvinfer.so.10"));
  }

  @Test
  void cache_thatNothingCanBeWrittenTo_isTheReason() {
    remove(machine.files, "libnvinfer.so.10");
    machine.resources.add(REDIST + "libnvinfer.so.10");
    machine.cacheRefuses = "no folder to extract to: /home/me: Read-only file system";
    assertRefused("cannot be extracted: no folder to extract to", "Read-only file system");
  }

  @Test
  void building_fromRedistJar_extractsParserAndResource() {
    remove(machine.files, "libnvinfer.so.10");
    for (String name :
        List.of(
            "libnvinfer.so.10", "libnvonnxparser.so.10", "libnvinfer_builder_resource.so.10.6.0")) {
      machine.resources.add(REDIST + name);
    }
    Loading loading = loading();
    assertTrue(loading.load().parserFound());
    assertFalse(machine.files.contains(FakeMachine.CACHE.resolve("libnvonnxparser.so.10")));

    loading.loadForBuilding();
    loading.loadForBuilding();
    assertTrue(machine.bound.contains(Machine.Jni.PARSER));
    String resource = FakeMachine.CACHE + "/libnvinfer_builder_resource.so.10.6.0";
    assertEquals(1, machine.opened.stream().filter(resource::equals).count());
  }

  @Test
  void building_fromFolder_opensEveryResourceOfThatVersion() {
    install(
        OPT,
        "libcudart.so.12",
        "libnvinfer.so.10",
        "libnvonnxparser.so.10",
        "libnvinfer_builder_resource.so.10.5.0",
        "libnvinfer_builder_resource.so.10.6.0",
        "libnvinfer_builder_resource_sm90.so.10.6.0");
    options = options.withFolders(OPT);
    Loading loading = loading();
    loading.load();
    loading.loadForBuilding();
    assertEquals(
        List.of(
            OPT + "/libnvinfer_builder_resource.so.10.6.0",
            OPT + "/libnvinfer_builder_resource_sm90.so.10.6.0"),
        machine.opened.stream().filter(file -> file.contains("resource")).toList());
  }

  @Test
  void building_withoutParser_saysWhatToInstall() {
    Loading loading = loading();
    assertFalse(loading.load().parserFound());
    NativeLoadException failure = assertThrows(NativeLoadException.class, loading::loadForBuilding);
    assertSays(failure, "libnvonnxparser.so.10", "same installation", "libnvonnxparsers10");
  }

  @Test
  void building_withoutRoomForTheResource_saysSo() {
    remove(machine.files, "libnvinfer.so.10");
    for (String name :
        List.of(
            "libnvinfer.so.10", "libnvonnxparser.so.10", "libnvinfer_builder_resource.so.10.6.0")) {
      machine.resources.add(REDIST + name);
    }
    machine.cacheRefuses = "No space left on device";
    machine.cacheRefusesOnly = "builder_resource";
    Loading loading = loading();
    loading.load();
    assertSays(
        assertThrows(NativeLoadException.class, loading::loadForBuilding),
        "builder resource",
        "No space left on device",
        "cacheFolder");
    machine.cacheRefuses = "";
    loading.loadForBuilding();
    assertTrue(machine.bound.contains(Machine.Jni.PARSER), "room was made: tried again");
  }

  private NativeLoadException noBuilder(String... log) {
    Loading loading = loading();
    loading.load();
    return loading.explainNullBuilder(
        new Cuda.DeviceProperties(0, "NVIDIA H200", 9, 0, 132, 1L << 37, "0000:3b:00.0", false),
        List.of(log));
  }

  @Test
  void builder_withoutAnyResource_isExplained() {
    assertSays(
        noBuilder("Unable to load library"),
        "NVIDIA H200 (sm90)",
        "found builder resources: none",
        "wanted libnvinfer_builder_resource.so.10.6.0 or libnvinfer_builder_resource_sm90.so.10.6.0",
        "TensorRT said: Unable to load library",
        "load a plan");
  }

  @Test
  void builder_withResourcesOfOtherGpus_isExplained() {
    install(
        FakeMachine.SYSTEM,
        "libnvinfer_builder_resource_ptx.so.10.6.0",
        "libnvinfer_builder_resource_sm80.so.10.6.0");
    assertSays(
        noBuilder(),
        "_ptx.so.10.6.0, " + FakeMachine.SYSTEM + "/libnvinfer_builder_resource_sm80.so.10.6.0",
        "wanted libnvinfer_builder_resource.so.10.6.0");
    assertFalse(noBuilder().getMessage().contains("TensorRT said"), "it said nothing");
  }

  @Test
  void builder_withResourceOfAnotherVersion_isExplained() {
    machine.environment.put("LD_LIBRARY_PATH", OPT + ":");
    install(OPT, "libnvinfer_builder_resource.so.10.5.0");
    assertSays(noBuilder(), "/opt/trt/libnvinfer_builder_resource.so.10.5.0", "wanted");
  }

  @Test
  void builder_thatFailsThoughItsResourceIsThere_doesNotBlameIt() {
    install(FakeMachine.SYSTEM, "libnvinfer_builder_resource_sm90.so.10.6.0");
    String message = noBuilder("out of memory").getMessage();
    assertTrue(message.contains("one of which should serve"), message);
    assertTrue(message.contains("TensorRT said: out of memory"), message);
  }

  @Test
  void library_setAsideWithItsDate_isNamedAndNoTrouble() {
    remove(machine.files, "libcudart.so.12");
    install(OPT, "libcudart.so.20240131120000");
    options = options.withFolders(OPT);
    assertRefused("the CUDA runtime is missing", "found " + OPT + "/libcudart.so.20240131120000");
  }
}
