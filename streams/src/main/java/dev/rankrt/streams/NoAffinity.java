package dev.rankrt.streams;

import java.util.Optional;

/** Binds nothing, on purpose, and says why. Immutable. */
final class NoAffinity implements Affinity {
  private final String reason;

  NoAffinity(String reason) {
    this.reason = reason;
  }

  @Override
  public Optional<String> bind(CpuSet cpus) {
    return Optional.of(reason);
  }
}
