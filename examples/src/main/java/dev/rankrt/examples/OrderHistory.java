package dev.rankrt.examples;

import de.siegmar.fastcsv.reader.CsvReader;
import de.siegmar.fastcsv.reader.NamedCsvRecord;
import java.io.IOException;
import java.nio.file.Path;
import java.time.LocalDate;
import java.time.LocalDateTime;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;

/** The shop's orders, from which the tables were made. */
final class OrderHistory {
  /**
   * One line of an order.
   *
   * @param day when it was ordered
   * @param code the product's code
   */
  record Line(LocalDate day, String code) {}

  private OrderHistory() {}

  /**
   * Returns what a customer ordered before a day, each product once, the latest first.
   *
   * @throws IOException if the file cannot be read
   */
  static List<Line> of(Path file, Customer customer, LocalDate before) throws IOException {
    Map<String, Line> latest = new LinkedHashMap<>();
    try (CsvReader<NamedCsvRecord> reader = CsvReader.builder().ofNamedCsvRecord(file);
        Stream<NamedCsvRecord> lines = reader.stream()) {
      lines
          .filter(line -> line.getField("CustomerID").equals(customer.id()))
          .filter(OrderHistory::isSale)
          .map(
              line ->
                  new Line(
                      LocalDateTime.parse(line.getField("InvoiceDate")).toLocalDate(),
                      line.getField("StockCode")))
          .filter(line -> line.day().isBefore(before))
          .forEach(
              line -> {
                latest.remove(line.code()); // the file is in time order, and so stays the map
                latest.put(line.code(), line);
              });
    }
    List<Line> newestFirst = new ArrayList<>(latest.values());
    Collections.reverse(newestFirst);
    return newestFirst;
  }

  private static boolean isSale(NamedCsvRecord line) {
    return !line.getField("InvoiceNo").startsWith("C")
        && Integer.parseInt(line.getField("Quantity")) > 0
        && Double.parseDouble(line.getField("UnitPrice")) > 0;
  }
}
