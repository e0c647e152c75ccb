package dev.rankrt;

import java.util.List;
import java.util.Objects;

/**
 * What a model says of one of its inputs or outputs. Immutable.
 *
 * @param name the name in the model
 * @param type the type of its elements in the model
 * @param shape its dimensions; a batch that the model fixes reads as a batch too, since sessions
 *     pad it
 */
public record TensorSpec(String name, DataType type, Shape shape) {
  /**
   * Creates a description.
   *
   * @param name the name in the model
   * @param type the type in the model
   * @param shape the dimensions
   */
  public TensorSpec {
    Objects.requireNonNull(name, "name");
    Objects.requireNonNull(type, "type");
    Objects.requireNonNull(shape, "shape");
  }

  /**
   * Returns a tensor's place by its name.
   *
   * @throws IllegalArgumentException if there is none, naming all that there are
   */
  static int indexOf(List<TensorSpec> specs, String kind, String name, Object model) {
    for (int i = 0; i < specs.size(); i++) {
      if (specs.get(i).name().equals(name)) {
        return i;
      }
    }
    throw new IllegalArgumentException(
        model + " has no " + kind + " '" + name + "'; it has " + specs);
  }

  @Override
  public String toString() {
    return "'" + name + "' " + type + shape;
  }
}
