package dev.rankrt;

import static dev.rankrt.testing.OnnxModel.Type.INT64;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.rankrt.natives.LoadOptions;
import dev.rankrt.natives.internal.Cuda;
import dev.rankrt.natives.internal.Natives;
import dev.rankrt.testing.OnnxModels;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import java.util.concurrent.CopyOnWriteArrayList;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The ranker's contract on the first GPU, and what there is to say of several. */
@Tag("gpu")
class GpuRankerTest extends RankerContract {
  @Override
  Device device() {
    return Device.gpu(0);
  }

  @Test
  void devicesOfOneType_areServedByOnePlan_thatIsBuiltOnce(@TempDir Path plans) {
    List<Device> devices = devicesLikeTheFirst();
    assumeTrue(devices.size() > 1, "takes two GPUs of one type");
    List<String> steps = new CopyOnWriteArrayList<>();
    Rows rows = new Rows(new Random(3), 5);
    try (Ranker ranker =
        open(
            "devices",
            OnnxModels.ranker(INT64),
            options().planCache(plans).buildListener(steps::add),
            RankerOptions.builder().devices(devices.toArray(Device[]::new)))) {
      assertEquals(
          devices, ranker.stats().replicas().stream().map(Ranker.ReplicaStats::device).toList());
      assertTrue(ranker.stats().replicas().stream().allMatch(Ranker.ReplicaStats::serving));
      assertScores(rows, ranker.infer(rows.dense, rows.ids));
    }
    // The first step of every build.
    assertEquals(1, Collections.frequency(steps, "preparing TensorRT's builder"), steps::toString);
  }

  private static List<Device> devicesLikeTheFirst() {
    Cuda cuda = Natives.load(LoadOptions.defaults()).cuda();
    List<Device> devices = new ArrayList<>();
    for (int ordinal = 0; ordinal < cuda.deviceCount(); ordinal++) {
      if (typeOf(cuda, ordinal).equals(typeOf(cuda, 0))) {
        devices.add(Device.gpu(ordinal));
      }
    }
    return devices;
  }

  private static List<Object> typeOf(Cuda cuda, int ordinal) {
    Cuda.DeviceProperties gpu = cuda.properties(ordinal);
    return List.of(gpu.name(), gpu.major(), gpu.minor(), gpu.multiprocessors());
  }
}
