/**
 * The GPU backend: from an ONNX file to a network, from a network to a plan, from a plan to an
 * engine, from an engine to sessions. The only package that calls TensorRT.
 *
 * <p>Locks: one, in {@code PlanCache}, held while a plan is built so that each is built once;
 * nothing else is locked under it.
 */
package dev.rankrt.internal.tensorrt;
