/** Finds, checks and loads CUDA and TensorRT, and owns every native call to CUDA. */
module dev.rankrt.natives {
  requires org.bytedeco.cuda;
  requires org.bytedeco.javacpp;
  requires org.bytedeco.tensorrt;
  requires org.slf4j;

  exports dev.rankrt.natives;
  exports dev.rankrt.natives.internal to
      dev.rankrt.memory,
      dev.rankrt.streams,
      dev.rankrt.core;
}
