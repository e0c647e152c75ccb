package dev.rankrt.natives.internal;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import org.bytedeco.javacpp.BytePointer;
import org.bytedeco.javacpp.Pointer;
import org.bytedeco.javacpp.PointerScope;
import org.junit.jupiter.api.Test;

/** What of the real CUDA needs only JavaCPP's own library. */
class JavacppCudaTest {
  private final JavacppCuda cuda = new JavacppCuda();

  @Test
  void view_inACallersScope_outlivesIt() {
    Pointer memory = Pointer.malloc(64);
    try {
      ByteBuffer view;
      long registered = Pointer.totalCount();
      try (PointerScope scope = new PointerScope()) {
        view = cuda.view(memory.address(), 64);
        assertEquals(registered, Pointer.totalCount(), scope::toString);
      }
      view.putInt(60, 0x01020304);
      assertEquals(64, view.capacity());
      assertEquals(ByteOrder.nativeOrder(), view.order());
      assertEquals(
          ByteOrder.nativeOrder() == ByteOrder.LITTLE_ENDIAN ? 4 : 1,
          new BytePointer(memory).get(60));
    } finally {
      Pointer.free(memory);
    }
  }

  @Test
  void address_inACallersScope_isNotAdopted() {
    Address address;
    try (PointerScope scope = new PointerScope()) {
      address = new Address(4096);
      new BytePointer(address);
      assertEquals(4096, address.address(), scope::toString);
    }
    assertEquals(4096, address.address());
  }

  @Test
  void view_ofNothing_isEmptyOrRefused() {
    assertEquals(0, cuda.view(4096, 0).capacity());
    assertThrows(IllegalArgumentException.class, () -> cuda.view(0, 1));
    assertThrows(IllegalArgumentException.class, () -> cuda.view(4096, -1));
  }
}
