package dev.rankrt;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.math.BigInteger;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;
import net.jqwik.api.constraints.Size;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class ShapeTest {
  @Property
  void textAndParse_areInverse(
      @ForAll boolean batch,
      @ForAll @Size(max = 4) List<@IntRange(min = 1, max = 200) Integer> sizes) {
    Shape shape = shape(batch, sizes);
    assertEquals(shape, Shape.parse(shape.toString()));
    assertEquals(shape.toString(), Shape.parse(shape.toString()).toString());
    assertEquals(shape.hashCode(), Shape.parse(shape.toString()).hashCode());
  }

  @Property
  void elements_neverOverflowSilently(
      @ForAll boolean batch,
      @ForAll @Size(max = 5) List<@IntRange(min = 1) Integer> sizes,
      @ForAll @IntRange(min = 1) int rows) {
    BigInteger perRow =
        sizes.stream().map(BigInteger::valueOf).reduce(BigInteger.ONE, BigInteger::multiply);
    if (perRow.bitLength() > 31) {
      assertThrows(IllegalArgumentException.class, () -> shape(batch, sizes));
      return;
    }
    Shape shape = shape(batch, sizes);
    assertEquals(perRow.intValueExact(), shape.elementsPerRow());
    BigInteger all = batch ? perRow.multiply(BigInteger.valueOf(rows)) : perRow;
    assertEquals(all.longValueExact(), shape.elements(rows));
  }

  @Property
  void parse_ofAnyText_givesAShapeOrRefusesIt(@ForAll String text) {
    try {
      assertEquals(Shape.parse(text), Shape.parse(Shape.parse(text).toString()));
    } catch (IllegalArgumentException e) {
      assertTrue(e.getMessage().contains(text), e.getMessage());
    }
  }

  private static Shape shape(boolean batch, List<Integer> sizes) {
    IntStream front = batch ? IntStream.of(Shape.BATCH) : IntStream.empty();
    return Shape.of(IntStream.concat(front, sizes.stream().mapToInt(Integer::intValue)).toArray());
  }

  @Test
  void shape_withBatch_tellsItsParts() {
    Shape shape = Shape.of(Shape.BATCH, 20, 4);
    assertEquals("[batch, 20, 4]", shape.toString());
    assertEquals(3, shape.rank());
    assertTrue(shape.hasBatch());
    assertEquals(Shape.BATCH, shape.dimension(0));
    assertEquals(20, shape.dimension(1));
    assertEquals(80, shape.elementsPerRow());
    assertEquals(560, shape.elements(7));
    assertThrows(IndexOutOfBoundsException.class, () -> shape.dimension(3));
  }

  @Test
  void shape_withoutBatch_isTheSameForAnyRows() {
    assertEquals(1, Shape.of().elements(7));
    assertEquals("[]", Shape.of().toString());
    assertFalse(Shape.of().hasBatch());
    assertEquals(6, Shape.of(2, 3).elements(7));
    assertNotEquals(Shape.of(2, 3), Shape.of(3, 2));
    assertNotEquals(Shape.of(2, 3), Shape.of(Shape.BATCH, 3));
  }

  @Test
  void shape_whoseArrayChangesLater_staysTheSame() {
    int[] dimensions = {2, 3};
    Shape shape = Shape.of(dimensions);
    dimensions[0] = 5;
    assertEquals("[2, 3]", shape.toString());
  }

  @Test
  void shape_withASizeThatIsNone_isRefusedWithAllItsSizes() {
    for (int[] dimensions : new int[][] {{0}, {-2}, {4, 0}, {4, Shape.BATCH}}) {
      String message =
          assertThrows(IllegalArgumentException.class, () -> Shape.of(dimensions)).getMessage();
      assertTrue(message.contains(Arrays.toString(dimensions)), message);
    }
  }

  @Test
  void parse_largestSize_isRead() {
    assertEquals(Shape.of(Integer.MAX_VALUE), Shape.parse("[2147483647]"));
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "",
        "[",
        "]",
        "64",
        "[64",
        "batch, 64]",
        "[,]",
        "[64,]",
        "[64, batch]",
        "[0]",
        "[-1, 64]",
        "[-1]",
        "[+5]",
        "[4294967295, 64]",
        "[4294967295]",
        "[2147483648]",
        "[99999999999999]",
        "[6 4]",
        "[1.5]",
        "[Batch]",
        "[65536, 65536]"
      })
  void parse_ofWhatIsNoShape_isRefused(String text) {
    assertThrows(IllegalArgumentException.class, () -> Shape.parse(text));
  }

  @Test
  void parse_withBlanks_isRead() {
    assertEquals(Shape.of(Shape.BATCH, 64), Shape.parse("  [ batch ,64 ] "));
    assertEquals(Shape.of(), Shape.parse("[ ]"));
  }
}
