/** What the commands of the tool share: options, JSON, progress. */
package dev.rankrt.examples.cli;
