/** CUDA buffer pool and pinned host staging: leases, fences, accounting, leak reports. */
module dev.rankrt.memory {
  requires transitive dev.rankrt.natives;
  requires org.slf4j;

  exports dev.rankrt.memory;
  exports dev.rankrt.memory.internal to
      dev.rankrt.streams,
      dev.rankrt.core;
}
