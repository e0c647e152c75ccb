package dev.rankrt.examples.bench;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.rankrt.Device;
import dev.rankrt.EngineOptions;
import dev.rankrt.EngineOptions.IdRange;
import dev.rankrt.Precision;
import dev.rankrt.Ranker;
import dev.rankrt.RankerOptions;
import dev.rankrt.natives.RankRtException;
import java.io.File;
import java.io.IOException;
import java.lang.reflect.InvocationTargetException;
import java.net.URISyntaxException;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.StringJoiner;
import javax.tools.ToolProvider;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What {@code tune} prints is compiled and run. */
class JavaCodeTest {
  private static final Workload WORKLOAD =
      new Workload(
          "a model",
          Path.of("models \"of\" mine\\ranker.onnx"),
          Optional.empty(),
          Map.of("the \"ids\"", new IdRange(-5, 30_000_000_000L)),
          new IdRange(0, 9));

  @TempDir private Path folder;

  @Test
  void settings_areThoseThatWereChosen() throws Exception {
    Setup setup = new Setup(Precision.FP16, 256, List.of(8, 64), 3, 4, 200);
    assertSame(setup, Device.gpu(0));
  }

  @Test
  void defaults_areLeftOut() throws Exception {
    Setup setup = Setup.defaults(1);
    assertSame(setup, Device.cpu());
    String code = JavaCode.of(setup, WORKLOAD, Device.cpu());
    assertTrue(!code.contains("workers") && !code.contains("Duration"), code);
  }

  private void assertSame(Setup setup, Device device) throws Exception {
    Object[] made = run(JavaCode.of(setup, WORKLOAD, device));
    EngineOptions options = (EngineOptions) made[0];
    RankerOptions serving = (RankerOptions) made[1];
    assertEquals(setup.engineOptions(WORKLOAD, device).toString(), options.toString());
    assertEquals(setup.rankerOptions().toString(), serving.toString());
  }

  /** Returns the options that the code makes; it opens nothing, since no such model is there. */
  private Object[] run(String code)
      throws IOException, URISyntaxException, ReflectiveOperationException {
    int statements = code.lastIndexOf("import ");
    int end = code.indexOf('\n', statements) + 1;
    String source =
        code.substring(0, end)
            + "public class Pasted { public static Object[] options() {\n"
            + code.substring(end).replace("Ranker ranker = ", "Supplier<Ranker> ranker = () -> ")
            + "return new Object[] {options, serving}; } }\n";
    Path file = folder.resolve("Pasted.java");
    Files.writeString(file, "import java.util.function.Supplier;\n" + source);
    StringJoiner classPath = new StringJoiner(File.pathSeparator);
    for (Class<?> type : List.of(Ranker.class, RankRtException.class)) {
      URL place = type.getProtectionDomain().getCodeSource().getLocation();
      classPath.add(Path.of(place.toURI()).toString());
    }
    int result =
        ToolProvider.getSystemJavaCompiler()
            .run(null, null, null, "-proc:none", "-cp", classPath.toString(), file.toString());
    assertEquals(0, result, source);
    try (URLClassLoader loader =
        new URLClassLoader(
            new URL[] {folder.toUri().toURL()}, JavaCodeTest.class.getClassLoader())) {
      return (Object[]) loader.loadClass("Pasted").getMethod("options").invoke(null);
    } catch (InvocationTargetException e) {
      throw new AssertionError(source, e.getCause());
    }
  }
}
