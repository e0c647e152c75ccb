package dev.rankrt.examples;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.LocalDate;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class OrderHistoryTest {
  private static final Customer CUSTOMER = new Customer(1, "17850", 0, new float[0]);

  @TempDir private Path folder;

  @Test
  void history_hasEachProductOnce_latestFirst() throws IOException {
    assertEquals(
        List.of(line(3, "A"), line(2, "B")),
        history(
            "1,A,6,2010-12-01T08:26,1.5,17850",
            "2,B,6,2010-12-02T08:26,1.5,17850",
            "3,A,6,2010-12-03T08:26,1.5,17850"));
  }

  @Test
  void history_leavesOutOthersCancellationsAndWhatCameLater() throws IOException {
    assertEquals(
        List.of(line(1, "A")),
        history(
            "1,A,6,2010-12-01T08:26,1.5,17850",
            "2,B,6,2010-12-01T08:27,1.5,17851",
            "C3,C,-6,2010-12-01T08:28,1.5,17850",
            "4,D,-6,2010-12-01T08:28,1.5,17850",
            "5,E,6,2010-12-01T08:28,0,17850",
            "6,F,6,2010-12-10T00:00,1.5,17850"));
  }

  private static OrderHistory.Line line(int day, String code) {
    return new OrderHistory.Line(LocalDate.of(2010, 12, day), code);
  }

  private List<OrderHistory.Line> history(String... orders) throws IOException {
    Path file = folder.resolve("orders.csv");
    Files.writeString(
        file,
        "InvoiceNo,StockCode,Quantity,InvoiceDate,UnitPrice,CustomerID\n"
            + String.join("\n", orders));
    return OrderHistory.of(file, CUSTOMER, LocalDate.of(2010, 12, 10));
  }
}
