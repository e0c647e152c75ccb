package dev.rankrt.internal.onnx;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;

/**
 * Fields of a message that is being written: new bytes, and parts of a file that are copied when it
 * is read at last, so that weights are never held twice. One thread at a time.
 */
final class Pieces {
  private final List<Piece> pieces = new ArrayList<>();
  private long size;

  /** Bytes, or the part of the file from a place on where there are none. */
  private record Piece(ByteBuffer bytes, long from, long length) {}

  long size() {
    return size;
  }

  /** Adds a field as it lies in the file. */
  Pieces copy(ProtoFile.Field field) {
    pieces.add(new Piece(null, field.start(), field.end() - field.start()));
    size += field.end() - field.start();
    return this;
  }

  Pieces number(int field, long value) {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    varint(out, ((long) field << 3) | ProtoFile.VARINT);
    varint(out, value);
    return bytes(out.toByteArray());
  }

  Pieces text(int field, String value) {
    return data(field, value.getBytes(StandardCharsets.UTF_8));
  }

  Pieces data(int field, byte[] value) {
    return message(field, new Pieces().bytes(value));
  }

  Pieces message(int field, Pieces value) {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    varint(out, ((long) field << 3) | ProtoFile.LENGTH_DELIMITED);
    varint(out, value.size);
    bytes(out.toByteArray());
    return all(value);
  }

  /** Adds all that others hold. */
  Pieces all(Pieces others) {
    pieces.addAll(others.pieces);
    size += others.size;
    return this;
  }

  private Pieces bytes(byte[] bytes) {
    pieces.add(new Piece(ByteBuffer.wrap(bytes), 0, bytes.length));
    size += bytes.length;
    return this;
  }

  private static void varint(ByteArrayOutputStream out, long value) {
    long left = value;
    while ((left & ~0x7fL) != 0) {
      out.write((int) ((left & 0x7f) | 0x80));
      left >>>= 7;
    }
    out.write((int) left);
  }

  /**
   * Fills a buffer with what lies behind some bytes, as far as there is room.
   *
   * @param skipped how many bytes were read before
   */
  void read(ProtoFile file, long skipped, ByteBuffer into) throws IOException {
    long start = 0;
    for (Piece piece : pieces) {
      long behind = Math.max(0, skipped - start);
      if (behind < piece.length && into.hasRemaining()) {
        int count = (int) Math.min(piece.length - behind, into.remaining());
        if (piece.bytes == null) {
          int limit = into.limit();
          file.read(piece.from + behind, into.limit(into.position() + count));
          into.limit(limit);
        } else {
          into.put(into.position(), piece.bytes, (int) behind, count);
          into.position(into.position() + count);
        }
      }
      start += piece.length;
    }
  }
}
