/** Placeholder. */
module dev.rankrt.streams {
  requires transitive dev.rankrt.memory;
}
