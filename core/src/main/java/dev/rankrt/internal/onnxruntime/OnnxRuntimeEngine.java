package dev.rankrt.internal.onnxruntime;

import ai.onnxruntime.NodeInfo;
import ai.onnxruntime.OnnxTensor;
import ai.onnxruntime.OrtEnvironment;
import ai.onnxruntime.OrtException;
import ai.onnxruntime.OrtLoggingLevel;
import ai.onnxruntime.OrtSession;
import ai.onnxruntime.TensorInfo;
import dev.rankrt.DataType;
import dev.rankrt.EngineOptions;
import dev.rankrt.EngineStats;
import dev.rankrt.ModelException;
import dev.rankrt.Precision;
import dev.rankrt.TensorSpec;
import dev.rankrt.internal.RunCounters;
import dev.rankrt.internal.Signature;
import dev.rankrt.internal.Signature.Declared;
import dev.rankrt.internal.onnx.SharedModel;
import dev.rankrt.spi.BackendEngine;
import dev.rankrt.spi.BackendSession;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.LongStream;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A model in ONNX Runtime, shared by its sessions and their threads. Safe for use by several
 * threads.
 */
final class OnnxRuntimeEngine implements BackendEngine {
  private static final Logger log = LoggerFactory.getLogger(OnnxRuntimeEngine.class);

  private final OrtSession model;
  private final Signature signature;
  private final int minBatch;
  private final int maxBatch;
  private final RunCounters counters = new RunCounters();

  private OnnxRuntimeEngine(OrtSession model, Signature signature, EngineOptions options) {
    this.model = model;
    this.signature = signature;
    this.minBatch = signature.minBatch(options);
    this.maxBatch = signature.maxBatch(options);
  }

  /** Tells why ONNX Runtime's natives do not load, if they do not. */
  static Optional<String> unavailable() {
    try {
      OrtEnvironment.getEnvironment();
      return Optional.empty();
    } catch (LinkageError | RuntimeException e) {
      return Optional.of("its native library does not load: " + e);
    }
  }

  static OnnxRuntimeEngine open(Path file, EngineOptions options) {
    OrtSession model = null;
    boolean success = false;
    try (OrtSession.SessionOptions settings = new OrtSession.SessionOptions()) {
      settings.setIntraOpNumThreads(options.cpuThreads());
      // What goes wrong is in the exception; the host's standard error is not ours to write to.
      settings.setSessionLogLevel(OrtLoggingLevel.ORT_LOGGING_LEVEL_FATAL);
      model = load(file, settings, options);
      Signature signature = signature(file, model);
      OnnxRuntimeEngine engine = new OnnxRuntimeEngine(model, signature, options);
      success = true;
      return engine;
    } catch (OrtException e) {
      String refusal = "ONNX Runtime cannot load " + file.toAbsolutePath() + ": " + e.getMessage();
      throw new ModelException(
          e.getCode() == OrtException.OrtErrorCode.ORT_INVALID_PROTOBUF
              ? refusal + " It is no ONNX model, or only a part of one; export or copy it again"
              : refusal,
          e);
    } finally {
      if (!success && model != null) {
        close(model);
      }
    }
  }

  private static OrtSession load(
      Path file, OrtSession.SessionOptions settings, EngineOptions options) throws OrtException {
    OrtEnvironment environment = OrtEnvironment.getEnvironment();
    // On Windows, and from 1.29 on elsewhere, it tells Microsoft of each session, with the model's
    // name: not ours to give away.
    environment.setTelemetry(false);
    if (options.shared().isEmpty()) {
      return environment.createSession(file.toString(), settings);
    }
    try (SharedModel rewritten = SharedModel.open(file, options.shared())) {
      ByteBuffer bytes = direct(rewritten.size());
      while (bytes.hasRemaining() && rewritten.read(bytes) >= 0) {
        // read on
      }
      // Weights in other files are where they were.
      settings.addConfigEntry(
          "session.model_external_initializers_file_folder_path",
          file.toAbsolutePath().getParent().toString());
      return environment.createSession(bytes.flip(), settings);
    } catch (IOException e) {
      throw new ModelException("cannot read model file " + file.toAbsolutePath() + ": " + e, e);
    }
  }

  private static Signature signature(Path file, OrtSession model) throws OrtException {
    List<Declared> inputs = declared(file, model.getInputInfo().values());
    List<Declared> outputs = declared(file, model.getOutputInfo().values());
    Signature.requireServable(file, inputs);
    return Signature.of(file, inputs, measured(model, inputs, outputs));
  }

  private static List<Declared> declared(Path file, Collection<NodeInfo> nodes) {
    List<Declared> tensors = new ArrayList<>();
    for (NodeInfo node : nodes) {
      if (!(node.getInfo() instanceof TensorInfo info)) {
        throw new ModelException(
            file + ": '" + node.getName() + "' is no tensor but " + node.getInfo());
      }
      DataType type =
          switch (info.type) {
            case FLOAT -> DataType.FLOAT32;
            case FLOAT16 -> DataType.FLOAT16;
            case BFLOAT16 -> DataType.BFLOAT16;
            case INT32 -> DataType.INT32;
            case INT64 -> DataType.INT64;
            default -> throw Signature.typeRefused(file, node.getName(), info.type.toString());
          };
      tensors.add(new Declared(node.getName(), type, boxed(info.getShape())));
    }
    return tensors;
  }

  /**
   * Replaces outputs' declared dimensions, which exporters often leave out, by those that runs of
   * zeros give. Also pays for the model's first run, so that no caller does.
   */
  private static List<Declared> measured(
      OrtSession model, List<Declared> inputs, List<Declared> outputs) {
    boolean free = inputs.stream().anyMatch(Declared::beginsFree);
    try {
      long someRows = 2;
      long moreRows = free ? 3 : 2;
      List<long[]> some = shapes(model, inputs, outputs, someRows);
      List<long[]> more = free ? shapes(model, inputs, outputs, moreRows) : some;
      List<Declared> measured = new ArrayList<>();
      for (int i = 0; i < outputs.size(); i++) {
        measured.add(
            Signature.measured(
                outputs.get(i), boxed(some.get(i)), someRows, boxed(more.get(i)), moreRows));
      }
      return measured;
    } catch (OrtException | ArithmeticException e) {
      log.debug("a run of zeros failed; going by what the model declares", e);
      return outputs;
    }
  }

  /** Returns the outputs' shapes after a run of zeros. */
  private static List<long[]> shapes(
      OrtSession model, List<Declared> inputs, List<Declared> outputs, long rows)
      throws OrtException {
    Map<String, OnnxTensor> zeros = new LinkedHashMap<>();
    try {
      for (Declared input : inputs) {
        long[] dimensions = input.dimensions().stream().mapToLong(d -> d < 0 ? rows : d).toArray();
        long elements = LongStream.of(dimensions).reduce(1, Math::multiplyExact);
        zeros.put(
            input.name(),
            OnnxTensor.createTensor(
                OrtEnvironment.getEnvironment(),
                direct(Math.multiplyExact(elements, input.type().bytes())),
                dimensions,
                OnnxRuntimeSession.typeOf(input.type())));
      }
      try (OrtSession.Result results = model.run(zeros)) {
        List<long[]> shapes = new ArrayList<>();
        for (Declared output : outputs) {
          shapes.add(((TensorInfo) results.get(output.name()).orElseThrow().getInfo()).getShape());
        }
        return shapes;
      }
    } finally {
      zeros.values().forEach(OnnxTensor::close);
    }
  }

  private static List<Long> boxed(long[] dimensions) {
    return LongStream.of(dimensions).boxed().toList();
  }

  /** Allocates memory in native byte order. */
  static ByteBuffer direct(long bytes) {
    return ByteBuffer.allocateDirect(Math.toIntExact(bytes)).order(ByteOrder.nativeOrder());
  }

  OrtSession model() {
    return model;
  }

  int fixedBatch() {
    return signature.fixedBatch();
  }

  @Override
  public List<TensorSpec> inputs() {
    return signature.inputs();
  }

  @Override
  public List<TensorSpec> outputs() {
    return signature.outputs();
  }

  @Override
  public int minBatch() {
    return minBatch;
  }

  @Override
  public int maxBatch() {
    return maxBatch;
  }

  @Override
  public Precision precision() {
    return Precision.FP32;
  }

  @Override
  public List<Integer> buckets() {
    return minBatch() == maxBatch ? List.of(maxBatch) : List.of(minBatch(), maxBatch);
  }

  @Override
  public EngineStats stats() {
    return counters.stats();
  }

  RunCounters counters() {
    return counters;
  }

  @Override
  public BackendSession newSession() {
    return new OnnxRuntimeSession(this);
  }

  @Override
  public void close() {
    close(model);
  }

  private static void close(OrtSession model) {
    try {
      model.close();
    } catch (OrtException e) {
      log.warn("ONNX Runtime failed to close a model", e);
    }
  }
}
