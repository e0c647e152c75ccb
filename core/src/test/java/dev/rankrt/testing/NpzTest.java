package dev.rankrt.testing;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.zip.ZipEntry;
import java.util.zip.ZipOutputStream;
import org.junit.jupiter.api.Test;

class NpzTest {
  private static final String FLOATS =
      "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }";

  /** Writes an array as NumPy does: the header is padded to a multiple of 64 bytes. */
  private static byte[] npy(int version, String header, ByteBuffer data) {
    int lengthBytes = version == 1 ? Short.BYTES : Integer.BYTES;
    int start = 8 + lengthBytes;
    int padded = (start + header.length() + 1 + 63) / 64 * 64 - start;
    ByteBuffer file =
        ByteBuffer.allocate(start + padded + data.remaining()).order(ByteOrder.LITTLE_ENDIAN);
    file.put((byte) 0x93).put("NUMPY".getBytes(StandardCharsets.US_ASCII));
    file.put((byte) version).put((byte) 0);
    if (version == 1) {
      file.putShort((short) padded);
    } else {
      file.putInt(padded);
    }
    file.put(header.getBytes(StandardCharsets.US_ASCII));
    while (file.position() < start + padded - 1) {
      file.put((byte) ' ');
    }
    return file.put((byte) '\n').put(data).array();
  }

  private static ByteBuffer bytes(int count) {
    return ByteBuffer.allocate(count).order(ByteOrder.LITTLE_ENDIAN);
  }

  private static ByteBuffer sixFloats() {
    ByteBuffer data = bytes(24);
    data.asFloatBuffer().put(new float[] {1, 2, 3, 4, 5, 6});
    return data;
  }

  private static Map<String, Npz.Array> read(Map<String, byte[]> files) throws IOException {
    ByteArrayOutputStream archive = new ByteArrayOutputStream();
    try (ZipOutputStream zip = new ZipOutputStream(archive)) {
      for (Map.Entry<String, byte[]> file : files.entrySet()) {
        zip.putNextEntry(new ZipEntry(file.getKey()));
        zip.write(file.getValue());
        zip.closeEntry();
      }
    }
    return Npz.read(new ByteArrayInputStream(archive.toByteArray()));
  }

  private static Npz.Array readOne(byte[] file) throws IOException {
    return read(Map.of("one.npy", file)).get("one");
  }

  @Test
  void arrays_ofEveryType_areRead() throws IOException {
    ByteBuffer doubles = bytes(16);
    doubles.asDoubleBuffer().put(new double[] {0.25, -1e300});
    ByteBuffer ints = bytes(8);
    ints.asIntBuffer().put(new int[] {7, Integer.MIN_VALUE});
    ByteBuffer longs = bytes(16);
    longs.asLongBuffer().put(new long[] {7, Long.MIN_VALUE});
    Map<String, Npz.Array> arrays =
        read(
            Map.of(
                "a.npy", npy(1, FLOATS, sixFloats()),
                "b.npy",
                    npy(2, "{'descr': '<f8', 'fortran_order': False, 'shape': (2,), }", doubles),
                "c.npy",
                    npy(1, "{'descr': '<i4', 'fortran_order': False, 'shape': (2, 1), }", ints),
                "d.npy",
                    npy(
                        1,
                        "{'descr': '<i8', 'fortran_order': False, 'shape': (1, 1, 2), }",
                        longs)));
    assertArrayEquals(new float[] {1, 2, 3, 4, 5, 6}, arrays.get("a").floats());
    assertArrayEquals(new double[] {0.25, -1e300}, arrays.get("b").doubles());
    assertArrayEquals(new int[] {7, Integer.MIN_VALUE}, arrays.get("c").ints());
    assertArrayEquals(new long[] {7, Long.MIN_VALUE}, arrays.get("d").longs());
    assertEquals(List.of(2, 3), List.of(arrays.get("a").rows(), arrays.get("a").width()));
    assertEquals(List.of(2, 1), List.of(arrays.get("b").rows(), arrays.get("b").width()));
    assertArrayEquals(new int[] {1, 1, 2}, arrays.get("d").shape());
    assertThrows(IllegalStateException.class, () -> arrays.get("a").longs());
  }

  @Test
  void array_thatIsNotUnderstood_isRefused() {
    byte[] good = npy(1, FLOATS, sixFloats());
    List<byte[]> bad =
        List.of(
            Arrays.copyOf(good, good.length - 1),
            Arrays.copyOf(good, good.length + 4),
            Arrays.copyOf(good, 20),
            "<html>".getBytes(StandardCharsets.US_ASCII),
            npy(1, FLOATS.replace("<f4", ">f4"), sixFloats()),
            npy(1, FLOATS.replace("<f4", "|O"), sixFloats()),
            npy(1, FLOATS.replace("False", "True"), sixFloats()),
            npy(1, FLOATS.replace("(2, 3)", "(2, 4)"), sixFloats()));
    for (byte[] file : bad) {
      assertThrows(IOException.class, () -> readOne(file));
    }
  }

  @Test
  void references_haveRowsThatDiffer() throws IOException {
    // Tests that take rows out of the references would prove nothing if all rows were alike.
    for (String family : Reference.FAMILIES) {
      Reference reference = Reference.load(family);
      assertEquals(140, reference.rows());
      assertTrue(reference.distinctScores() > 130, family);
    }
  }

  @Test
  void batches_standBehindEachOther() throws IOException {
    assertArrayEquals(new int[] {0}, Reference.batch(1));
    assertArrayEquals(new int[] {1, 2, 3, 4, 5, 6, 7}, Reference.batch(7));
    assertEquals(40, Reference.batch(100)[0]);
    assertArrayEquals(new int[] {139, 0, 1}, Reference.load("dlrm").from(139, 3));
  }
}
