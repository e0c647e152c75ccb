package dev.rankrt.examples;

import de.siegmar.fastcsv.reader.CsvReader;
import de.siegmar.fastcsv.reader.NamedCsvRecord;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.time.LocalDate;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Function;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/** The tables beside the retail model: what turns a customer into rows of numbers. Immutable. */
final class RetailData {
  private final List<Product> products;
  private final List<Customer> customers;
  private final Map<String, Customer> customersById;
  private final List<String> countries;
  private final List<HeldOut> heldOut;

  private RetailData(
      List<Product> products,
      List<Customer> customers,
      List<String> countries,
      List<HeldOut> heldOut) {
    this.products = products;
    this.customers = customers;
    this.customersById =
        customers.stream()
            .filter(customer -> !customer.id().isEmpty())
            .collect(Collectors.toUnmodifiableMap(Customer::id, Function.identity()));
    this.countries = countries;
    this.heldOut = heldOut;
  }

  /**
   * Reads the tables.
   *
   * @param folder where they are
   * @throws IOException if one is missing, or is not the table that it should be
   */
  static RetailData read(Path folder) throws IOException {
    return new RetailData(
        table(
            folder.resolve("products.csv"),
            line ->
                new Product(
                    number(line, "index"),
                    line.getField("stock_code"),
                    line.getField("description"),
                    features(line, "p_"))),
        table(
            folder.resolve("customers.csv"),
            line ->
                new Customer(
                    number(line, "index"),
                    line.getField("customer_id"),
                    number(line, "country"),
                    features(line, "c_"))),
        table(folder.resolve("countries.csv"), line -> line.getField("country")),
        table(
            folder.resolve("heldout.csv"),
            line ->
                new HeldOut(
                    number(line, "customer"),
                    number(line, "product"),
                    number(line, "month"),
                    number(line, "weekday"),
                    number(line, "label") == 1,
                    Double.parseDouble(line.getField("score")),
                    number(line, "popularity"))));
  }

  /** Returns every product; a product's place is its index. */
  List<Product> products() {
    return products;
  }

  /** Returns the customer with one of the shop's numbers. */
  Optional<Customer> customer(String id) {
    return Optional.ofNullable(customersById.get(id));
  }

  /** Returns all customers who have a number, in ascending order of it. */
  List<Customer> knownCustomers() {
    return customersById.values().stream()
        .sorted((a, b) -> Long.compare(Long.parseLong(a.id()), Long.parseLong(b.id())))
        .toList();
  }

  /** Returns the customers who ordered something after the cut-off. */
  List<Customer> heldOutCustomers() {
    return heldOut.stream().map(HeldOut::customer).distinct().map(customers::get).toList();
  }

  List<HeldOut> heldOut() {
    return heldOut;
  }

  String countryOf(Customer customer) {
    return countries.get(customer.country());
  }

  /** Tells whether a customer ordered a product after the cut-off. */
  boolean boughtLater(Customer customer, Product product) {
    return heldOut.stream()
        .anyMatch(
            row ->
                row.bought()
                    && row.customer() == customer.index()
                    && row.product() == product.index());
  }

  /** Returns one row for each product: what would this customer order on that day? */
  Rows everyProduct(Customer customer, LocalDate day) {
    Rows rows = new Rows(products.size(), denseWidth());
    for (Product product : products) {
      rows.set(
          product.index(),
          product,
          customer,
          day.getMonthValue() - 1,
          day.getDayOfWeek().getValue() - 1);
    }
    return rows;
  }

  /** Returns one row for each of these held-out examples. */
  Rows examples(List<HeldOut> part) {
    Rows rows = new Rows(part.size(), denseWidth());
    for (int row = 0; row < part.size(); row++) {
      HeldOut example = part.get(row);
      rows.set(
          row,
          products.get(example.product()),
          customers.get(example.customer()),
          example.month(),
          example.weekday());
    }
    return rows;
  }

  private int denseWidth() {
    return products.get(0).features() + customers.get(0).features();
  }

  private static <T> List<T> table(Path file, Function<NamedCsvRecord, T> line) throws IOException {
    if (!Files.exists(file)) {
      throw new NoSuchFileException(
          file.toString(), null, "not found; start in the root of the repository, or use --data");
    }
    try (CsvReader<NamedCsvRecord> reader = CsvReader.builder().ofNamedCsvRecord(file);
        Stream<NamedCsvRecord> lines = reader.stream()) {
      List<T> table = lines.map(line).toList();
      if (table.isEmpty()) {
        throw new IOException(file + " has no lines");
      }
      return table;
    } catch (RuntimeException e) {
      // A missing column, a word in the place of a number, a quote that never ends.
      throw new IOException(file + " is not the table that was expected: " + e.getMessage(), e);
    }
  }

  private static int number(NamedCsvRecord line, String column) {
    return Integer.parseInt(line.getField(column));
  }

  /** Reads the columns whose names start so, in the table's order, which is the model's. */
  private static float[] features(NamedCsvRecord line, String prefix) {
    List<String> header = line.getHeader();
    int count = (int) header.stream().filter(name -> name.startsWith(prefix)).count();
    float[] features = new float[count];
    int next = 0;
    for (int column = 0; column < header.size(); column++) {
      if (header.get(column).startsWith(prefix)) {
        features[next++] = Float.parseFloat(line.getField(column));
      }
    }
    return features;
  }
}
