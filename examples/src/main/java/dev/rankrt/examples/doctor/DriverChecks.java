package dev.rankrt.examples.doctor;

import dev.rankrt.examples.doctor.Machine.Driver;
import java.time.LocalDate;
import java.time.Period;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.time.format.DateTimeParseException;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Is there a GPU, and the right driver for it? */
final class DriverChecks {
  private static final Check PRESENT =
      new Check(Group.GPU, "present", "GPU", "Without one, models run on the CPU, in FP32.");
  private static final Check NOUVEAU =
      new Check(
          Group.GPU,
          "nouveau",
          "nouveau",
          "The kernel's own driver for NVIDIA's cards knows no CUDA, and keeps NVIDIA's from the"
              + " card.");
  private static final Check DRIVER =
      new Check(
          Group.GPU,
          "driver",
          "driver",
          "CUDA 12 needs 525.60.13 or newer; newer branches launch faster and fix hangs.");

  private static final int[] OLDEST = {525, 60, 13};
  private static final String OLDEST_TEXT = "525.60.13";

  /** A production branch gets fixes for a year, and the next one is out by then. */
  private static final Period OLD = Period.ofMonths(18);

  private static final String INSTALL =
      "from NVIDIA's repository, RHEL 8 and 9: sudo dnf module install nvidia-driver:open-dkms, RHEL"
          + " 10: sudo dnf install nvidia-open, Ubuntu: sudo apt install nvidia-open; then reboot";

  /** Such as {@code Wed Aug 27 09:12:05 UTC 2025}, at the end of a line. */
  private static final Pattern BUILT =
      Pattern.compile("(\\w{3}) +(\\d{1,2}) \\d\\d:\\d\\d:\\d\\d \\w+ (\\d{4})$");

  private static final DateTimeFormatter DAY =
      DateTimeFormatter.ofPattern("MMM d uuuu", Locale.ENGLISH);

  private DriverChecks() {}

  static List<Finding> of(Machine machine) {
    return List.of(present(machine), nouveau(machine), driver(machine));
  }

  private static Finding present(Machine machine) {
    if (!machine.gpus().isEmpty()) {
      return PRESENT.ok(Gpus.each(machine.gpus(), gpu -> gpu.name() + " at " + gpu.pciAddress()));
    }
    if (!machine.topology().gpus().isEmpty()) {
      return PRESENT.ok("NVIDIA at " + String.join(", ", machine.topology().gpus()));
    }
    return PRESENT.skip("none of NVIDIA's on the PCI bus");
  }

  private static Finding nouveau(Machine machine) {
    if (!machine.tree().exists("sys/module/nouveau")) {
      return NOUVEAU.ok("not loaded");
    }
    String fix =
        "printf 'blacklist nouveau\\noptions nouveau modeset=0\\n' | sudo tee"
            + " /etc/modprobe.d/nouveau.conf; RHEL: sudo dracut --force, Ubuntu: sudo"
            + " update-initramfs -u; then reboot";
    return machine.tree().exists("sys/module/nvidia")
        ? NOUVEAU.warn("loaded, beside NVIDIA's driver", fix)
        : NOUVEAU.fail("loaded, and NVIDIA's driver is not", fix);
  }

  private static Finding driver(Machine machine) {
    if (!machine.hasGpu()) {
      return DRIVER.skip("no GPU for one");
    }
    if (machine.driver().value().isEmpty()) {
      return noDriver(machine.tree(), machine.driver().problem());
    }
    Driver driver = machine.driver().value().get();
    Optional<LocalDate> built = built(machine.tree());
    String found =
        driver.version()
            + built.map(date -> ", built " + date).orElse(", build date not shown")
            + " (asked through "
            + driver.source()
            + ")";
    if (isTooOld(driver.version())) {
      return DRIVER.fail(found + ", older than " + OLDEST_TEXT, INSTALL);
    }
    LocalDate limit = LocalDate.ofInstant(machine.now(), ZoneOffset.UTC).minus(OLD);
    return built.filter(date -> date.isBefore(limit)).isPresent()
        ? DRIVER.warn(found + ", over 18 months ago", INSTALL)
        : DRIVER.ok(found);
  }

  private static Finding noDriver(Tree tree, String problem) {
    if (problem.toLowerCase(Locale.ROOT).contains("version mismatch")) {
      return DRIVER.fail(
          "the driver's libraries were updated, the kernel still runs the old one: " + problem,
          "sudo reboot");
    }
    if (tree.exists("sys/module/nvidia")) {
      return tree.exists("dev/nvidiactl")
          ? DRIVER.fail("loaded, and does not answer: " + problem, "sudo dmesg | grep -i nvrm")
          : DRIVER.fail(
              "loaded on the host, hidden from this container: " + problem,
              "docker run --gpus all ..., with the NVIDIA container toolkit on the host");
    }
    return DRIVER.fail(
        "not loaded: " + problem, "sudo modprobe nvidia; if it is missing: " + INSTALL);
  }

  /** The kernel module says when it was built; the management library does not. */
  private static Optional<LocalDate> built(Tree tree) {
    for (String line : tree.lines("proc/driver/nvidia/version")) {
      Matcher date = BUILT.matcher(line.strip());
      if (line.startsWith("NVRM") && date.find()) {
        try {
          return Optional.of(
              LocalDate.parse(date.group(1) + " " + date.group(2) + " " + date.group(3), DAY));
        } catch (DateTimeParseException e) {
          return Optional.empty();
        }
      }
    }
    return Optional.empty();
  }

  private static boolean isTooOld(String version) {
    try {
      int[] parts = Arrays.stream(version.split("\\.", -1)).mapToInt(Integer::parseInt).toArray();
      return Arrays.compare(parts, OLDEST) < 0;
    } catch (NumberFormatException e) {
      return false;
    }
  }
}
