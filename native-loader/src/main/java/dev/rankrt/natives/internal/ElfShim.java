package dev.rankrt.natives.internal;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.List;

/**
 * Writes shared objects that hold no code, only the names of libraries they need and a folder to
 * look in. Safe for use by several threads.
 *
 * <p>Java can load a library by its absolute path alone, and that is not enough here. TensorRT
 * opens its builder resource by bare name, and the linker recognises a library that is already
 * loaded by the name under which it was <em>found</em>, or its {@code DT_SONAME}; the resource's is
 * {@code do_not_link_against_nvinfer_builder_resource}. A library that was loaded by absolute path
 * is thus not seen, and one outside the linker's path is not found. Loading a shim that needs it
 * makes the linker itself search, find and remember the name. Without a folder, a shim asks the
 * linker what the system's path holds, which is the only honest way to know.
 *
 * <p>{@code DT_RPATH} rather than {@code DT_RUNPATH}, so that a folder the user named goes before
 * {@code LD_LIBRARY_PATH} and serves what the libraries there need in turn.
 */
final class ElfShim {
  private static final int HEADER = 64;
  private static final int SEGMENT = 56;
  private static final int SEGMENTS = 3;
  private static final int SYMBOL = 24;
  private static final int HASH = 16;
  private static final int DYNAMIC_ENTRY = 16;

  /** The largest page size of the platforms: the segment must be aligned on all of them. */
  private static final int ALIGNMENT = 0x10000;

  private ElfShim() {}

  /**
   * Returns a shared object.
   *
   * @param machine {@code e_machine}, see {@link Platform}
   * @param soname its own name, empty for none
   * @param needed the libraries that loading it loads
   * @param folder where to look for them first, empty for the linker's path alone
   */
  static byte[] write(int machine, String soname, List<String> needed, String folder) {
    StringTable strings = new StringTable();
    int sonameAt = strings.add(soname);
    int folderAt = strings.add(folder);
    int[] neededAt = needed.stream().mapToInt(strings::add).toArray();
    byte[] names = strings.bytes();

    int symbols = HEADER + SEGMENTS * SEGMENT;
    int hash = symbols + SYMBOL;
    int namesAt = hash + HASH;
    int dynamic = (namesAt + names.length + 7) & ~7;
    int entries = neededAt.length + (soname.isEmpty() ? 0 : 1) + (folder.isEmpty() ? 0 : 1) + 5 + 1;
    int size = dynamic + entries * DYNAMIC_ENTRY;

    ByteBuffer out = ByteBuffer.allocate(size).order(ByteOrder.LITTLE_ENDIAN);
    out.put(new byte[] {0x7f, 'E', 'L', 'F', 2, 1, 1, 0}).putLong(0);
    out.putShort((short) 3).putShort((short) machine).putInt(1);
    out.putLong(0).putLong(HEADER).putLong(0).putInt(0);
    out.putShort((short) HEADER).putShort((short) SEGMENT).putShort((short) SEGMENTS);
    out.putShort((short) 64).putShort((short) 0).putShort((short) 0);

    // No segment is executable, so that a folder mounted noexec serves. The stack's flags keep the
    // JVM from believing that the library wants an executable stack.
    segment(out, 1, 6, 0, size, ALIGNMENT);
    segment(out, 2, 6, dynamic, size - dynamic, 8);
    segment(out, 0x6474e551, 6, 0, 0, 16);

    out.position(hash);
    out.putInt(1).putInt(1).putInt(0).putInt(0);
    out.put(names);
    out.position(dynamic);
    for (int at : neededAt) {
      out.putLong(1).putLong(at);
    }
    if (!soname.isEmpty()) {
      out.putLong(14).putLong(sonameAt);
    }
    if (!folder.isEmpty()) {
      out.putLong(15).putLong(folderAt);
    }
    out.putLong(4).putLong(hash);
    out.putLong(5).putLong(namesAt);
    out.putLong(6).putLong(symbols);
    out.putLong(10).putLong(names.length);
    out.putLong(11).putLong(SYMBOL);
    out.putLong(0).putLong(0);
    return out.array();
  }

  private static void segment(
      ByteBuffer out, int type, int flags, int offset, int size, int alignment) {
    out.putInt(type).putInt(flags);
    out.putLong(offset).putLong(offset).putLong(offset);
    out.putLong(size).putLong(size).putLong(alignment);
  }

  /** Strings that end in a zero byte; the first is the empty one. */
  private static final class StringTable {
    private final StringBuilder text = new StringBuilder("\0");

    int add(String string) {
      int at = text.toString().getBytes(StandardCharsets.UTF_8).length;
      text.append(string).append('\0');
      return at;
    }

    byte[] bytes() {
      return text.toString().getBytes(StandardCharsets.UTF_8);
    }
  }
}
