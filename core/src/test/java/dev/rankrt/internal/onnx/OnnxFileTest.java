package dev.rankrt.internal.onnx;

import static org.junit.jupiter.api.Assertions.assertDoesNotThrow;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.rankrt.ModelException;
import dev.rankrt.testing.OnnxModel;
import dev.rankrt.testing.OnnxModels;
import dev.rankrt.testing.Reference;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.FieldSource;
import org.junit.jupiter.params.provider.ValueSource;

class OnnxFileTest {
  @TempDir Path folder;
  private Path file;

  @BeforeEach
  void nameTheFile() {
    file = folder.resolve("ranker.onnx");
  }

  private String refusal() {
    String message =
        assertThrows(ModelException.class, () -> OnnxFile.requireServable(file)).getMessage();
    assertTrue(message.contains(file.toString()), message);
    assertTrue(message.contains("is no ONNX model, or only a part of one: "), message);
    assertTrue(!message.contains("null"), message);
    return message;
  }

  static final List<String> FAMILIES = Reference.FAMILIES;

  @ParameterizedTest
  @FieldSource("FAMILIES")
  void exportedModel_isWhole_andNoTruncationOfItIs(String family) throws IOException {
    byte[] model = Reference.load(family).model();
    Files.write(file, model);
    OnnxFile.requireServable(file);
    // From the end, in place: every length near both ends, and some of each kind between.
    try (RandomAccessFile shrinking = new RandomAccessFile(file.toFile(), "rw")) {
      for (int length = model.length - 1; length >= 0; length--) {
        if (length < 3000 || length > model.length - 3000 || length % 97 == 0) {
          shrinking.setLength(length);
          refusal();
        }
      }
    }
  }

  @Test
  void smallModels_areWhole_andNoTruncationOfThemIs() throws IOException {
    for (OnnxModel model :
        List.of(
            OnnxModels.ranker(OnnxModel.Type.INT32),
            OnnxModels.ranker(OnnxModel.Type.INT64, 8),
            OnnxModels.history(3, 4),
            OnnxModels.manyOutputs(),
            OnnxModels.withoutBatch(),
            OnnxModels.scalarInput(),
            OnnxModels.softmaxOverRows(),
            OnnxModels.twoRowsForEach(),
            OnnxModels.unknownOperator(),
            OnnxModels.freeSecondDimension())) {
      byte[] bytes = model.bytes();
      Files.write(file, bytes);
      OnnxFile.requireServable(file);
      try (RandomAccessFile shrinking = new RandomAccessFile(file.toFile(), "rw")) {
        for (int length = bytes.length - 1; length >= 0; length--) {
          shrinking.setLength(length);
          refusal();
        }
      }
    }
  }

  @Test
  void randomBytes_areRefused() throws IOException {
    Random random = new Random(5);
    for (int i = 0; i < 1000; i++) {
      byte[] noise = new byte[1 + random.nextInt(2000)];
      random.nextBytes(noise);
      Files.write(file, noise);
      refusal();
    }
  }

  @Test
  void plan_isRefused() throws IOException {
    Files.writeString(file, "RankRT\r\n" + "\0".repeat(100));
    refusal();
    Files.writeString(file, "ftrt".repeat(30));
    refusal();
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "", // no byte at all
        "0808" + "4200", // no graph
        "0808" + "3A00" + "4200", // a graph of nothing
        "3A020A00" + "4200", // no version of the format
        "0808" + "3A020A00", // no version of the operators
        "00", // a field without a number
        "0F", // a kind of field that there is not
        "0888", // ends within a number
        "08FFFFFFFFFFFFFFFFFFFFFF01", // a number of more than 64 bits
        "3AFFFFFFFFFFFFFFFFFF01", // a negative length
        "0D010203", // ends within 32 bits
        "0901020304050607", // ends within 64 bits
        "3A05010203", // ends within a message
      })
  void malformedFile_isRefused(String hex) throws IOException {
    Files.write(file, java.util.HexFormat.of().parseHex(hex));
    refusal();
  }

  @Test
  void unknownFieldsOfEveryKind_areLeftToTheParser() throws IOException {
    String unknown = "F80101" + "F9010102030405060708" + "FA010100" + "FD0101020304";
    Files.write(
        file, java.util.HexFormat.of().parseHex("0808" + unknown + "3A020A00" + "4200" + unknown));
    assertDoesNotThrow(() -> OnnxFile.requireServable(file));
  }

  @Test
  void missingFile_isRefused() {
    refusal();
  }
}
