/**
 * Finding, checking and loading the native libraries, and the exceptions that all of RankRT shares.
 */
package dev.rankrt.natives;
