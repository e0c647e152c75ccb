package dev.rankrt;

import java.util.Objects;

/**
 * Where a model runs. Immutable.
 *
 * @param type the kind of device, or {@link Type#AUTO}
 * @param ordinal the GPU's number in this process; 0 for the other kinds
 */
public record Device(Type type, int ordinal) {

  /** Kinds of device. Immutable. */
  public enum Type {
    /** The first GPU where everything that it needs works, otherwise the CPU. */
    AUTO,
    /** An NVIDIA GPU. */
    GPU,
    /** The machine's processor. */
    CPU
  }

  /**
   * Creates a device.
   *
   * @param type the kind of device
   * @param ordinal the GPU's number
   * @throws IllegalArgumentException if the ordinal is negative, or not 0 for another kind
   */
  public Device {
    Objects.requireNonNull(type, "type");
    if (ordinal < 0 || (type != Type.GPU && ordinal != 0)) {
      throw new IllegalArgumentException("no such device: " + type + " " + ordinal);
    }
  }

  /**
   * Returns the choice of taking the first GPU where everything that it needs works, and the CPU
   * elsewhere. One line in the log says which it became and why.
   *
   * @return the choice, which {@link Engine#device()} never returns
   */
  public static Device auto() {
    return new Device(Type.AUTO, 0);
  }

  /**
   * Returns a GPU. Opening an engine on it fails, with the reason, where it cannot be used. RankRT
   * creates CUDA contexts on the GPUs that it is asked for alone. To that end, a thread that had no
   * context keeps the GPU current that it worked for.
   *
   * @param ordinal the GPU's number in this process, from 0
   * @return the device
   */
  public static Device gpu(int ordinal) {
    return new Device(Type.GPU, ordinal);
  }

  /**
   * Returns the machine's processor.
   *
   * @return the device
   */
  public static Device cpu() {
    return new Device(Type.CPU, 0);
  }

  @Override
  public String toString() {
    return switch (type) {
      case AUTO -> "auto";
      case GPU -> "gpu:" + ordinal;
      case CPU -> "cpu";
    };
  }
}
