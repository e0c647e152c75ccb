package dev.rankrt.streams;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class CpuSetTest {

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "0-3,8,10-11 | 0 1 2 3 8 10 11",
        "0 | 0",
        "7-7 | 7",
        "' 1 , 3 - 4 \n' | 1 3 4",
        "3,1-2,2 | 1 2 3"
      })
  void parse_cpulist_givesTheNumbersAscending(String text, String numbers) {
    String parsed =
        CpuSet.parse(text).stream().mapToObj(String::valueOf).collect(Collectors.joining(" "));
    assertEquals(numbers, parsed);
  }

  @ParameterizedTest
  @ValueSource(strings = {"", " ", "\n", "\t\n"})
  void parse_nothing_isTheEmptySet(String text) {
    assertEquals(CpuSet.none(), CpuSet.parse(text));
    assertEquals("", CpuSet.none().toString());
  }

  @ParameterizedTest
  @ValueSource(
      strings = {"a", "1-", "-1", "3-1", "1,,2", ",", "1,", "0-4294967295", "65536", "0x3", "1 2"})
  void parse_somethingElse_isRefusedWithItsText(String text) {
    IllegalArgumentException refused =
        assertThrows(IllegalArgumentException.class, () -> CpuSet.parse(text));
    assertTrue(refused.getMessage().endsWith(text), refused.getMessage());
  }

  @Test
  void of_numberThatNoCpuHas_isRefused() {
    assertThrows(IllegalArgumentException.class, () -> CpuSet.of(-1));
    assertThrows(IllegalArgumentException.class, () -> CpuSet.of(1 << 16));
  }

  @Test
  void toMask_cpuBeyondTheFirstWord_hasItsBitInTheSecond() {
    long[] mask = CpuSet.of(1, 64, 66).toMask();
    assertEquals(2, mask.length);
    assertEquals(0b10, mask[0]);
    assertEquals(0b101, mask[1]);
  }

  @Property(tries = 300)
  void formatAndParse_anySet_areInverse(@ForAll Set<@IntRange(max = 400) Integer> cpus) {
    CpuSet set = setOf(cpus);
    CpuSet parsed = CpuSet.parse(set.toString());
    assertEquals(set, parsed);
    assertEquals(set.hashCode(), parsed.hashCode());
    assertEquals(
        new TreeSet<>(cpus),
        parsed.stream().boxed().collect(Collectors.toCollection(TreeSet::new)));
    assertEquals(cpus.size(), parsed.size());
  }

  @Property(tries = 300)
  void format_anySet_hasNoTwoRangesThatTouch(@ForAll Set<@IntRange(max = 40) Integer> cpus) {
    String text = setOf(cpus).toString();
    int end = -2;
    for (String range : text.isEmpty() ? new String[0] : text.split(",", -1)) {
      String[] bounds = range.split("-", -1);
      int first = Integer.parseInt(bounds[0]);
      assertTrue(first > end + 1, text);
      end = Integer.parseInt(bounds[bounds.length - 1]);
    }
  }

  @Property(tries = 300)
  void setOperations_anySets_areThoseOfJavaSets(
      @ForAll Set<@IntRange(max = 70) Integer> left,
      @ForAll Set<@IntRange(max = 70) Integer> right) {
    Set<Integer> shared = new TreeSet<>(left);
    shared.retainAll(right);
    Set<Integer> all = new TreeSet<>(left);
    all.addAll(right);
    assertEquals(setOf(shared), setOf(left).intersect(setOf(right)));
    assertEquals(setOf(all), setOf(left).union(setOf(right)));
    assertEquals(left.containsAll(right), setOf(left).containsAll(setOf(right)));
    assertEquals(left.isEmpty(), setOf(left).isEmpty());
  }

  @Test
  void intersect_leavesBothSetsAsTheyWere() {
    CpuSet left = CpuSet.parse("0-3");
    CpuSet right = CpuSet.parse("2-5");
    assertEquals("2-3", left.intersect(right).toString());
    assertEquals("0-3", left.toString());
    assertEquals("2-5", right.toString());
    assertFalse(left.containsAll(right));
  }

  private static CpuSet setOf(Set<Integer> cpus) {
    return CpuSet.of(cpus.stream().flatMapToInt(IntStream::of).toArray());
  }
}
