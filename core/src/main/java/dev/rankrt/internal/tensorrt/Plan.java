package dev.rankrt.internal.tensorrt;

import dev.rankrt.EngineOptions;
import dev.rankrt.ModelException;
import dev.rankrt.natives.RankRtException;
import java.io.EOFException;
import java.io.IOException;
import java.io.StringReader;
import java.io.StringWriter;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.channels.ClosedByInterruptException;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Arrays;
import java.util.Properties;
import org.bytedeco.javacpp.Pointer;

/**
 * A serialised engine in native memory, and what RankRT knows of it. One thread at a time.
 *
 * <p>A file that RankRT writes holds, big-endian:
 *
 * <pre>
 *   8 bytes   "RankRT", carriage return, line feed: damaged by whatever takes the file for text
 *   4 bytes   length of the header
 *   n bytes   the header, as java.util.Properties writes it, without its date
 *   8 bytes   length of the plan
 *   32 bytes  SHA-256 of header and plan
 *   n bytes   the plan, as TensorRT serialised it
 * </pre>
 *
 * <p>All of it is checked before TensorRT sees a byte. A plan that another tool wrote has no header
 * and is given to TensorRT as it is.
 */
final class Plan implements AutoCloseable {
  static final String TENSORRT = "tensorrt";
  static final String GPU = "gpu";

  /** What a plan takes once a call; left out where every input has rows. */
  static final String SHARED = "shared";

  private static final byte[] MAGIC = "RankRT\r\n".getBytes(StandardCharsets.US_ASCII);

  /** How TensorRT's own plans begin. */
  private static final byte[] TENSORRT_MAGIC = "ftrt".getBytes(StandardCharsets.US_ASCII);

  private static final int DIGEST_BYTES = 32;

  /** A header has some hundred bytes; more means that the file is not what it says. */
  private static final int MAX_HEADER_BYTES = 1 << 20;

  /** Which headers this version writes, and the only ones that it reads. */
  private static final String FORMAT_KEY = "format";

  /** Raised when a header is to be read differently, or a plan would be built differently. */
  static final String FORMAT = "2";

  private final Properties header;
  private final Pointer data;
  private final long size;
  private final Runnable release;
  private boolean closed;

  /**
   * Takes over a plan in memory.
   *
   * @param release frees {@code data}
   */
  Plan(Properties header, Pointer data, long size, Runnable release) {
    this.header = header;
    this.data = data;
    this.size = size;
    this.release = release;
  }

  private Plan(Properties header, NativeFile file) {
    this(header, file.data(), file.size(), file::close);
  }

  /** What a model file is, going by how it begins. */
  enum Kind {
    RANKRT_PLAN,
    TENSORRT_PLAN,
    OTHER
  }

  static Kind kindOf(Path file) {
    ByteBuffer start = ByteBuffer.allocate(MAGIC.length);
    try (FileChannel channel = FileChannel.open(file)) {
      while (start.hasRemaining() && channel.read(start) >= 0) {
        // read on
      }
    } catch (ClosedByInterruptException e) {
      throw interrupted(file, e);
    } catch (IOException e) {
      throw new ModelException("cannot read model file " + file.toAbsolutePath() + ": " + e, e);
    }
    byte[] bytes = Arrays.copyOf(start.array(), start.position());
    if (Arrays.equals(bytes, MAGIC)) {
      return Kind.RANKRT_PLAN;
    }
    return Arrays.equals(Arrays.copyOf(bytes, TENSORRT_MAGIC.length), TENSORRT_MAGIC)
        ? Kind.TENSORRT_PLAN
        : Kind.OTHER;
  }

  /** Reads a plan that TensorRT itself, or a tool of NVIDIA's, wrote. */
  static Plan readForeign(Path file) {
    try {
      return new Plan(new Properties(), NativeFile.read(file));
    } catch (ClosedByInterruptException e) {
      throw interrupted(file, e);
    } catch (IOException e) {
      throw new ModelException("cannot read plan " + file.toAbsolutePath() + ": " + e, e);
    }
  }

  /** Reads and checks a plan that RankRT wrote. */
  static Plan read(Path file) {
    try (FileChannel channel = FileChannel.open(file)) {
      ByteBuffer lead = readFully(channel, MAGIC.length + Integer.BYTES);
      byte[] magic = new byte[MAGIC.length];
      lead.get(magic);
      int headerLength = lead.getInt();
      if (!Arrays.equals(magic, MAGIC) || headerLength < 0 || headerLength > MAX_HEADER_BYTES) {
        throw new ModelException(file.toAbsolutePath() + " is no plan of RankRT's");
      }
      byte[] header = readFully(channel, headerLength).array();
      ByteBuffer sizes = readFully(channel, Long.BYTES + DIGEST_BYTES);
      long size = sizes.getLong();
      byte[] expected = new byte[DIGEST_BYTES];
      sizes.get(expected);
      long left = channel.size() - channel.position();
      if (left != size) {
        throw new ModelException(
            file.toAbsolutePath()
                + " is damaged: its plan should have "
                + size
                + " bytes and has "
                + left);
      }
      MessageDigest digest = sha256();
      digest.update(header);
      NativeFile body = NativeFile.read(channel, size, digest::update);
      boolean success = false;
      try {
        if (!MessageDigest.isEqual(digest.digest(), expected)) {
          throw new ModelException(
              file.toAbsolutePath() + " is damaged: its checksum does not match");
        }
        // Only now: a damaged header can be anything.
        Plan plan = new Plan(parse(header, file), body);
        success = true;
        return plan;
      } finally {
        if (!success) {
          body.close();
        }
      }
    } catch (ClosedByInterruptException e) {
      throw interrupted(file, e);
    } catch (EOFException e) {
      throw new ModelException(file.toAbsolutePath() + " is damaged: it ends within its header", e);
    } catch (IOException e) {
      throw new ModelException("cannot read plan " + file.toAbsolutePath() + ": " + e, e);
    }
  }

  /**
   * Checks that a plan takes once a call what the user says that it does.
   *
   * @param name what messages call the plan
   * @throws ModelException if its inputs are shared otherwise, or it is another tool's
   */
  void requireShared(String name, EngineOptions options) {
    String built = header.getProperty(SHARED, "{}");
    String asked = options.shared().toString();
    if (!built.equals(asked)) {
      throw new ModelException(
          name
              + " was built with the shared inputs "
              + built
              + ", and was opened with "
              + asked
              + "; open it with the options that it was built with, or build it again from its ONNX"
              + " file");
    }
  }

  /** Writes the plan with its header to a file, which it creates or replaces. */
  void write(Path file) throws IOException {
    header.setProperty(FORMAT_KEY, FORMAT);
    StringWriter text = new StringWriter();
    header.store(text, null);
    // Properties begin with the date of their writing, which would make every file differ.
    byte[] headerBytes =
        text.toString().replaceFirst("^#.*\\R", "").getBytes(StandardCharsets.UTF_8);
    MessageDigest digest = sha256();
    digest.update(headerBytes);
    NativeFile.forEachPiece(data(), size, digest::update);
    ByteBuffer lead =
        ByteBuffer.allocate(
            MAGIC.length + Integer.BYTES + headerBytes.length + Long.BYTES + DIGEST_BYTES);
    lead.put(MAGIC).putInt(headerBytes.length).put(headerBytes).putLong(size).put(digest.digest());
    try (FileChannel channel =
        FileChannel.open(
            file,
            StandardOpenOption.CREATE,
            StandardOpenOption.WRITE,
            StandardOpenOption.TRUNCATE_EXISTING)) {
      writeFully(channel, lead.flip());
      NativeFile.forEachPiece(data, size, piece -> writeFully(channel, piece));
      channel.force(true);
    }
  }

  Properties header() {
    return header;
  }

  /**
   * Returns the plan's memory, which lasts until the plan is closed.
   *
   * @throws IllegalStateException if it is
   */
  Pointer data() {
    if (closed) {
      throw new IllegalStateException("the plan is closed");
    }
    return data;
  }

  long size() {
    return size;
  }

  /** Frees the plan's memory. Closing again does nothing. */
  @Override
  public void close() {
    if (!closed) {
      closed = true;
      release.run();
    }
  }

  private static Properties parse(byte[] header, Path file) {
    Properties properties = new Properties();
    try {
      properties.load(new StringReader(new String(header, StandardCharsets.UTF_8)));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    } catch (IllegalArgumentException e) {
      throw new ModelException(
          "the header of " + file.toAbsolutePath() + " cannot be read: " + e.getMessage(), e);
    }
    String format = properties.getProperty(FORMAT_KEY);
    if (!FORMAT.equals(format)) {
      throw new ModelException(
          file.toAbsolutePath()
              + " was written by another version of RankRT: its format is "
              + format
              + ", here it is "
              + FORMAT
              + "; build the plan again from its ONNX file");
    }
    return properties;
  }

  private static ByteBuffer readFully(FileChannel channel, int bytes) throws IOException {
    ByteBuffer buffer = ByteBuffer.allocate(bytes);
    while (buffer.hasRemaining()) {
      if (channel.read(buffer) < 0) {
        throw new EOFException();
      }
    }
    return buffer.flip();
  }

  private static void writeFully(FileChannel channel, ByteBuffer buffer) throws IOException {
    while (buffer.hasRemaining()) {
      channel.write(buffer);
    }
  }

  /**
   * No ModelException: the file may be as good as any, and is not to be built again or given up.
   */
  static RankRtException interrupted(Path file, ClosedByInterruptException e) {
    return new RankRtException("interrupted while reading " + file.toAbsolutePath(), e);
  }

  static MessageDigest sha256() {
    try {
      return MessageDigest.getInstance("SHA-256");
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException("every Java platform has SHA-256", e);
    }
  }
}
