package dev.rankrt.examples.doctor;

import java.util.Optional;

/**
 * What one check found.
 *
 * @param id the check's name, which never changes its meaning, such as {@code gpu.persistence}
 * @param group what it is about
 * @param title the check's name for people
 * @param level what it came to
 * @param found what is here, with its numbers; for {@link Level#SKIP} why that is not known
 * @param why what it has to do with latency
 * @param fix the command that changes it; empty where nothing needs to be changed
 */
record Finding(
    String id,
    Group group,
    String title,
    Level level,
    String found,
    String why,
    Optional<String> fix) {}
