package dev.rankrt.internal;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotSame;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.rankrt.DataType;
import dev.rankrt.Shape;
import dev.rankrt.TensorSpec;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class HostTensorTest {
  private static TensorSpec spec(DataType type, int... dimensions) {
    return new TensorSpec("x", type, Shape.of(dimensions));
  }

  private static ByteBuffer memory(int bytes) {
    return ByteBuffer.allocateDirect(bytes).order(ByteOrder.nativeOrder());
  }

  @ParameterizedTest
  @EnumSource(DataType.class)
  void memory_isZeroedAndSharedWhereTypesAgree(DataType type) {
    TensorSpec spec = spec(type, Shape.BATCH, 3);
    ByteBuffer memory = memory(HostTensor.modelBytes(spec, 4));
    for (int i = 0; i < memory.capacity(); i++) {
      memory.put(i, (byte) 77);
    }
    HostTensor tensor = new HostTensor(spec, memory, 4, false);
    assertSame(memory, tensor.model());
    if (Halves.isHalf(type)) {
      assertNotSame(memory, tensor.values());
    } else {
      assertSame(memory, tensor.values());
    }
    assertEquals(4 * 3 * type.hostBytes(), tensor.values().capacity());
    assertEquals(ByteOrder.nativeOrder(), tensor.values().order());
    for (int i = 0; i < memory.capacity(); i++) {
      assertEquals(0, memory.get(i));
    }
  }

  @Test
  void halves_travelBothWays() {
    TensorSpec spec = spec(DataType.FLOAT16, Shape.BATCH, 2);
    HostTensor tensor = new HostTensor(spec, memory(12), 3, false);
    for (int i = 0; i < 6; i++) {
      tensor.values().putFloat(4 * i, i + 0.5f);
    }
    tensor.toModel(2, 2);
    assertEquals(0, tensor.model().getShort(8)); // behind the request
    tensor.values().putFloat(0, 0);
    tensor.fromModel(1);
    assertEquals(0.5f, tensor.values().getFloat(0));
    assertEquals(2.5f, tensor.values().getFloat(8));
  }

  @ParameterizedTest
  @EnumSource(DataType.class)
  void rowsBehindARequest_areZeroForTheModelAndStayTheCallers(DataType type) {
    TensorSpec spec = spec(type, Shape.BATCH, 2);
    HostTensor tensor = new HostTensor(spec, memory(HostTensor.modelBytes(spec, 5)), 4, true);
    assertNotSame(tensor.values(), tensor.model());
    for (int i = 0; i < tensor.values().capacity(); i++) {
      tensor.values().put(i, (byte) 1);
    }
    tensor.toModel(4, 5);
    tensor.toModel(1, 5);
    int row = 2 * type.bytes();
    for (int i = row; i < 5 * row; i++) {
      assertEquals(0, tensor.model().get(i), type + " " + i);
    }
    assertTrue(Halves.isHalf(type) || tensor.model().get(row - 1) == 1);
    for (int i = 0; i < tensor.values().capacity(); i++) {
      assertEquals(1, tensor.values().get(i));
    }
  }

  @Test
  void tensorWithoutBatch_isCopiedWhole() {
    TensorSpec spec = spec(DataType.FLOAT32, 3);
    HostTensor tensor = new HostTensor(spec, memory(12), 9, true);
    tensor.values().putFloat(8, 4);
    tensor.toModel(1, 9);
    assertEquals(4, tensor.model().getFloat(8));
  }

  @Test
  void bytes_beyondABuffer_areRefusedWithTheNumbers() {
    TensorSpec spec = spec(DataType.INT64, Shape.BATCH, 1 << 20);
    assertEquals(255 << 23, HostTensor.modelBytes(spec, 255));
    IllegalArgumentException refusal =
        assertThrows(IllegalArgumentException.class, () -> HostTensor.modelBytes(spec, 256));
    assertEquals(
        "'x' INT64[batch, 1048576] needs 2147483648 bytes for 256 rows, at most 2 GiB"
            + " are possible; lower maxBatch",
        refusal.getMessage());
    // 2^62 values have no number of bytes in a long.
    TensorSpec huge = spec(DataType.INT64, Shape.BATCH, Integer.MAX_VALUE);
    assertThrows(
        IllegalArgumentException.class, () -> HostTensor.modelBytes(huge, Integer.MAX_VALUE));
  }

  @Test
  void bytes_ofHalves_areLimitedByTheFloatsThatTheApiHolds() {
    TensorSpec spec = spec(DataType.FLOAT16, Shape.BATCH, 1 << 20);
    assertEquals(511 << 21, HostTensor.modelBytes(spec, 511));
    assertThrows(IllegalArgumentException.class, () -> HostTensor.modelBytes(spec, 512));
  }
}
