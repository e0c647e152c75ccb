/** What is wrong with this machine: checks that look and never touch. */
package dev.rankrt.examples.doctor;
