package dev.rankrt.natives.internal;

import java.util.Locale;
import java.util.Optional;

/** The platforms that NVIDIA's libraries and the bindings exist for. Immutable. */
enum Platform {
  LINUX_X86_64("linux-x86_64", 62),
  LINUX_ARM64("linux-arm64", 183);

  /** The classifier of the bindings' jars. */
  final String classifier;

  /** {@code e_machine} of its executables. */
  final int elfMachine;

  Platform(String classifier, int elfMachine) {
    this.classifier = classifier;
    this.elfMachine = elfMachine;
  }

  /** Returns the platform of {@code os.name} and {@code os.arch}. */
  static Optional<Platform> of(String osName, String osArch) {
    if (!osName.toLowerCase(Locale.ROOT).startsWith("linux")) {
      return Optional.empty();
    }
    return switch (osArch.toLowerCase(Locale.ROOT)) {
      case "amd64", "x86_64" -> Optional.of(LINUX_X86_64);
      case "aarch64", "arm64" -> Optional.of(LINUX_ARM64);
      default -> Optional.empty();
    };
  }
}
