package dev.rankrt.examples.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import com.google.gson.JsonParseException;
import java.nio.file.Path;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;

class JsonTest {
  record Inner(String text, Optional<Integer> number) {}

  record Outer(
      Instant at, Path file, List<Inner> inner, Map<String, Long> counts, Optional<Path> more) {}

  private static final Outer OUTER =
      new Outer(
          Instant.parse("2026-11-22T10:00:00Z"),
          Path.of("a/b.json"),
          List.of(new Inner("<é>", Optional.of(7)), new Inner("", Optional.empty())),
          Map.of("rows", 1L << 40),
          Optional.of(Path.of("/c")));

  @Test
  void aRecord_isAnObjectWithItsComponentsInTheirOrder() {
    assertEquals(
        """
        {
          "at": "2026-11-22T10:00:00Z",
          "file": "a/b.json",
          "inner": [
            {
              "text": "<é>",
              "number": 7
            },
            {
              "text": "",
              "number": null
            }
          ],
          "counts": {
            "rows": 1099511627776
          },
          "more": "/c"
        }
        """,
        Json.write(OUTER));
  }

  @Test
  void whatWasWritten_comesBack() {
    assertEquals(OUTER, Json.read(Json.write(OUTER), Outer.class));
  }

  record Doubles(double one, double other, Optional<Double> more) {}

  /** What FP16 costs, where its outputs overflow. */
  @Test
  void doublesThatAreNoNumbers_areTextAndComeBack() {
    Doubles doubles = new Doubles(Double.NaN, 0.5, Optional.of(Double.POSITIVE_INFINITY));
    String json = Json.write(doubles);
    assertEquals(
        "{\"one\":\"NaN\",\"other\":0.5,\"more\":\"Infinity\"}", json.replaceAll("\\s", ""));
    assertEquals(doubles, Json.read(json, Doubles.class));
  }

  @Test
  void aTimeThatIsNone_isNoJsonOfTheRecord() {
    assertThrows(JsonParseException.class, () -> Json.read("{\"at\": \"yesterday\"}", Outer.class));
  }
}
