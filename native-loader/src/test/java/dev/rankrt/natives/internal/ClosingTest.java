package dev.rankrt.natives.internal;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class ClosingTest {
  private final List<String> closed = new ArrayList<>();

  private Runnable step(String name, RuntimeException failure) {
    return () -> {
      closed.add(name);
      if (failure != null) {
        throw failure;
      }
    };
  }

  @Test
  void everyStep_runsInOrder() {
    Closing.all(List.of(step("a", null), step("b", null)));
    assertEquals(List.of("a", "b"), closed);
  }

  @Test
  void failures_stopNothing_andTheFirstIsThrownWithTheRest() {
    RuntimeException first = new IllegalStateException("first");
    RuntimeException second = new IllegalStateException("second");
    List<Runnable> steps = List.of(step("a", first), step("b", null), step("c", second));
    assertSame(first, assertThrows(RuntimeException.class, () -> Closing.all(steps)));
    assertEquals(List.of("a", "b", "c"), closed);
    assertArrayEquals(new Throwable[] {second}, first.getSuppressed());
  }

  @Test
  void error_stopsNothingEither() {
    Error first = new AssertionError("first");
    RuntimeException second = new IllegalStateException("second");
    Runnable fails =
        () -> {
          throw first;
        };
    List<Runnable> steps = List.of(fails, step("b", second), step("c", null));
    assertSame(first, assertThrows(Error.class, () -> Closing.all(steps)));
    assertEquals(List.of("b", "c"), closed);
    assertArrayEquals(new Throwable[] {second}, first.getSuppressed());
  }

  @Test
  void undoing_thatFails_isToldByTheFailure() {
    RuntimeException undo = new IllegalStateException("undo");
    Exception failure = new Exception("failure");
    Closing.after(failure, step("a", undo));
    assertArrayEquals(new Throwable[] {undo}, failure.getSuppressed());
  }
}
