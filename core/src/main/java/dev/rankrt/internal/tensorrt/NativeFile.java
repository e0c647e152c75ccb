package dev.rankrt.internal.tensorrt;

import dev.rankrt.natives.internal.Address;
import java.io.EOFException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.ReadableByteChannel;
import java.nio.file.Path;
import org.bytedeco.javacpp.BytePointer;
import org.bytedeco.javacpp.Pointer;

/**
 * Bytes of a file in native memory, where TensorRT reads them; a buffer ends at 2 GiB, files do
 * not. One thread at a time.
 */
final class NativeFile implements AutoCloseable {
  private static final int PIECE_BYTES = 1 << 26;

  private final Pointer data;
  private final long size;
  private boolean closed;

  private NativeFile(Pointer data, long size) {
    this.data = data;
    this.size = size;
  }

  /** Sees a piece of the bytes. */
  @FunctionalInterface
  interface Piece {
    void accept(ByteBuffer bytes) throws IOException;
  }

  /** Reads a whole file. */
  static NativeFile read(Path file) throws IOException {
    try (FileChannel channel = FileChannel.open(file)) {
      return read(channel, channel.size(), piece -> {});
    }
  }

  /**
   * Reads from a channel's position, and shows each piece to somebody who must leave it as it is.
   */
  static NativeFile read(ReadableByteChannel channel, long size, Piece onPiece) throws IOException {
    // Not a pointer that allocates: such are registered, and may wait for the collector.
    Pointer memory = Pointer.malloc(Math.max(1, size));
    if (memory == null || memory.isNull()) {
      throw new IOException("no host memory for " + size + " bytes");
    }
    NativeFile file = new NativeFile(memory, size);
    boolean success = false;
    try {
      for (long start = 0; start < size; start += PIECE_BYTES) {
        ByteBuffer piece = piece(memory, size, start);
        while (piece.hasRemaining()) {
          if (channel.read(piece) < 0) {
            throw new EOFException("the file ended early");
          }
        }
        onPiece.accept(piece.flip());
      }
      success = true;
      return file;
    } finally {
      if (!success) {
        file.close();
      }
    }
  }

  /** Shows native memory to somebody in pieces. */
  static void forEachPiece(Pointer data, long size, Piece onPiece) throws IOException {
    for (long start = 0; start < size; start += PIECE_BYTES) {
      onPiece.accept(piece(data, size, start));
    }
  }

  private static ByteBuffer piece(Pointer data, long size, long start) {
    // By address: the buffer of a pointer with a position begins where the pointer does.
    return new BytePointer(new Address(data.address() + start))
        .capacity(Math.min(PIECE_BYTES, size - start))
        .asByteBuffer();
  }

  Pointer data() {
    return data;
  }

  long size() {
    return size;
  }

  /** Frees the memory. Closing again does nothing. */
  @Override
  public void close() {
    if (!closed) {
      closed = true;
      Pointer.free(data);
    }
  }
}
