package dev.rankrt.examples.bench;

import dev.rankrt.Device;
import dev.rankrt.EngineOptions;
import dev.rankrt.EngineOptions.IdRange;
import dev.rankrt.Precision;
import dev.rankrt.TensorSpec;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.IntFunction;

/**
 * A model and what it is asked. Immutable.
 *
 * @param name what the model is
 * @param file its ONNX file
 * @param dlrm the model's shapes, if it is the one that is measured by default
 * @param ids the ids that inputs take, by input
 * @param otherIds the ids that every other input takes
 */
record Workload(
    String name, Path file, Optional<Dlrm> dlrm, Map<String, IdRange> ids, IdRange otherIds) {

  /** Returns options for this model, with the ranges of ids that were given. */
  EngineOptions.Builder options(Device device, Precision precision, int maxBatch) {
    EngineOptions.Builder builder =
        EngineOptions.builder().device(device).precision(precision).maxBatch(maxBatch);
    ids.forEach((input, range) -> builder.idRange(input, range.min(), range.max()));
    return builder;
  }

  /** Returns what draws requests of a number of rows, once for each number. */
  IntFunction<Requests> requests(List<TensorSpec> inputs, List<TensorSpec> outputs) {
    Map<Integer, Requests> drawn = new ConcurrentHashMap<>();
    return rows ->
        drawn.computeIfAbsent(rows, count -> Requests.draw(inputs, outputs, ids, otherIds, count));
  }
}
