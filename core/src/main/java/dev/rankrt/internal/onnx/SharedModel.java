package dev.rankrt.internal.onnx;

import dev.rankrt.DataType;
import dev.rankrt.EngineOptions.Columns;
import dev.rankrt.ModelException;
import dev.rankrt.TensorSpec;
import dev.rankrt.internal.Signature;
import dev.rankrt.internal.Signature.Declared;
import dev.rankrt.internal.onnx.OnnxGraph.Dimension;
import dev.rankrt.internal.onnx.OnnxGraph.Input;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.channels.ReadableByteChannel;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;

/**
 * An ONNX model that was rewritten for one user and many candidates, to be read instead of its
 * file. Its inputs are the candidates', in the model's order, and behind them the user's, with one
 * row; where the model's batch is fixed, one that has it comes first. One thread at a time.
 */
public final class SharedModel implements ReadableByteChannel {
  /** Before, attributes were what are inputs today, and Gemm could not do without a bias. */
  private static final long OLDEST_OPSET = 11;

  private final Path model;
  private final ProtoFile file;
  private final Pieces rewritten;
  private long position;
  private boolean open = true;

  private SharedModel(Path model, ProtoFile file, Pieces rewritten) {
    this.model = model;
    this.file = file;
    this.rewritten = rewritten;
  }

  /**
   * Rewrites a model.
   *
   * @param shared the inputs that are the user's, whole where there are no columns
   * @throws IllegalArgumentException if the model does not have such inputs
   * @throws ModelException if the file is no ONNX model, or cannot be rewritten
   */
  public static SharedModel open(Path model, Map<String, List<Columns>> shared) {
    OnnxFile.requireServable(model);
    ProtoFile file = null;
    boolean success = false;
    try {
      file = ProtoFile.open(model);
      SharedModel opened = new SharedModel(model, file, rewritten(model, file, shared));
      success = true;
      return opened;
    } catch (IOException e) {
      throw OnnxFile.unreadable(model, e);
    } catch (IndexOutOfBoundsException | ArithmeticException | NegativeArraySizeException e) {
      throw new ModelException(
          model.toAbsolutePath() + " has operators whose shapes do not fit; export it again", e);
    } finally {
      if (!success) {
        close(file);
      }
    }
  }

  /** Returns the name of the input that takes the user's columns of another one. */
  public static String userPartOf(String input) {
    return input + LateBroadcast.USER;
  }

  /** Returns the name in the model of a layer that became several, or the name as it is. */
  public static String layerOf(String name) {
    for (String suffix : List.of(LateBroadcast.USER, LateBroadcast.BOTH)) {
      if (name.endsWith(suffix)) {
        return name.substring(0, name.length() - suffix.length());
      }
    }
    return name;
  }

  private static Pieces rewritten(Path model, ProtoFile file, Map<String, List<Columns>> shared)
      throws IOException {
    OnnxGraph graph = OnnxGraph.read(file);
    if (graph.opset < OLDEST_OPSET) {
      throw new ModelException(
          model
              + " is of opset "
              + graph.opset
              + "; inputs can be shared from opset "
              + OLDEST_OPSET
              + " on: export it again");
    }
    List<Input> inputs =
        graph.inputs.stream()
            .filter(input -> !graph.initializers.containsKey(input.name()))
            .toList();
    List<Declared> declared = inputs.stream().map(SharedModel::declared).toList();
    Signature signature = Signature.of(model, declared, declared);
    requireShareable(model, signature, shared);

    String candidates =
        signature.inputs().stream()
            .filter(spec -> spec.shape().hasBatch() && !isWhollyShared(spec.name(), shared))
            .findFirst()
            .orElseThrow()
            .name();
    LateBroadcast pass = new LateBroadcast(file, graph, signature.fixedBatch(), candidates);
    List<Input> candidatesInputs = new ArrayList<>();
    List<Input> usersInputs = new ArrayList<>();
    for (int i = 0; i < inputs.size(); i++) {
      Input input = inputs.get(i);
      TensorSpec spec = signature.inputs().get(i);
      List<Columns> columns = shared.get(input.name());
      if (columns == null) {
        candidatesInputs.add(input);
        pass.input(input.name(), spec.shape().hasBatch(), input.dimensions());
        continue;
      }
      if (pass.isReadElsewhere(input.name())) {
        throw new ModelException(
            model
                + ": input "
                + spec
                + " cannot be shared: the model gives it back, or reads it in a branch or a loop");
      }
      if (columns.isEmpty()) {
        usersInputs.add(input.with(input.name(), oneRow(input.dimensions())));
        pass.sharedInput(input.name(), input.dimensions());
      } else {
        share(model, pass, input, spec, columns, candidatesInputs, usersInputs);
      }
    }
    if (signature.fixedBatch() > 0) {
      leadWith(candidates, candidatesInputs);
    }
    List<Input> all = new ArrayList<>(candidatesInputs);
    all.addAll(usersInputs);
    graph.inputs.stream().filter(input -> !inputs.contains(input)).forEach(all::add);
    return graph.written(all, pass.rewrite());
  }

  /** Lets an input tell the batch that the model has: the first one that is no scalar does. */
  private static void leadWith(String candidates, List<Input> inputs) {
    int first = 0;
    while (inputs.get(first).dimensions().isEmpty()) {
      first++;
    }
    int place = first;
    while (!inputs.get(place).name().equals(candidates)) {
      place++;
    }
    inputs.add(first, inputs.remove(place));
  }

  private static void share(
      Path model,
      LateBroadcast pass,
      Input input,
      TensorSpec spec,
      List<Columns> columns,
      List<Input> candidatesInputs,
      List<Input> usersInputs) {
    String user = userPartOf(input.name());
    if (pass.hasTensor(user)) {
      throw new ModelException(
          model + " has a tensor '" + user + "', which would be the input for the user's columns");
    }
    boolean[] users = new boolean[spec.shape().dimension(1)];
    columns.forEach(range -> Arrays.fill(users, range.from(), range.to(), true));
    long count = columns.stream().mapToLong(range -> range.to() - range.from()).sum();
    Dimension rows = input.dimensions().get(0);
    candidatesInputs.add(
        input.with(input.name(), List.of(rows, Dimension.of(users.length - count))));
    usersInputs.add(input.with(user, List.of(Dimension.of(1), Dimension.of(count))));
    pass.splitInput(input.name(), user, users);
  }

  private static void requireShareable(
      Path model, Signature signature, Map<String, List<Columns>> shared) {
    for (Map.Entry<String, List<Columns>> asked : shared.entrySet()) {
      TensorSpec spec =
          signature.inputs().stream()
              .filter(input -> input.name().equals(asked.getKey()))
              .findFirst()
              .orElseThrow(
                  () ->
                      new IllegalArgumentException(
                          "input '"
                              + asked.getKey()
                              + "' was to be shared, but "
                              + model
                              + " has no such input; it has "
                              + signature.inputs()));
      if (!spec.shape().hasBatch()) {
        throw refused(model, spec, "it has no batch, and is given once a call as it is");
      }
      requireColumns(model, spec, asked.getValue());
    }
    if (signature.fixedBatch() == 1) {
      throw new IllegalArgumentException(
          "inputs of "
              + model
              + " cannot be shared: it was exported for one row a call; export it with a free batch");
    }
    if (signature.inputs().stream()
        .allMatch(spec -> !spec.shape().hasBatch() || isWhollyShared(spec.name(), shared))) {
      throw new IllegalArgumentException(
          "all inputs of "
              + model
              + " were to be shared, "
              + signature.inputs()
              + "; leave those, or those columns, that differ between candidates");
    }
  }

  private static void requireColumns(Path model, TensorSpec spec, List<Columns> columns) {
    if (columns.isEmpty()) {
      return;
    }
    if (spec.shape().rank() != 2) {
      throw refused(
          model, spec, "only inputs of two dimensions have columns; share the whole input or none");
    }
    int width = spec.shape().dimension(1);
    int shared = 0;
    for (Columns range : columns) {
      if (range.to() > width) {
        throw refused(
            model, spec, "columns " + range + " were asked for, and it has 0 to " + (width - 1));
      }
      shared += range.to() - range.from();
    }
    if (shared == width) {
      throw refused(
          model,
          spec,
          "columns "
              + columns.stream().map(Columns::toString).collect(Collectors.joining(", "))
              + " are all that it has; share the whole input");
    }
  }

  private static IllegalArgumentException refused(Path model, TensorSpec spec, String why) {
    return new IllegalArgumentException(
        "input " + spec + " of " + model + " cannot be shared so: " + why);
  }

  private static boolean isWhollyShared(String input, Map<String, List<Columns>> shared) {
    List<Columns> columns = shared.get(input);
    return columns != null && columns.isEmpty();
  }

  private static List<Dimension> oneRow(List<Dimension> dimensions) {
    List<Dimension> one = new ArrayList<>(dimensions);
    one.set(0, Dimension.of(1));
    return one;
  }

  private static Declared declared(Input input) {
    DataType type =
        switch (Onnx.elementName(input.element())) {
          case "FLOAT" -> DataType.FLOAT32;
          case "FLOAT16" -> DataType.FLOAT16;
          case "BFLOAT16" -> DataType.BFLOAT16;
          case "INT32" -> DataType.INT32;
          default -> DataType.INT64; // no other is left, after the check of the whole file
        };
    return new Declared(
        input.name(), type, input.dimensions().stream().map(Dimension::size).toList());
  }

  /** Returns how many bytes the model has. */
  public long size() {
    return rewritten.size();
  }

  @Override
  public int read(ByteBuffer into) throws IOException {
    if (position == rewritten.size()) {
      return -1;
    }
    int start = into.position();
    rewritten.read(file, position, into);
    int count = into.position() - start;
    position += count;
    return count;
  }

  @Override
  public boolean isOpen() {
    return open;
  }

  @Override
  public void close() {
    open = false;
    close(file);
  }

  private static void close(ProtoFile file) {
    try {
      if (file != null) {
        file.close();
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  @Override
  public String toString() {
    return model + " for one user";
  }
}
