package dev.rankrt.examples.bench;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.rankrt.examples.cli.Json;
import java.io.IOException;
import java.io.StringReader;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import javax.xml.parsers.DocumentBuilderFactory;
import javax.xml.parsers.ParserConfigurationException;
import org.junit.jupiter.api.Test;
import org.w3c.dom.Document;
import org.w3c.dom.Element;
import org.w3c.dom.NodeList;
import org.xml.sax.InputSource;
import org.xml.sax.SAXException;

/** Results as JSON, text, page and picture. */
class ResultsTest {
  private static final Set<String> FETCHING = Set.of("src", "href", "xlink:href", "data", "action");

  private final Results results = ExampleResults.full();

  @Test
  void json_isReadAsWhatWasWritten() {
    assertEquals(results, Json.read(Json.write(results), Results.class));
  }

  @Test
  void text_hasEveryRow_andForEveryLineOfFiguresItsNumberOfRequests() {
    String text = TextReport.of(results);
    for (Contender contender : Contender.values()) {
      assertTrue(text.contains(contender.title()), text);
    }
    assertTrue(text.contains("GPU without TensorRT  not measured: no module named"), text);
    for (Tables.Table table : Tables.of(results)) {
      int requests = table.header().indexOf("requests");
      for (List<String> line : table.lines()) {
        assertTrue(line.get(requests).startsWith("4,321"), line::toString);
      }
    }
    assertEquals(4, Tables.of(results).size());
    assertTrue(text.contains("64 % (29 readings)"), text);
    assertTrue(text.contains("4,321 and 4 unanswered"), text);
  }

  @Test
  void page_isWellFormed_andFetchesNothing() throws Exception {
    String html = HtmlPage.of(results);
    Document page = parse(html.substring(html.indexOf("<html")));

    assertFetchesNothing(html, page);
    assertEquals(0, page.getElementsByTagName("script").getLength());
    assertEquals(5, page.getElementsByTagName("svg").getLength());
    assertEquals(4, page.getElementsByTagName("table").getLength());
    assertTrue(page.getDocumentElement().getTextContent().contains(ExampleResults.HOSTILE));
    assertTrue(html.contains("prefers-color-scheme:dark"), "dark, too");
    assertTrue(html.contains("width=device-width"), "on telephones, too");
  }

  @Test
  void page_namesNoColourThatItDoesNotDefine() {
    String html = HtmlPage.of(results);
    Matcher used = Pattern.compile("var\\((--\\w+)\\)").matcher(html);
    List<String> missing = new ArrayList<>();
    while (used.find()) {
      // Once for light, once for dark.
      if (html.split(Pattern.quote(used.group(1) + ":"), -1).length < 3) {
        missing.add(used.group(1));
      }
    }
    assertEquals(List.of(), missing);
  }

  @Test
  void charts_keepTextAndMarksWithinTheirBorders() throws Exception {
    for (Charts.Chart chart : new Charts(results).all()) {
      Document svg = parse(chart.svg());
      NodeList texts = svg.getElementsByTagName("text");
      assertTrue(texts.getLength() > 0, chart::title);
      for (int i = 0; i < texts.getLength(); i++) {
        Element text = (Element) texts.item(i);
        double x = Double.parseDouble(text.getAttribute("x"));
        double y = Double.parseDouble(text.getAttribute("y"));
        // Letters are 7 to 8 units wide on average.
        double width = 7.5 * text.getTextContent().length();
        String anchor = text.getAttribute("class");
        double left =
            anchor.contains("end") ? x - width : anchor.contains("middle") ? x - width / 2 : x;
        assertTrue(
            left >= 0 && left + width <= Charts.WIDTH,
            chart.title() + ": " + text.getTextContent());
        assertTrue(y > 0 && y <= chart.height(), chart.title() + ": " + text.getTextContent());
      }
      NodeList circles = svg.getElementsByTagName("circle");
      for (int i = 0; i < circles.getLength(); i++) {
        double x = Double.parseDouble(((Element) circles.item(i)).getAttribute("cx"));
        assertTrue(x >= 0 && x <= Charts.WIDTH, chart::title);
      }
    }
  }

  @Test
  void picture_isWellFormed_andStandsForItself() throws Exception {
    String picture = new Charts(results).picture();
    Document svg = parse(picture);

    assertFetchesNothing(picture.replace("http://www.w3.org/2000/svg", ""), svg);
    assertTrue(svg.getDocumentElement().getTextContent().contains("NVIDIA H200, 2026-01-02"));
    assertTrue(svg.getDocumentElement().getTextContent().contains("n 4,321"));
  }

  private static void assertFetchesNothing(String source, Document document) {
    assertFalse(source.contains("http"), "no address");
    assertFalse(source.contains("url("), "no address in styles");
    assertFalse(source.contains("@import"), "no other style sheet");
    NodeList all = document.getElementsByTagName("*");
    for (int i = 0; i < all.getLength(); i++) {
      for (String attribute : FETCHING) {
        assertFalse(((Element) all.item(i)).hasAttribute(attribute), attribute);
      }
    }
  }

  private static Document parse(String xml)
      throws ParserConfigurationException, IOException, SAXException {
    return DocumentBuilderFactory.newInstance()
        .newDocumentBuilder()
        .parse(new InputSource(new StringReader(xml)));
  }
}
