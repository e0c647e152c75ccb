package dev.rankrt.examples;

import dev.rankrt.Device;
import dev.rankrt.Engine;
import dev.rankrt.EngineOptions;
import dev.rankrt.Precision;
import dev.rankrt.Session;
import dev.rankrt.natives.RankRtException;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.LocalDate;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.function.Function;
import java.util.stream.Collectors;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/**
 * The first run: what the retail model recommends to a customer, how fast and how well.
 *
 * <p>Ends with 0, with 1 where the model cannot be run here, with 2 for an argument that makes no
 * sense; an unknown customer is one.
 */
@Command(
    name = "recommend",
    mixinStandardHelpOptions = true,
    sortOptions = false,
    description = "Ranks all products for a customer of the shop, and measures the model.")
public final class Recommend implements Callable<Integer> {
  private static final int SHOWN = 10;
  private static final int SHOWN_BOUGHT = 5;
  private static final int NEAREST = 6;
  private static final String LISTING = "all are listed by mvn -q -Pfirst-run -Dcustomer=--list";

  @Spec private CommandSpec spec;

  @Parameters(
      arity = "0..1",
      paramLabel = "CUSTOMER",
      defaultValue = "12748",
      description = "The customer's number in the shop; ${DEFAULT-VALUE} by default.")
  private String customerId;

  @Option(names = "--list", description = "List all customers, and nothing else.")
  private boolean list;

  @Option(
      names = "--device",
      paramLabel = "auto|gpu|cpu",
      defaultValue = "auto",
      description = "Where to run; ${DEFAULT-VALUE} by default.")
  private String device;

  @Option(
      names = "--data",
      paramLabel = "FOLDER",
      defaultValue = "examples/models/retail",
      description = "The folder of the model and its tables; ${DEFAULT-VALUE} by default.")
  private Path folder;

  @Option(
      names = "--day",
      paramLabel = "DATE",
      defaultValue = "2011-11-14",
      description =
          "The day to recommend for. The tables hold what was known on ${DEFAULT-VALUE}, the"
              + " default.")
  private LocalDate day;

  private Recommend() {}

  /**
   * Runs the program and ends the process.
   *
   * @param args see {@code --help}
   */
  public static void main(String[] args) {
    PrintWriter out = new PrintWriter(System.out, true, StandardCharsets.UTF_8);
    PrintWriter err = new PrintWriter(System.err, true, StandardCharsets.UTF_8);
    System.exit(run(out, err, args));
  }

  /** Runs the program and returns the code to end the process with. */
  static int run(PrintWriter out, PrintWriter err, String... args) {
    return new CommandLine(new Recommend())
        .setOut(out)
        .setErr(err)
        .setParameterExceptionHandler(
            (problem, ignored) -> {
              err.println(problem.getMessage());
              return CommandLine.ExitCode.USAGE;
            })
        .setExecutionExceptionHandler(
            (problem, ignored, result) -> {
              if (problem instanceof IOException || problem instanceof RankRtException) {
                err.println(problem.getMessage());
                return CommandLine.ExitCode.SOFTWARE;
              }
              throw problem;
            })
        .execute(args);
  }

  @Override
  public Integer call() throws IOException {
    RetailData data = RetailData.read(folder);
    if (list) {
      data.knownCustomers()
          .forEach(known -> out().println(known.id() + "  " + data.countryOf(known)));
      return CommandLine.ExitCode.OK;
    }
    Customer customer = data.customer(customerId).orElseThrow(() -> unknownCustomer(data));
    EngineOptions options =
        EngineOptions.builder()
            .device(requestedDevice())
            .precision(Precision.FP16)
            .maxBatch(data.products().size())
            .build();
    long start = System.nanoTime();
    try (Engine engine = Engine.open(folder.resolve("ranker.onnx"), options);
        Session session = engine.newSession()) {
      Duration opened = Duration.ofNanos(System.nanoTime() - start);
      printHistory(data, customer);
      printRecommendations(session, data, customer);
      printMeasurements(session, data, opened);
    }
    return CommandLine.ExitCode.OK;
  }

  private void printHistory(RetailData data, Customer customer) throws IOException {
    out().println();
    Path orders = folder.resolveSibling("data").resolve("online-retail.csv");
    if (!Files.exists(orders)) {
      print("Customer %s, %s.", customer.id(), data.countryOf(customer));
      return;
    }
    Map<String, Product> byCode =
        data.products().stream().collect(Collectors.toMap(Product::code, Function.identity()));
    List<OrderHistory.Line> bought = OrderHistory.of(orders, customer, day);
    print(
        "Customer %s, %s. Ordered %,d products before %s, the last of them:",
        customer.id(), data.countryOf(customer), bought.size(), day);
    bought.stream()
        .limit(SHOWN_BOUGHT)
        .forEach(
            line ->
                print(
                    "      %s   %-7s %s", line.day(), line.code(), byCode.get(line.code()).name()));
  }

  private void printRecommendations(Session session, RetailData data, Customer customer) {
    Rows rows = data.everyProduct(customer, day);
    float[] scores = session.infer(rows.dense(), rows.ids());
    out().println();
    print(
        "The %d products that the model ranks highest among all %,d (* ordered in the weeks after):",
        SHOWN, scores.length);
    int rank = 0;
    for (int place : Ranking.highest(scores, SHOWN)) {
      Product product = data.products().get(place);
      print(
          "%4d  %.5f   %s %-7s %s",
          ++rank,
          scores[place],
          data.boughtLater(customer, product) ? "*" : " ",
          product.code(),
          product.name());
    }
  }

  private void printMeasurements(Session session, RetailData data, Duration opened) {
    Engine engine = session.engine();
    List<Customer> customers = data.heldOutCustomers();
    Latency latency = Latency.of(session, data, customers, day);
    Evaluation evaluation = Evaluation.of(session, data);
    out().println();
    print(
        "Device     %s, computing in %s (FP16 asked for), opened in %.1f s",
        engine.device(), engine.precision(), opened.toMillis() / 1e3);
    print(
        "infer      p50 %s, p99 %s over %,d calls, one for each customer held out, %,d rows a call",
        latency.percentile(50), latency.percentile(99), latency.calls(), data.products().size());
    print(
        "AUC        %.4f over %,d rows held out; PyTorch %.4f, by popularity %.4f",
        evaluation.auc(), evaluation.rows(), evaluation.referenceAuc(), evaluation.popularityAuc());
    print("Scores     at most %.1e from PyTorch's", evaluation.largestDifference());
  }

  private Device requestedDevice() {
    return switch (device) {
      case "auto" -> Device.auto();
      case "gpu" -> Device.gpu(0);
      case "cpu" -> Device.cpu();
      default -> throw wrong("--device is auto, gpu or cpu, not '" + device + "'");
    };
  }

  private ParameterException unknownCustomer(RetailData data) {
    List<Customer> known = data.knownCustomers();
    String first = known.get(0).id();
    String last = known.get(known.size() - 1).id();
    String text =
        String.format(
            Locale.ROOT,
            "There is no customer '%s'. The %,d customers have numbers from %s to %s; ",
            customerId,
            known.size(),
            first,
            last);
    long wanted;
    try {
      wanted = Long.parseLong(customerId);
    } catch (NumberFormatException e) {
      return wrong(text + LISTING);
    }
    String nearest =
        known.stream()
            .map(Customer::id)
            .sorted(Comparator.comparingLong(id -> Math.abs(Long.parseLong(id) - wanted)))
            .limit(NEAREST)
            .sorted()
            .collect(Collectors.joining(", "));
    return wrong(text + "the nearest are " + nearest + "; " + LISTING);
  }

  private ParameterException wrong(String message) {
    return new ParameterException(spec.commandLine(), message);
  }

  private void print(String format, Object... values) {
    out().println(String.format(Locale.ROOT, format, values));
  }

  private PrintWriter out() {
    return spec.commandLine().getOut();
  }
}
