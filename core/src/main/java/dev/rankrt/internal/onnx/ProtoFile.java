package dev.rankrt.internal.onnx;

import java.io.EOFException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.function.LongConsumer;

/**
 * A file that is one message of Protocol Buffers: fields, each a tag with a number and a wire type,
 * and a value, which may be a message again. Reads what is asked for and holds none of the rest.
 * One thread at a time.
 */
final class ProtoFile implements AutoCloseable {
  static final int VARINT = 0;
  static final int FIXED_64 = 1;
  static final int LENGTH_DELIMITED = 2;
  static final int FIXED_32 = 5;

  private static final int WINDOW_BYTES = 1 << 16;

  private final FileChannel channel;
  private final long size;

  /** What was read last, and where it lies in the file. */
  private final ByteBuffer window = ByteBuffer.allocate(WINDOW_BYTES).limit(0);

  private long windowStart;

  private ProtoFile(FileChannel channel) throws IOException {
    this.channel = channel;
    this.size = channel.size();
  }

  static ProtoFile open(Path file) throws IOException {
    FileChannel channel = FileChannel.open(file);
    try {
      return new ProtoFile(channel);
    } catch (IOException e) {
      channel.close();
      throw e;
    }
  }

  /**
   * Where a field lies.
   *
   * @param number its number
   * @param kind its wire type
   * @param start where its tag begins
   * @param from where its value begins
   * @param end where it ends
   * @param value the value of a {@link #VARINT}, else 0
   */
  record Field(long number, int kind, long start, long from, long end, long value) {
    long length() {
      return end - from;
    }
  }

  /** Takes a field. */
  @FunctionalInterface
  interface Visitor {
    void at(Field field) throws IOException;
  }

  /** Goes through the fields of the whole file. */
  void fields(Visitor visitor) throws IOException {
    fields(0, size, visitor);
  }

  /** Goes through the fields of a field that is a message. */
  void fields(Field message, Visitor visitor) throws IOException {
    requireBytes(message);
    fields(message.from(), message.end(), visitor);
  }

  private void fields(long from, long end, Visitor visitor) throws IOException {
    long at = from;
    while (at < end) {
      Field field = field(at, end);
      visitor.at(field);
      at = field.end();
    }
  }

  private Field field(long start, long end) throws IOException {
    Varint tag = varint(start, end);
    long number = tag.value() >>> 3;
    if (number == 0) {
      throw new IOException("it has a field without a number");
    }
    int kind = (int) (tag.value() & 7);
    if (kind == VARINT) {
      Varint value = varint(tag.end(), end);
      return new Field(number, kind, start, tag.end(), value.end(), value.value());
    }
    long from = tag.end();
    long length;
    switch (kind) {
      case FIXED_64 -> length = Long.BYTES;
      case FIXED_32 -> length = Integer.BYTES;
      case LENGTH_DELIMITED -> {
        Varint read = varint(from, end);
        length = read.value();
        from = read.end();
      }
      default -> throw new IOException("it has a field of no known kind");
    }
    if (length < 0 || length > end - from) {
      throw new EOFException(
          "field "
              + number
              + " should have "
              + length
              + " bytes and "
              + (end - from)
              + " are left");
    }
    return new Field(number, kind, start, from, from + length, 0);
  }

  /** Returns a field's value as text. */
  String text(Field field) throws IOException {
    return new String(bytes(field), StandardCharsets.UTF_8);
  }

  /** Returns a field's value as it lies in the file. */
  byte[] bytes(Field field) throws IOException {
    requireBytes(field);
    byte[] bytes = new byte[Math.toIntExact(field.length())];
    ByteBuffer into = ByteBuffer.wrap(bytes);
    read(field.from(), into);
    return bytes;
  }

  /** Gives away the numbers of a field that repeats: one of them, or many that are packed. */
  void numbers(Field field, LongConsumer numbers) throws IOException {
    if (field.kind() == VARINT) {
      numbers.accept(field.value());
      return;
    }
    requireBytes(field);
    for (long at = field.from(); at < field.end(); ) {
      Varint read = varint(at, field.end());
      numbers.accept(read.value());
      at = read.end();
    }
  }

  /** Fills a buffer from a place in the file on. */
  void read(long from, ByteBuffer into) throws IOException {
    long at = from;
    while (into.hasRemaining()) {
      int count = channel.read(into, at);
      if (count < 0) {
        throw new EOFException("it ends early");
      }
      at += count;
    }
  }

  private static void requireBytes(Field field) throws IOException {
    if (field.kind() != LENGTH_DELIMITED) {
      throw new IOException("field " + field.number() + " is of another kind than it should be");
    }
  }

  private record Varint(long value, long end) {}

  private Varint varint(long from, long end) throws IOException {
    long value = 0;
    long at = from;
    for (int shift = 0; shift < Long.SIZE; shift += 7) {
      if (at >= end) {
        throw new EOFException("it ends within a number");
      }
      byte next = at(at++);
      value |= (long) (next & 0x7f) << shift;
      if (next >= 0) {
        return new Varint(value, at);
      }
    }
    throw new IOException("it has a number that is too long");
  }

  private byte at(long place) throws IOException {
    if (place < windowStart || place >= windowStart + window.limit()) {
      window.clear().limit((int) Math.min(WINDOW_BYTES, size - place));
      windowStart = place;
      read(place, window);
      window.flip();
    }
    return window.get((int) (place - windowStart));
  }

  @Override
  public void close() throws IOException {
    channel.close();
  }
}
