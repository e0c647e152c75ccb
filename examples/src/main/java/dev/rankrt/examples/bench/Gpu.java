package dev.rankrt.examples.bench;

/**
 * The GPU that was measured on. Immutable.
 *
 * @param name the product's name
 * @param memoryBytes its memory
 * @param driver the driver's version
 * @param cuda the CUDA runtime's version
 * @param tensorRt TensorRT's version
 * @param maxClockMhz the highest clock of its multiprocessors
 */
record Gpu(
    String name, long memoryBytes, String driver, String cuda, String tensorRt, int maxClockMhz) {}
