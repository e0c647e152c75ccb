package dev.rankrt.examples.cli;

import dev.rankrt.EngineOptions.IdRange;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.TypeConversionException;

/** Reads ranges of ids, such as {@code 0..9999}. Immutable. */
public final class IdRanges implements ITypeConverter<IdRange> {
  private static final Pattern RANGE = Pattern.compile("(-?\\d{1,18})\\.\\.(-?\\d{1,18})");

  @Override
  public IdRange convert(String text) {
    Matcher ends = RANGE.matcher(text);
    if (!ends.matches()) {
      throw new TypeConversionException("'" + text + "' is not MIN..MAX, such as 0..9999");
    }
    try {
      return new IdRange(Long.parseLong(ends.group(1)), Long.parseLong(ends.group(2)));
    } catch (IllegalArgumentException e) {
      throw new TypeConversionException(e.getMessage());
    }
  }
}
