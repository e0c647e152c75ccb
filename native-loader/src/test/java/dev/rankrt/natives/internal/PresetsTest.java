package dev.rankrt.natives.internal;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Optional;
import org.bytedeco.cuda.global.cudart;
import org.bytedeco.tensorrt.global.nvinfer;
import org.junit.jupiter.api.Test;

class PresetsTest {
  @Test
  void presets_readFromAnnotations_areThoseOfTheConstants() {
    Presets presets = Presets.read();
    assertEquals(cudart.CUDART_VERSION / 1000, presets.cudaMajor());
    assertEquals(
        new Version(
            nvinfer.NV_TENSORRT_MAJOR, nvinfer.NV_TENSORRT_MINOR, nvinfer.NV_TENSORRT_PATCH),
        presets.tensorRt());
    assertTrue(
        presets.tensorRtArtifact().startsWith(nvinfer.NV_TENSORRT_MAJOR + "."), presets::toString);
    assertTrue(presets.cudaArtifact().startsWith(presets.cudaMajor() + "."), presets::toString);
    assertEquals("libnvinfer.so." + nvinfer.NV_TENSORRT_MAJOR, presets.library("nvinfer"));
  }

  @Test
  void versions_areReadAsNvidiaWritesThem() {
    assertEquals(new Version(10, 6, 0), Version.ofTensorRt(100600));
    assertEquals(new Version(11, 2, 1), Version.ofTensorRt(110201));
    assertEquals(new Version(8, 6, 1), Version.ofTensorRt(8601));
    assertEquals("12.9", Version.cuda(12090));
    assertEquals("13.0", Version.cuda(13000));
  }

  @Test
  void platforms_areKnownByEverySpelling() {
    assertEquals(Optional.of(Platform.LINUX_X86_64), Platform.of("Linux", "amd64"));
    assertEquals(Optional.of(Platform.LINUX_X86_64), Platform.of("Linux", "x86_64"));
    assertEquals(Optional.of(Platform.LINUX_ARM64), Platform.of("Linux", "aarch64"));
    assertEquals(Optional.empty(), Platform.of("Mac OS X", "aarch64"));
    assertEquals(Optional.empty(), Platform.of("Linux", "x86"));
  }
}
