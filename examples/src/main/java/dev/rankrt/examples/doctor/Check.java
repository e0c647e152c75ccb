package dev.rankrt.examples.doctor;

import java.util.Locale;
import java.util.Optional;

/** Something to look at: its names, and what it has to do with latency. */
record Check(Group group, String name, String title, String why) {
  Finding ok(String found) {
    return finding(Level.OK, found, Optional.empty());
  }

  Finding skip(String reason) {
    return finding(Level.SKIP, reason, Optional.empty());
  }

  Finding warn(String found, String fix) {
    return finding(Level.WARN, found, Optional.of(fix));
  }

  Finding fail(String found, String fix) {
    return finding(Level.FAIL, found, Optional.of(fix));
  }

  private Finding finding(Level level, String found, Optional<String> fix) {
    String id = group.name().toLowerCase(Locale.ROOT) + "." + name;
    return new Finding(id, group, title, level, found, why, fix);
  }
}
