package dev.rankrt.internal;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.rankrt.DataType;
import dev.rankrt.ModelException;
import dev.rankrt.internal.Signature.Declared;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class SignatureTest {
  private static final Path MODEL = Path.of("ranker.onnx");

  private static Declared tensor(String name, long... dimensions) {
    List<Long> sizes = new ArrayList<>();
    for (long dimension : dimensions) {
      sizes.add(dimension);
    }
    return new Declared(name, DataType.FLOAT32, sizes);
  }

  private static Signature of(List<Declared> inputs, Declared... outputs) {
    return Signature.of(MODEL, inputs, List.of(outputs));
  }

  private static String refusal(List<Declared> inputs, Declared... outputs) {
    return assertThrows(ModelException.class, () -> of(inputs, outputs)).getMessage();
  }

  @Test
  void freeFirstDimension_isTheBatchOfEveryTensorThatBeginsFree() {
    Signature signature =
        of(
            List.of(tensor("x", -1, 4), tensor("scale", 4), tensor("factor")),
            tensor("y", -1),
            tensor("total"));
    assertEquals(0, signature.fixedBatch());
    assertEquals(
        "['x' FLOAT32[batch, 4], 'scale' FLOAT32[4], 'factor' FLOAT32[]]",
        signature.inputs().toString());
    assertEquals("['y' FLOAT32[batch], 'total' FLOAT32[]]", signature.outputs().toString());
  }

  @Test
  void fixedBatch_isTheFirstInputsFirstDimension() {
    Signature signature =
        of(
            List.of(tensor("factor"), tensor("x", 8, 4), tensor("scale", 4, 8)),
            tensor("y", 8, 8),
            tensor("z", 1));
    assertEquals(8, signature.fixedBatch());
    assertEquals(
        "['factor' FLOAT32[], 'x' FLOAT32[batch, 4], 'scale' FLOAT32[4, 8]]",
        signature.inputs().toString());
    assertEquals("['y' FLOAT32[batch, 8], 'z' FLOAT32[1]]", signature.outputs().toString());
  }

  @Test
  void modelOfScalars_hasABatchOfOne() {
    assertEquals(1, of(List.of(tensor("x")), tensor("y")).fixedBatch());
  }

  @Test
  void otherFreeDimension_isRefusedWithItsPlace() {
    String refusal = refusal(List.of(tensor("x", -1, 4, -1)), tensor("y", -1));
    assertTrue(refusal.contains("ranker.onnx: input 'x' FLOAT32[-1, 4, -1]"), refusal);
    assertTrue(refusal.contains("dimension 2"), refusal);
    assertTrue(refusal(List.of(tensor("x", -1, 4)), tensor("y", -1, -1)).contains("output 'y'"));
  }

  @Test
  void sizesThatAreNone_areRefused() {
    assertTrue(refusal(List.of(tensor("x", 0, 4)), tensor("y", 1)).contains("batch of 0"));
    assertTrue(refusal(List.of(tensor("x", 1L << 31)), tensor("y", 1)).contains("2147483648"));
    assertTrue(refusal(List.of(tensor("x", -1, 0)), tensor("y", 1)).contains("dimension 1"));
    assertTrue(refusal(List.of(tensor("x", -1, 1L << 31)), tensor("y", 1)).contains("dimension 1"));
    assertTrue(refusal(List.of(tensor("x", -1, 1 << 20, 1 << 20)), tensor("y", 1)).contains("'x'"));
  }

  @Test
  void modelWithoutInputsOrOutputs_isRefused() {
    assertEquals("ranker.onnx has no inputs", refusal(List.of(), tensor("y", 1)));
    assertEquals("ranker.onnx has no outputs", refusal(List.of(tensor("x", 1))));
  }

  @Test
  void inputsAlone_canBeChecked() {
    Signature.requireServable(MODEL, List.of(tensor("x", -1, 2)));
    assertThrows(
        ModelException.class, () -> Signature.requireServable(MODEL, List.of(tensor("x", -1, -1))));
  }
}
