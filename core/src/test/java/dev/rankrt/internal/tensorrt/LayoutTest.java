package dev.rankrt.internal.tensorrt;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.rankrt.DataType;
import dev.rankrt.Shape;
import dev.rankrt.TensorSpec;
import dev.rankrt.internal.HostTensor;
import java.util.ArrayList;
import java.util.List;
import net.jqwik.api.Arbitraries;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.Combinators;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.Provide;
import net.jqwik.api.constraints.IntRange;
import org.junit.jupiter.api.Test;

class LayoutTest {
  private static TensorSpec floats(String name, int... shape) {
    return new TensorSpec(name, DataType.FLOAT32, Shape.of(shape));
  }

  private static TensorSpec ids(String name, int... shape) {
    return new TensorSpec(name, DataType.INT64, Shape.of(shape));
  }

  @Test
  void denseAndSparse_travelInOneCopy() {
    List<TensorSpec> specs = List.of(floats("dense", Shape.BATCH, 64), ids("ids", Shape.BATCH, 32));
    Layout layout = Layout.of(specs, 1000, 0);
    assertEquals(List.of(0L, 256_000L), layout.offsets());
    assertEquals(512_000, layout.bytes());
    assertEquals(1, layout.groups().size());
    Layout.Group group = layout.groups().get(0);
    assertEquals(256_000, group.pitch());
    assertEquals(7 * 256, group.bytes(7));
  }

  @Test
  void tensorsOfVeryDifferentWidth_travelApart() {
    List<TensorSpec> specs =
        List.of(
            ids("item", Shape.BATCH, 1), ids("history", Shape.BATCH, 50), ids("shop", Shape.BATCH));
    Layout layout = Layout.of(specs, 64, 512);
    assertEquals(2, layout.groups().size());
    assertEquals(List.of("history"), names(layout.groups().get(0)));
    assertEquals(List.of("item", "shop"), names(layout.groups().get(1)));
    assertEquals(512, layout.groups().get(0).offset());
  }

  @Test
  void tensorWithoutABatch_neverWidensTheCopyOfOneRow() {
    List<TensorSpec> specs = List.of(floats("user", 512), floats("item", Shape.BATCH, 8));
    Layout layout = Layout.of(specs, 64, 0);
    assertEquals(2, layout.groups().size());
    assertEquals(8 * Float.BYTES, layout.groups().get(1).bytes(1));
  }

  private static List<String> names(Layout.Group group) {
    return group.tensors().stream().map(TensorSpec::name).toList();
  }

  @Provide
  Arbitrary<List<TensorSpec>> specs() {
    Arbitrary<TensorSpec> spec =
        Combinators.combine(
                Arbitraries.of(DataType.values()),
                Arbitraries.integers().between(1, 300),
                Arbitraries.of(true, false))
            .as(
                (type, width, batch) ->
                    new TensorSpec(
                        "t", type, batch ? Shape.of(Shape.BATCH, width) : Shape.of(width)));
    return spec.list().ofMinSize(1).ofMaxSize(12);
  }

  @Property(tries = 200)
  void everyTensor_isAlignedAndApartAndCopiedWhole(
      @ForAll("specs") List<TensorSpec> specs,
      @ForAll @IntRange(min = 1, max = 200) int maxRows,
      @ForAll @IntRange(min = 1, max = 200) int someRows) {
    int rows = Math.min(maxRows, someRows);
    Layout layout = Layout.of(specs, maxRows, 1024);
    List<long[]> taken = new ArrayList<>();
    for (int i = 0; i < specs.size(); i++) {
      long from = layout.offsets().get(i);
      long to = from + HostTensor.modelBytes(specs.get(i), maxRows);
      assertEquals(0, from % Layout.ALIGNMENT);
      assertTrue(from >= 1024 && to <= 1024 + layout.bytes());
      assertTrue(taken.stream().noneMatch(other -> from < other[1] && other[0] < to));
      taken.add(new long[] {from, to});
      long inUse = from + HostTensor.modelBytes(specs.get(i), rows);
      assertTrue(
          layout.groups().stream().anyMatch(group -> carries(group, from, inUse, rows)),
          () -> "a tensor is not copied: " + layout);
    }
    for (Layout.Group group : layout.groups()) {
      long end = group.offset() + (group.tensors().size() - 1) * group.pitch() + group.bytes(rows);
      assertTrue(group.bytes(rows) <= group.pitch() && end <= 1024 + layout.bytes());
    }
  }

  private static boolean carries(Layout.Group group, long from, long to, int rows) {
    long piece = (from - group.offset()) / group.pitch();
    return from >= group.offset()
        && piece < group.tensors().size()
        && from == group.offset() + piece * group.pitch()
        && to <= from + group.bytes(rows);
  }
}
