package dev.rankrt.natives.internal;

import org.bytedeco.cuda.cudart.CUhostFn;
import org.bytedeco.javacpp.LongPointer;
import org.bytedeco.javacpp.Pointer;

/**
 * The one place that destroys TensorRT's objects.
 *
 * <p>What TensorRT's create functions return must be deleted by its caller, but {@code close()} and
 * {@code deallocate()} of the bindings do nothing on such objects, and TensorRT has had no {@code
 * destroy()} since version 10. {@code delete} on an object with a virtual destructor calls its
 * deleting destructor. In the Itanium C++ ABI, which both platforms use, an object's first word
 * points to its virtual table, whose first two entries are the complete and the deleting destructor
 * when the destructor is the first virtual function that the class or its base declares. That holds
 * for every interface of TensorRT that is created by a function. It does not hold for {@code
 * ILogger}, which is the caller's own anyway.
 */
public final class NativeObjects {
  private static final int DELETING_DESTRUCTOR = 1;

  private NativeObjects() {}

  /**
   * Destroys an object and clears the pointer. Null, and a pointer that was cleared, do nothing.
   * Destroy an engine after its contexts, and a builder, network or parser in the reverse order of
   * their creation.
   *
   * @param object what a create function returned, not destroyed yet
   */
  public static void destroy(Pointer object) {
    if (object == null || object.isNull()) {
      return;
    }
    Address self = new Address(object.address());
    // Cleared first: whatever happens, nobody may try again.
    object.setNull();
    long table = new LongPointer(self).get();
    // JavaCPP's function pointers are addresses of cells that hold the function: so is a table's
    // entry.
    new CUhostFn(new Address(table + (long) DELETING_DESTRUCTOR * Long.BYTES)).call(self);
  }
}
