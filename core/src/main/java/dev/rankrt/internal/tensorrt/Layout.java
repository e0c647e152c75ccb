package dev.rankrt.internal.tensorrt;

import dev.rankrt.TensorSpec;
import dev.rankrt.internal.HostTensor;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.stream.IntStream;

/**
 * Where the inputs, or the outputs, of a session lie in its regions of memory, and the copies that
 * carry the first rows of all of them. Immutable.
 *
 * <p>A tensor's place must not depend on a call's rows, because callers keep views of it, so
 * between the rows in use of one tensor and the next one there is a gap. Copying the gaps as well
 * would cost more than the data, and a copy for each tensor about two microseconds each. Therefore
 * tensors of similar size lie at equal distances: one two-dimensional copy then carries the first
 * rows of each of them, and nothing else.
 *
 * @param offsets where each tensor begins, in the order that they were given in
 * @param groups what one copy carries each
 * @param bytes from the first tensor's beginning to the last one's end
 */
record Layout(List<Long> offsets, List<Group> groups, long bytes) {
  /** What CUDA's own allocations are aligned to, and TensorRT asks of its inputs and outputs. */
  static final int ALIGNMENT = 256;

  /**
   * How many times as wide as its narrowest tensor a copy may be. The narrow ones' copies are as
   * wide as the widest's; at 50 GB/s, what that adds is less than another copy's two microseconds
   * until it is 100 kB.
   */
  private static final int WIDEST = 4;

  /**
   * Tensors at equal distances.
   *
   * @param offset where the first one begins
   * @param pitch from the beginning of one to that of the next
   * @param tensors how many there are, the widest first
   */
  record Group(long offset, long pitch, List<TensorSpec> tensors) {
    /** Returns how many bytes of each tensor a copy of some rows carries. */
    long bytes(int rows) {
      return tensors.stream().mapToLong(spec -> HostTensor.modelBytes(spec, rows)).max().orElse(0);
    }
  }

  /**
   * Lays tensors out.
   *
   * @param specs the tensors
   * @param rows how many rows there is room for
   * @param start where the first one may begin, a multiple of {@link #ALIGNMENT}
   */
  static Layout of(List<TensorSpec> specs, int rows, long start) {
    List<Integer> widestFirst =
        IntStream.range(0, specs.size())
            .boxed()
            .sorted(Comparator.comparingLong(i -> -HostTensor.modelBytes(specs.get(i), rows)))
            .toList();
    Long[] offsets = new Long[specs.size()];
    List<Group> groups = new ArrayList<>();
    long end = start;
    int next = 0;
    while (next < widestFirst.size()) {
      TensorSpec widest = specs.get(widestFirst.get(next));
      long pitch = aligned(HostTensor.modelBytes(widest, rows));
      List<TensorSpec> tensors = new ArrayList<>();
      long offset = end;
      while (next < widestFirst.size() && similar(widest, specs.get(widestFirst.get(next)), rows)) {
        offsets[widestFirst.get(next)] = end;
        tensors.add(specs.get(widestFirst.get(next)));
        end += pitch;
        next++;
      }
      groups.add(new Group(offset, pitch, List.copyOf(tensors)));
    }
    return new Layout(List.of(offsets), List.copyOf(groups), end - start);
  }

  /** A tensor without a batch is as long for one row as for many, so it never fits the others. */
  private static boolean similar(TensorSpec widest, TensorSpec spec, int rows) {
    return widest.shape().hasBatch() == spec.shape().hasBatch()
        && (long) WIDEST * HostTensor.modelBytes(spec, rows) >= HostTensor.modelBytes(widest, rows);
  }

  private static long aligned(long bytes) {
    return (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
  }
}
