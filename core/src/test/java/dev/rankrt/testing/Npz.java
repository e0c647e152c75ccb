package dev.rankrt.testing;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.zip.ZipEntry;
import java.util.zip.ZipInputStream;

/** Reads NumPy's archives of arrays: little-endian, row-major, float32, float64, int32, int64. */
public final class Npz {
  private static final byte[] MAGIC = {(byte) 0x93, 'N', 'U', 'M', 'P', 'Y'};
  private static final Pattern HEADER =
      Pattern.compile(
          "\\{'descr': '([^']+)', 'fortran_order': (True|False), 'shape': \\(([0-9, ]*)\\), \\}\\s*");

  private Npz() {}

  /** An array of numbers, row-major. Immutable as long as nobody writes into its values. */
  public static final class Array {
    private final String type;
    private final int[] shape;
    private final ByteBuffer data;

    private Array(String type, int[] shape, ByteBuffer data) {
      this.type = type;
      this.shape = shape;
      this.data = data;
    }

    /** Returns NumPy's name for the type, such as {@code <f4}. */
    public String type() {
      return type;
    }

    /** Returns whether the elements are floats of either size. */
    public boolean isFloat() {
      return type.startsWith("<f");
    }

    public int[] shape() {
      return shape.clone();
    }

    /** Returns the first dimension. */
    public int rows() {
      return shape[0];
    }

    /** Returns how many elements a row has. */
    public int width() {
      return Arrays.stream(shape).skip(1).reduce(1, Math::multiplyExact);
    }

    public float[] floats() {
      require("<f4");
      float[] values = new float[data.remaining() / Float.BYTES];
      data.duplicate().order(ByteOrder.LITTLE_ENDIAN).asFloatBuffer().get(values);
      return values;
    }

    public double[] doubles() {
      require("<f8");
      double[] values = new double[data.remaining() / Double.BYTES];
      data.duplicate().order(ByteOrder.LITTLE_ENDIAN).asDoubleBuffer().get(values);
      return values;
    }

    public int[] ints() {
      require("<i4");
      int[] values = new int[data.remaining() / Integer.BYTES];
      data.duplicate().order(ByteOrder.LITTLE_ENDIAN).asIntBuffer().get(values);
      return values;
    }

    public long[] longs() {
      require("<i8");
      long[] values = new long[data.remaining() / Long.BYTES];
      data.duplicate().order(ByteOrder.LITTLE_ENDIAN).asLongBuffer().get(values);
      return values;
    }

    private void require(String wanted) {
      if (!type.equals(wanted)) {
        throw new IllegalStateException("the array holds " + type + ", not " + wanted);
      }
    }
  }

  /** Reads an archive, in the order of its entries. */
  public static Map<String, Array> read(InputStream archive) throws IOException {
    Map<String, Array> arrays = new LinkedHashMap<>();
    try (ZipInputStream zip = new ZipInputStream(archive)) {
      for (ZipEntry entry = zip.getNextEntry(); entry != null; entry = zip.getNextEntry()) {
        String name = entry.getName();
        if (!name.endsWith(".npy")) {
          throw new IOException("not an array: " + name);
        }
        arrays.put(
            name.substring(0, name.length() - ".npy".length()),
            readArray(name, zip.readAllBytes()));
      }
    }
    return arrays;
  }

  private static Array readArray(String name, byte[] file) throws IOException {
    InputStream in = new ByteArrayInputStream(file);
    if (!Arrays.equals(in.readNBytes(MAGIC.length), MAGIC)) {
      throw new IOException(name + " does not begin as an array does");
    }
    int major = in.read();
    in.read(); // the minor version changes nothing
    int lengthBytes = major == 1 ? Short.BYTES : Integer.BYTES;
    int headerLength = 0;
    for (int i = 0; i < lengthBytes; i++) {
      headerLength |= in.read() << (Byte.SIZE * i);
    }
    String header = new String(in.readNBytes(headerLength), StandardCharsets.US_ASCII);
    Matcher parts = HEADER.matcher(header);
    if (!parts.matches() || parts.group(2).equals("True")) {
      throw new IOException(name + " has a header that is not understood: " + header);
    }
    String type = parts.group(1);
    int bytes =
        switch (type) {
          case "<f4", "<i4" -> 4;
          case "<f8", "<i8" -> 8;
          default -> throw new IOException(name + " is of type " + type);
        };
    List<Integer> shape = new ArrayList<>();
    for (String dimension : parts.group(3).split(",", -1)) {
      if (!dimension.isBlank()) {
        shape.add(Integer.parseInt(dimension.strip()));
      }
    }
    byte[] data = in.readAllBytes();
    long wanted = shape.stream().mapToLong(Integer::longValue).reduce(bytes, Math::multiplyExact);
    if (data.length != wanted) {
      throw new IOException(
          name + " has " + data.length + " bytes of data, its shape " + shape + " needs " + wanted);
    }
    return new Array(
        type, shape.stream().mapToInt(Integer::intValue).toArray(), ByteBuffer.wrap(data));
  }
}
