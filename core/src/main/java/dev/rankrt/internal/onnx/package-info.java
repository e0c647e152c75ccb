/** Reads ONNX files, and rewrites models in them, without a library of Protocol Buffers. */
package dev.rankrt.internal.onnx;
