package dev.rankrt.examples.doctor;

import dev.rankrt.examples.gpu.GpuFacts;
import java.util.List;
import java.util.function.Function;
import java.util.stream.Collectors;

/** Words for some GPUs of a machine. */
final class Gpus {
  private Gpus() {}

  /** Returns such as {@code GPU 0, GPU 2}. */
  static String names(List<GpuFacts> gpus) {
    return each(gpus, gpu -> "");
  }

  /** Returns such as {@code GPU 0: 345 of 1980 MHz, GPU 1: 1980 of 1980 MHz}. */
  static String each(List<GpuFacts> gpus, Function<GpuFacts, String> what) {
    return gpus.stream()
        .map(
            gpu -> {
              String words = what.apply(gpu);
              return "GPU " + gpu.index() + (words.isEmpty() ? "" : ": " + words);
            })
        .collect(Collectors.joining(", "));
  }

  /** Returns such as {@code 0,2}, as {@code nvidia-smi -i} takes it. */
  static String numbers(List<GpuFacts> gpus) {
    return gpus.stream().map(gpu -> Integer.toString(gpu.index())).collect(Collectors.joining(","));
  }
}
