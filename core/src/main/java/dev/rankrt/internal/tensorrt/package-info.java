/**
 * The GPU backend: from an ONNX file to a network, from a network to a plan, from a plan to an
 * engine, from an engine to sessions. The only package that calls TensorRT.
 *
 * <p>Locks, in the order in which they are taken: {@code PlanCache}'s, with an entry's lock file
 * under it, so that each plan is built once; {@code Builders}', so that one is built at a time; an
 * engine's own, around the making and the end of a context. The path of a call takes none.
 */
package dev.rankrt.internal.tensorrt;
