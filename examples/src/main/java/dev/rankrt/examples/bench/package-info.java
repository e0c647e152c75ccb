/** Measuring: how fast a model is on this machine, and which settings it should run with. */
package dev.rankrt.examples.bench;
