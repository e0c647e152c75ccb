/** The quick start and the first run: a ranker trained on real orders, and what it recommends. */
package dev.rankrt.examples;
