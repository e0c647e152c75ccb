package dev.rankrt.examples.doctor;

import dev.rankrt.examples.cli.CommonOptions;
import java.io.IOException;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.ExitCode;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Spec;

/** Checks this machine, see {@code --help}. */
@Command(
    name = "doctor",
    mixinStandardHelpOptions = true,
    sortOptions = false,
    description = "Says what on this machine costs latency, and how to change it; changes nothing.")
public final class DoctorCommand implements Callable<Integer> {
  @Spec private CommandSpec spec;

  @Mixin private CommonOptions common;

  @Override
  public Integer call() throws IOException {
    Diagnosis diagnosis = Doctor.diagnose(Machine.here());
    common.write(spec.commandLine().getOut(), diagnosis, diagnosis.text(common.verbose()));
    return diagnosis.worst() == Level.FAIL ? ExitCode.SOFTWARE : ExitCode.OK;
  }
}
