/** CUDA streams, events and captured graphs; NUMA topology and thread affinity. */
module dev.rankrt.streams {
  requires transitive dev.rankrt.memory;
  requires org.slf4j;
  // Optional: where it is missing, no thread is bound and the log says what to add.
  requires static com.sun.jna;

  exports dev.rankrt.streams;
  exports dev.rankrt.streams.internal to
      dev.rankrt.core;
}
