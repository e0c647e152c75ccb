package dev.rankrt.natives.internal;

import java.util.stream.Stream;
import org.bytedeco.cuda.cudart.CUhostFn;
import org.bytedeco.javacpp.LongPointer;
import org.bytedeco.javacpp.Pointer;
import org.bytedeco.tensorrt.nvonnxparser.IParser;

/**
 * The one place that destroys TensorRT's objects. One thread at a time for each object.
 *
 * <p>What TensorRT's create functions return must be deleted by its caller, but {@code close()} and
 * {@code deallocate()} of the bindings do nothing on such objects, and TensorRT has had no {@code
 * destroy()} since version 10. {@code delete} on an object with a virtual destructor calls its
 * deleting destructor. In the Itanium C++ ABI, which both platforms use, an object's first word
 * points to its virtual table, where a virtual destructor has two entries, the complete and the
 * deleting one, in the place where the class declares it. In {@code INoCopy}, the base of nearly
 * every interface of TensorRT, nothing is declared before it. The ONNX parser declares it after
 * {@code clearErrors}: calling its second entry would parse a file of an arbitrary name.
 */
public final class NativeObjects {
  private static final int DELETING_DESTRUCTOR = 1;

  /**
   * The parser's functions before its destructor: {@code parse}, {@code parseFromFile}, {@code
   * supportsModel}, {@code parseWithWeightDescriptors}, {@code supportsOperator}, {@code
   * getNbErrors}, {@code getError}, {@code clearErrors}. TensorRT 11 has dropped the third and the
   * fourth. Counted in the presets and read in the table of version 10.6's library.
   */
  private static final int PARSER_DELETING_DESTRUCTOR =
      Stream.of(IParser.class.getMethods()).anyMatch(m -> m.getName().equals("supportsModel"))
          ? 9
          : 7;

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
    int destructor = object instanceof IParser ? PARSER_DELETING_DESTRUCTOR : DELETING_DESTRUCTOR;
    Address self = new Address(object.address());
    // Cleared first: whatever happens, nobody may try again.
    object.setNull();
    long table = new LongPointer(self).get();
    // JavaCPP's function pointers are addresses of cells that hold the function: so is a table's
    // entry.
    new CUhostFn(new Address(table + (long) destructor * Long.BYTES)).call(self);
  }
}
