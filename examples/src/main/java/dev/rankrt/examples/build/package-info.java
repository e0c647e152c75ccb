/** From ONNX files to plans, ahead of the service's start. */
package dev.rankrt.examples.build;
