package dev.rankrt.examples.doctor;

import java.util.ArrayList;
import java.util.List;

/** All checks, in the order of their findings. They look at a {@link Machine} and touch nothing. */
final class Doctor {
  private Doctor() {}

  static Diagnosis diagnose(Machine machine) {
    List<Finding> findings = new ArrayList<>();
    findings.addAll(DriverChecks.of(machine));
    findings.addAll(GpuChecks.of(machine));
    findings.addAll(LibraryChecks.of(machine));
    findings.addAll(CpuChecks.of(machine));
    findings.addAll(MemoryChecks.of(machine));
    findings.addAll(ContainerChecks.of(machine));
    findings.addAll(JvmChecks.of(machine));
    return Diagnosis.of(machine.now(), findings);
  }
}
