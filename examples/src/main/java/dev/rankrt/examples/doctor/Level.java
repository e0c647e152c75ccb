package dev.rankrt.examples.doctor;

/** What a check came to, from best to worst. */
enum Level {
  /** As it should be. */
  OK,
  /** Cannot be known here, or does not apply. */
  SKIP,
  /** Costs latency, or will. */
  WARN,
  /** Models cannot run on the GPU that is here, or the process is about to be killed. */
  FAIL
}
