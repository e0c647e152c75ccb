/** What the NVIDIA driver says about its GPUs. */
package dev.rankrt.examples.gpu;
