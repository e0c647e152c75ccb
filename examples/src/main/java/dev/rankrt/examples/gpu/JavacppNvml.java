package dev.rankrt.examples.gpu;

import static org.bytedeco.cuda.global.nvml.*;

import dev.rankrt.examples.gpu.GpuFacts.ComputeMode;
import java.net.URL;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.bytedeco.cuda.global.nvml;
import org.bytedeco.cuda.nvml.nvmlDevice_st;
import org.bytedeco.cuda.nvml.nvmlMemory_t;
import org.bytedeco.cuda.nvml.nvmlPciInfo_t;
import org.bytedeco.cuda.nvml.nvmlUtilization_t;
import org.bytedeco.javacpp.BytePointer;
import org.bytedeco.javacpp.Loader;

/**
 * NVIDIA's management library through the bindings. Every answer may be "not supported": a GeForce
 * has no ECC, a virtual GPU no clocks, and a driver may withhold anything from a container.
 *
 * <p>Only functions that drivers have had since CUDA 11 are called, by their exported names: a
 * missing symbol would end the process, not throw.
 */
final class JavacppNvml implements Nvml {
  private static final String LOAD_LIBRARIES = "org.bytedeco.javacpp.loadlibraries";

  /** Every class of the bindings that is touched here. */
  private static final List<Class<?>> USED =
      List.of(
          nvml.class,
          nvmlDevice_st.class,
          nvmlMemory_t.class,
          nvmlPciInfo_t.class,
          nvmlUtilization_t.class);

  private static final int TEXT_BYTES = 96;

  private final String driverVersion;
  private final List<nvmlDevice_st> devices;
  private boolean closed;

  private JavacppNvml(String driverVersion, List<nvmlDevice_st> devices) {
    this.driverVersion = driverVersion;
    this.devices = List.copyOf(devices);
  }

  static Nvml open() throws NvmlUnavailableException {
    load();
    require(nvmlInit_v2(), "NVML does not start");
    boolean success = false;
    try {
      byte[] version = new byte[TEXT_BYTES];
      require(
          nvmlSystemGetDriverVersion(version, version.length),
          "NVML does not tell the driver's version");
      int[] count = new int[1];
      require(nvmlDeviceGetCount_v2(count), "NVML does not tell how many GPUs there are");
      List<nvmlDevice_st> devices = new ArrayList<>();
      for (int index = 0; index < count[0]; index++) {
        nvmlDevice_st device = new nvmlDevice_st();
        require(
            nvmlDeviceGetHandleByIndex_v2(index, device),
            "NVML does not give access to GPU " + index);
        devices.add(device);
      }
      Nvml opened = new JavacppNvml(text(version), devices);
      success = true;
      return opened;
    } finally {
      if (!success) {
        nvmlShutdown();
      }
    }
  }

  /**
   * Loads the bindings of NVML alone. Left to itself, JavaCPP's loader would also load a {@code
   * libcudart} of its own choice, and RankRT's choice comes later.
   */
  private static synchronized void load() throws NvmlUnavailableException {
    String resource = "/org/bytedeco/cuda/" + Loader.getPlatform() + "/libjninvml.so";
    URL library = nvml.class.getResource(resource);
    if (library == null) {
      throw new NvmlUnavailableException(
          "NVML cannot be asked: the bindings have no " + resource, null);
    }
    try {
      // With its own library, which everything below stands on.
      Class.forName(BytePointer.class.getName());
      Loader.loadLibrary(nvml.class, new URL[] {library}, "jninvml");
      String before = System.getProperty(LOAD_LIBRARIES);
      System.setProperty(LOAD_LIBRARIES, "false");
      try {
        for (Class<?> used : USED) {
          Class.forName(used.getName());
        }
      } finally {
        if (before == null) {
          System.clearProperty(LOAD_LIBRARIES);
        } else {
          System.setProperty(LOAD_LIBRARIES, before);
        }
      }
    } catch (LinkageError | ClassNotFoundException e) {
      throw new NvmlUnavailableException("NVML cannot be loaded: " + reason(e), e);
    }
  }

  @Override
  public String source() {
    return "NVML";
  }

  @Override
  public String driverVersion() {
    return driverVersion;
  }

  @Override
  public synchronized List<GpuFacts> gpus() {
    requireOpen();
    List<GpuFacts> gpus = new ArrayList<>();
    for (int index = 0; index < devices.size(); index++) {
      gpus.add(facts(index, devices.get(index)));
    }
    return gpus;
  }

  private static GpuFacts facts(int index, nvmlDevice_st device) {
    byte[] name = new byte[TEXT_BYTES];
    boolean named = nvmlDeviceGetName(device, name, name.length) == NVML_SUCCESS;
    Optional<int[]> ecc =
        pair((current, pending) -> nvmlDeviceGetEccMode(device, current, pending));
    long[] eccErrors = new long[1];
    boolean eccCounted =
        nvmlDeviceGetTotalEccErrors(
                device, NVML_MEMORY_ERROR_TYPE_UNCORRECTED, NVML_VOLATILE_ECC, eccErrors)
            == NVML_SUCCESS;
    return new GpuFacts(
        index,
        named ? text(name) : "unnamed GPU",
        pciAddress(device),
        number(value -> nvmlDeviceGetPersistenceMode(device, value)).map(JavacppNvml::enabled),
        ecc.map(modes -> enabled(modes[0])),
        ecc.map(modes -> enabled(modes[1])),
        eccCounted ? Optional.of(eccErrors[0]) : Optional.empty(),
        pair((current, pending) -> nvmlDeviceGetMigMode(device, current, pending))
            .map(modes -> enabled(modes[0])),
        number(value -> nvmlDeviceGetComputeMode(device, value)).map(JavacppNvml::computeMode),
        number(value -> nvmlDeviceGetClockInfo(device, NVML_CLOCK_SM, value)),
        number(value -> nvmlDeviceGetMaxClockInfo(device, NVML_CLOCK_SM, value)),
        slowdowns(device),
        number(value -> nvmlDeviceGetEnforcedPowerLimit(device, value)).map(JavacppNvml::watts),
        number(value -> nvmlDeviceGetPowerManagementDefaultLimit(device, value))
            .map(JavacppNvml::watts),
        number(value -> nvmlDeviceGetCurrPcieLinkGeneration(device, value)),
        number(value -> nvmlDeviceGetMaxPcieLinkGeneration(device, value)),
        number(value -> nvmlDeviceGetCurrPcieLinkWidth(device, value)),
        number(value -> nvmlDeviceGetMaxPcieLinkWidth(device, value)),
        memory(device).map(Memory::total));
  }

  @Override
  public synchronized GpuSample sample(int index) {
    requireOpen();
    nvmlDevice_st device = devices.get(index);
    return new GpuSample(
        utilisation(device),
        memory(device).map(Memory::used),
        number(value -> nvmlDeviceGetClockInfo(device, NVML_CLOCK_SM, value)),
        number(value -> nvmlDeviceGetPowerUsage(device, value)).map(JavacppNvml::watts));
  }

  @Override
  public synchronized void close() {
    if (!closed) {
      closed = true;
      nvmlShutdown();
    }
  }

  private void requireOpen() {
    if (closed) {
      throw new IllegalStateException("closed");
    }
  }

  // ---- One question each ---------------------------------------------------------------------

  private record Memory(long total, long used) {}

  private static Optional<Memory> memory(nvmlDevice_st device) {
    try (nvmlMemory_t memory = new nvmlMemory_t()) {
      return nvmlDeviceGetMemoryInfo(device, memory) == NVML_SUCCESS
          ? Optional.of(new Memory(memory.total(), memory.used()))
          : Optional.empty();
    }
  }

  private static Optional<Integer> utilisation(nvmlDevice_st device) {
    try (nvmlUtilization_t rates = new nvmlUtilization_t()) {
      return nvmlDeviceGetUtilizationRates(device, rates) == NVML_SUCCESS
          ? Optional.of(rates.gpu())
          : Optional.empty();
    }
  }

  /** Drivers before 535 lack the name that the bindings for CUDA 13 want in place of this one. */
  @SuppressWarnings("deprecation")
  private static Optional<Long> slowdowns(nvmlDevice_st device) {
    long[] bits = new long[1];
    return nvmlDeviceGetCurrentClocksThrottleReasons(device, bits) == NVML_SUCCESS
        ? Optional.of(bits[0])
        : Optional.empty();
  }

  private static String pciAddress(nvmlDevice_st device) {
    try (nvmlPciInfo_t pci = new nvmlPciInfo_t()) {
      return nvmlDeviceGetPciInfo_v3(device, pci) == NVML_SUCCESS
          ? String.format("%04x:%02x:%02x.0", pci.domain(), pci.bus(), pci.device())
          : "";
    }
  }

  private interface Question {
    int ask(int[] value);
  }

  private interface PairQuestion {
    int ask(int[] first, int[] second);
  }

  private static Optional<Integer> number(Question question) {
    int[] value = new int[1];
    return question.ask(value) == NVML_SUCCESS ? Optional.of(value[0]) : Optional.empty();
  }

  private static Optional<int[]> pair(PairQuestion question) {
    int[] first = new int[1];
    int[] second = new int[1];
    return question.ask(first, second) == NVML_SUCCESS
        ? Optional.of(new int[] {first[0], second[0]})
        : Optional.empty();
  }

  private static boolean enabled(int feature) {
    return feature == NVML_FEATURE_ENABLED;
  }

  private static double watts(int milliwatts) {
    return Integer.toUnsignedLong(milliwatts) / 1000.0;
  }

  private static ComputeMode computeMode(int mode) {
    return switch (mode) {
      case NVML_COMPUTEMODE_PROHIBITED -> ComputeMode.PROHIBITED;
      case NVML_COMPUTEMODE_EXCLUSIVE_PROCESS, NVML_COMPUTEMODE_EXCLUSIVE_THREAD ->
          ComputeMode.EXCLUSIVE_PROCESS;
      default -> ComputeMode.DEFAULT;
    };
  }

  private static String text(byte[] chars) {
    int length = 0;
    while (length < chars.length && chars[length] != 0) {
      length++;
    }
    return new String(chars, 0, length, StandardCharsets.UTF_8);
  }

  private static void require(int code, String what) throws NvmlUnavailableException {
    if (code != NVML_SUCCESS) {
      throw new NvmlUnavailableException(what + ": " + nvmlErrorString(code).getString(), null);
    }
  }

  /** The linker's own words, which JavaCPP hides among the causes. */
  private static String reason(Throwable problem) {
    Throwable innermost = problem;
    while (innermost.getCause() != null) {
      innermost = innermost.getCause();
    }
    return String.valueOf(innermost.getMessage()).lines().findFirst().orElse("");
  }
}
