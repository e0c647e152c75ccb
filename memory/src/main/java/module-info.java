/** Placeholder. */
module dev.rankrt.memory {
  requires transitive dev.rankrt.natives;
}
