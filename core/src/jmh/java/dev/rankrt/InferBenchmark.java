package dev.rankrt;

import java.nio.FloatBuffer;
import java.nio.LongBuffer;
import java.nio.file.Path;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Level;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;
import org.openjdk.jmh.annotations.Warmup;

/**
 * A call of a session, for a model of one float and one id input; with {@code -prof gc}, what it
 * allocates.
 */
@State(Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MICROSECONDS)
@Warmup(iterations = 2, time = 1)
@Measurement(iterations = 3, time = 1)
@Fork(1)
public class InferBenchmark {
  /** An ONNX file. */
  @Param("examples/models/reference/dlrm/model.onnx")
  public String model;

  @Param({"1", "64"})
  public int rows;

  @Param("false")
  public boolean cpu;

  private Engine engine;
  private Session session;
  private FloatBuffer scores;
  private float[] dense;
  private long[] ids;

  @Setup(Level.Trial)
  public void open() {
    engine =
        Engine.open(
            Path.of(model),
            EngineOptions.builder()
                .device(cpu ? Device.cpu() : Device.gpu(0))
                .precision(Precision.FP16)
                .build());
    session = engine.newSession();
    Random random = new Random(1);
    dense = new float[rows * engine.inputs().get(0).shape().elementsPerRow()];
    ids = new long[rows * engine.inputs().get(1).shape().elementsPerRow()];
    for (int i = 0; i < dense.length; i++) {
      dense[i] = (float) random.nextGaussian();
    }
    FloatBuffer denseView = session.input(engine.inputs().get(0).name()).floats();
    LongBuffer idView = session.input(engine.inputs().get(1).name()).longs();
    denseView.put(0, dense);
    idView.put(0, ids);
    scores = session.output(engine.outputs().get(0).name()).floats();
  }

  @TearDown(Level.Trial)
  public void close() {
    session.close();
    engine.close();
  }

  /** Values in place, and the scores read where they are: allocates nothing. */
  @Benchmark
  public float runOnViews() {
    session.run(rows);
    return scores.get(rows - 1);
  }

  /** Values from arrays: allocates the array of scores. */
  @Benchmark
  public float[] infer() {
    return session.infer(dense, ids);
  }
}
