/**
 * The CPU backend. Only {@code OnnxRuntimeBackend} may be touched where ONNX Runtime is missing;
 * every other class names its types.
 */
package dev.rankrt.internal.onnxruntime;
