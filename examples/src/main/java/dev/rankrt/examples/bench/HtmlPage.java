package dev.rankrt.examples.bench;

import java.util.List;
import java.util.Map;

/** Results as one page that needs no other file, no script and no network. */
final class HtmlPage {
  private static final String STYLE =
      """
      *{box-sizing:border-box}
      html{color-scheme:light dark}
      body{margin:0 auto;max-width:68rem;padding:1.5rem 1rem 3rem;background:var(--paper);color:var(--ink);
      font:16px/1.5 system-ui,sans-serif}
      h1{font-size:1.6rem;margin:0 0 .25rem}
      h2{font-size:1.15rem;margin:2.5rem 0 .25rem}
      p{margin:.25rem 0 .75rem;color:var(--soft)}
      .wide{overflow-x:auto}
      svg{display:block;width:100%;min-width:36rem;height:auto}
      table{border-collapse:collapse;width:100%;font-size:.8125rem;font-variant-numeric:tabular-nums}
      th,td{padding:.35rem .6rem;text-align:right;white-space:nowrap;border-bottom:1px solid var(--grid)}
      th{color:var(--soft);font-weight:600;border-bottom-color:var(--edge)}
      th:first-child,td:first-child,th:nth-child(2),td:nth-child(2){text-align:left}
      dl{display:grid;grid-template-columns:max-content 1fr;gap:.25rem 1rem;font-size:.875rem;margin:1rem 0}
      dt{color:var(--soft)}
      dd{margin:0;overflow-wrap:anywhere}
      """;

  private HtmlPage() {}

  static String of(Results results) {
    StringBuilder html = new StringBuilder();
    String title = "RankRT: " + results.model().name();
    html.append("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n");
    html.append(
        "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n<title>");
    html.append(Charts.escape(title)).append("</title>\n<style>\n");
    html.append(Charts.STYLE).append(STYLE).append("</style>\n</head>\n<body>\n<h1>");
    html.append(Charts.escape(title)).append("</h1>\n");
    html.append("<p>What the model takes on this machine, by how it is run.</p>\n");
    pairs(html, Tables.facts(results));
    for (Charts.Chart chart : new Charts(results).all()) {
      heading(html, chart.title());
      html.append("<p>").append(Charts.escape(chart.caption())).append("</p>\n");
      html.append("<div class=\"wide\">").append(chart.svg()).append("</div>\n");
    }
    for (Tables.Table table : Tables.of(results)) {
      heading(html, table.title());
      table(html, table);
    }
    html.append("<p>").append(Charts.escape(Tables.NOTE)).append("</p>\n");
    heading(html, "How each was run");
    pairs(html, Tables.details(results));
    return html.append("</body>\n</html>\n").toString();
  }

  private static void heading(StringBuilder html, String text) {
    html.append("<h2>").append(Charts.escape(text)).append("</h2>\n");
  }

  private static void pairs(StringBuilder html, Map<String, String> pairs) {
    html.append("<dl>\n");
    pairs.forEach(
        (name, value) ->
            html.append("<dt>")
                .append(Charts.escape(name))
                .append("</dt><dd>")
                .append(Charts.escape(value))
                .append("</dd>\n"));
    html.append("</dl>\n");
  }

  private static void table(StringBuilder html, Tables.Table table) {
    html.append("<div class=\"wide\"><table>\n<thead>");
    line(html, "th", table.header());
    html.append("</thead>\n<tbody>\n");
    table.lines().forEach(cells -> line(html, "td", cells));
    html.append("</tbody>\n</table></div>\n");
  }

  private static void line(StringBuilder html, String element, List<String> cells) {
    html.append("<tr>");
    for (String cell : cells) {
      html.append('<').append(element).append('>').append(Charts.escape(cell));
      html.append("</").append(element).append('>');
    }
    html.append("</tr>\n");
  }
}
