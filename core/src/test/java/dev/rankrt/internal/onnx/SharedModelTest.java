package dev.rankrt.internal.onnx;

import dev.rankrt.EngineOptions;
import dev.rankrt.testing.Reference;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class SharedModelTest {
  @TempDir Path folder;

  private Path written(byte[] model) throws IOException {
    return Files.write(folder.resolve("ranker.onnx"), model);
  }

  private OnnxGraph rewritten(byte[] model, EngineOptions.Builder options) throws IOException {
    Path file = folder.resolve("rewritten.onnx");
    try (SharedModel shared = SharedModel.open(written(model), options.build().shared())) {
      ByteBuffer bytes = ByteBuffer.allocate(Math.toIntExact(shared.size()));
      while (shared.read(bytes) > 0) {
        // read on
      }
      Files.write(file, bytes.array());
    }
    try (ProtoFile proto = ProtoFile.open(file)) {
      return OnnxGraph.read(proto);
    }
  }

  /** Returns the operators that depend on a user and on no candidate, in their order. */
  private static List<String> perUser(OnnxGraph graph, String... users) {
    Set<String> ofUser = new HashSet<>(List.of(users));
    Set<String> ofCandidates = new HashSet<>();
    graph.inputs.stream()
        .map(OnnxGraph.Input::name)
        .filter(name -> !ofUser.contains(name))
        .forEach(ofCandidates::add);
    List<String> operators = new ArrayList<>();
    for (OnnxNode node : graph.nodes) {
      if (node.inputs().stream().anyMatch(ofCandidates::contains)) {
        ofCandidates.addAll(node.outputs());
      } else if (node.inputs().stream().anyMatch(ofUser::contains)) {
        ofUser.addAll(node.outputs());
        operators.add(node.operator());
      }
    }
    return operators;
  }

  private static long count(OnnxGraph graph, String operator) {
    return graph.nodes.stream().filter(node -> node.operator().equals(operator)).count();
  }

  @Test
  void print() throws IOException {
    for (String family : Reference.FAMILIES) {
      Reference reference = Reference.load(family);
      boolean din = family.equals("din");
      EngineOptions.Builder options =
          din
              ? EngineOptions.builder().shared("profile").shared("history").shared("context")
              : EngineOptions.builder().shared("dense", 0, 9).shared("ids", 0, 12);
      OnnxGraph graph = rewritten(reference.model(), options);
      System.out.println(
          family
              + " "
              + count(graph, "Expand")
              + " "
              + perUser(graph, "profile", "history", "context", "dense.user", "ids.user"));
      for (OnnxNode n : graph.nodes)
        if (!n.operator().equals("Constant"))
          System.out.println(
              "   " + n.operator() + " " + n.name() + " " + n.inputs() + " " + n.outputs());
    }
  }
}
