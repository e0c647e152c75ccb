/**
 * How a backend offers itself. The API checks every request before a backend sees it, so that all
 * backends have the same limits and the same errors; a backend loads models and runs rows that are
 * already in its memory.
 */
package dev.rankrt.spi;
