package dev.rankrt.streams;

import java.util.BitSet;
import java.util.Objects;
import java.util.stream.IntStream;

/**
 * A set of logical CPUs, numbered as the operating system numbers them. Immutable.
 *
 * <p>Its text is the kernel's <em>cpulist</em>: numbers and ranges in ascending order, such as
 * {@code 0-55,112-167}.
 */
public final class CpuSet {
  /** More than any kernel numbers (x86-64 stops at 8192); keeps nonsense from filling the heap. */
  private static final int MOST_CPUS = 1 << 16;

  private static final CpuSet NONE = new CpuSet(new BitSet());

  private final BitSet bits;

  private CpuSet(BitSet bits) {
    this.bits = bits;
  }

  /**
   * Returns the set of no CPUs.
   *
   * @return an empty set
   */
  public static CpuSet none() {
    return NONE;
  }

  /**
   * Returns a set of CPUs.
   *
   * @param cpus their numbers, in any order
   * @return the set
   * @throws IllegalArgumentException if a number is negative or beyond what any kernel numbers
   */
  public static CpuSet of(int... cpus) {
    BitSet bits = new BitSet();
    for (int cpu : cpus) {
      if (cpu < 0 || cpu >= MOST_CPUS) {
        throw new IllegalArgumentException("no CPU has the number " + cpu);
      }
      bits.set(cpu);
    }
    return new CpuSet(bits);
  }

  /**
   * Reads a cpulist. Spaces and line ends are ignored, and an empty text is the empty set.
   *
   * @param cpulist such as {@code 0-3,8,10-11}
   * @return the set
   * @throws IllegalArgumentException if the text is not a cpulist
   */
  public static CpuSet parse(String cpulist) {
    Objects.requireNonNull(cpulist, "cpulist");
    BitSet bits = new BitSet();
    if (cpulist.isBlank()) {
      return NONE;
    }
    for (String part : cpulist.split(",", -1)) {
      String range = part.strip();
      int dash = range.indexOf('-');
      int first = number(dash < 0 ? range : range.substring(0, dash), cpulist);
      int last = dash < 0 ? first : number(range.substring(dash + 1), cpulist);
      if (last < first) {
        throw new IllegalArgumentException("not a cpulist, a range runs backwards: " + cpulist);
      }
      bits.set(first, last + 1);
    }
    return new CpuSet(bits);
  }

  private static int number(String digits, String cpulist) {
    try {
      int number = Integer.parseInt(digits.strip());
      if (number >= 0 && number < MOST_CPUS) {
        return number;
      }
    } catch (NumberFormatException e) {
      // Reported below, with the whole text.
    }
    throw new IllegalArgumentException(
        "not a cpulist, '" + digits + "' is not the number of a CPU: " + cpulist);
  }

  /**
   * Returns how many CPUs there are in this set.
   *
   * @return their number
   */
  public int size() {
    return bits.cardinality();
  }

  /**
   * Returns whether there is no CPU in this set.
   *
   * @return true if there is none
   */
  public boolean isEmpty() {
    return bits.isEmpty();
  }

  /**
   * Returns whether all CPUs of another set are in this one.
   *
   * @param other the other set
   * @return true if none is missing here
   */
  public boolean containsAll(CpuSet other) {
    return other.intersect(this).equals(other);
  }

  /**
   * Returns the CPUs that are in this set and in another.
   *
   * @param other the other set
   * @return what they share, perhaps nothing
   */
  public CpuSet intersect(CpuSet other) {
    BitSet both = (BitSet) bits.clone();
    both.and(other.bits);
    return new CpuSet(both);
  }

  /**
   * Returns the CPUs that are in this set, in another, or in both.
   *
   * @param other the other set
   * @return all of them
   */
  CpuSet union(CpuSet other) {
    BitSet all = (BitSet) bits.clone();
    all.or(other.bits);
    return new CpuSet(all);
  }

  /**
   * Returns the numbers of the CPUs.
   *
   * @return the numbers, ascending
   */
  public IntStream stream() {
    return bits.stream();
  }

  /** Returns the set as the kernel takes it: one bit for each CPU, in 64-bit words. */
  long[] toMask() {
    return bits.toLongArray();
  }

  @Override
  public boolean equals(Object other) {
    return other instanceof CpuSet cpus && bits.equals(cpus.bits);
  }

  @Override
  public int hashCode() {
    return bits.hashCode();
  }

  /** Returns the cpulist; the empty set's is empty. */
  @Override
  public String toString() {
    StringBuilder list = new StringBuilder();
    for (int first = bits.nextSetBit(0); first >= 0; ) {
      int end = bits.nextClearBit(first);
      list.append(list.length() == 0 ? "" : ",").append(first);
      if (end - first > 1) {
        list.append('-').append(end - 1);
      }
      first = bits.nextSetBit(end);
    }
    return list.toString();
  }
}
