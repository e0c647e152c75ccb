/**
 * Opens ranking models and runs them, on a GPU through TensorRT or on the CPU through ONNX Runtime.
 */
module dev.rankrt.core {
  requires transitive dev.rankrt.streams;
  requires org.bytedeco.javacpp;
  requires org.bytedeco.tensorrt;
  requires org.slf4j;
  requires static com.microsoft.onnxruntime;

  exports dev.rankrt;
  exports dev.rankrt.spi;

  uses dev.rankrt.spi.Backend;

  provides dev.rankrt.spi.Backend with
      dev.rankrt.internal.tensorrt.TensorRtBackend,
      dev.rankrt.internal.onnxruntime.OnnxRuntimeBackend;
}
