package dev.rankrt.examples;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.LocalDate;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class RetailDataTest {
  private static final LocalDate TUESDAY_IN_MARCH = LocalDate.of(2011, 3, 1);

  @TempDir private Path folder;

  @BeforeEach
  void writeTables() throws IOException {
    write(
        "products.csv",
        "index,stock_code,sold_before,p_a,p_b,description",
        "0,A1,5,0.1,0.2,\"BAG, RED\"",
        "1,B2,0,0.3,0.4,CUP");
    write(
        "customers.csv",
        "index,customer_id,country,c_a",
        "0,,1,9",
        "1,12346,0,-0.5",
        "2,12350,1,0.75",
        "3,9999,1,1");
    write("countries.csv", "index,country", "0,France", "1,United Kingdom");
    write(
        "heldout.csv",
        "customer,product,month,weekday,label,score,popularity",
        "2,0,10,4,1,0.625,5",
        "2,1,10,4,0,0.125,0",
        "1,1,11,0,1,0.5,0");
  }

  @Test
  void products_keepTheirOrderAndTheirCommas() throws IOException {
    List<Product> products = RetailData.read(folder).products();
    assertEquals(List.of("A1", "B2"), products.stream().map(Product::code).toList());
    assertEquals("BAG, RED", products.get(0).name());
  }

  @Test
  void customer_isFoundByTheNumberInTheShop() throws IOException {
    RetailData data = RetailData.read(folder);
    Customer customer = data.customer("12350").orElseThrow();
    assertEquals(2, customer.index());
    assertEquals("United Kingdom", data.countryOf(customer));
  }

  @Test
  void customerWithoutANumber_isNobody() throws IOException {
    RetailData data = RetailData.read(folder);
    assertEquals(Optional.empty(), data.customer(""));
    assertEquals(Optional.empty(), data.customer("4711"));
    assertEquals(
        List.of("9999", "12346", "12350"),
        data.knownCustomers().stream().map(Customer::id).toList());
  }

  @Test
  void everyProduct_isARowOfProductThenCustomerThenDay() throws IOException {
    RetailData data = RetailData.read(folder);
    Rows rows = data.everyProduct(data.customer("12346").orElseThrow(), TUESDAY_IN_MARCH);
    assertArrayEquals(new float[] {0.1f, 0.2f, -0.5f, 0.3f, 0.4f, -0.5f}, rows.dense());
    assertArrayEquals(new long[] {1, 0, 0, 2, 1, 1, 1, 0, 2, 1}, rows.ids());
  }

  @Test
  void examples_haveADayOfTheirOwn() throws IOException {
    RetailData data = RetailData.read(folder);
    Rows rows = data.examples(data.heldOut().subList(1, 3));
    assertArrayEquals(new float[] {0.3f, 0.4f, 0.75f, 0.3f, 0.4f, -0.5f}, rows.dense());
    assertArrayEquals(new long[] {2, 1, 1, 10, 4, 1, 1, 0, 11, 0}, rows.ids());
  }

  @Test
  void heldOut_tellsWhoBoughtWhatLater() throws IOException {
    RetailData data = RetailData.read(folder);
    Customer customer = data.customer("12350").orElseThrow();
    assertEquals(
        List.of("12350", "12346"), data.heldOutCustomers().stream().map(Customer::id).toList());
    assertTrue(data.boughtLater(customer, data.products().get(0)));
    assertFalse(data.boughtLater(customer, data.products().get(1)));
  }

  @Test
  void missingTable_isNamed_withWhatToDo() throws IOException {
    Files.delete(folder.resolve("countries.csv"));
    IOException missing = assertThrows(IOException.class, () -> RetailData.read(folder));
    assertTrue(missing.getMessage().contains("countries.csv"), missing::getMessage);
    assertTrue(missing.getMessage().contains("--data"), missing::getMessage);
  }

  @Test
  void otherTable_isNamed_withWhatIsWrong() throws IOException {
    write("heldout.csv", "customer,product,month,weekday,label,score,popularity", "2,0,x,4,1,1,5");
    IOException wrong = assertThrows(IOException.class, () -> RetailData.read(folder));
    assertTrue(wrong.getMessage().contains("heldout.csv"), wrong::getMessage);
    assertTrue(wrong.getMessage().contains("\"x\""), wrong::getMessage);

    write("heldout.csv", "customer,product", "2,0");
    wrong = assertThrows(IOException.class, () -> RetailData.read(folder));
    assertTrue(wrong.getMessage().contains("month"), wrong::getMessage);
  }

  private void write(String file, String... lines) throws IOException {
    Files.write(folder.resolve(file), List.of(lines));
  }
}
