package dev.rankrt.examples.cli;

import com.google.gson.Gson;
import com.google.gson.GsonBuilder;
import com.google.gson.JsonParseException;
import com.google.gson.TypeAdapter;
import com.google.gson.TypeAdapterFactory;
import com.google.gson.reflect.TypeToken;
import com.google.gson.stream.JsonReader;
import com.google.gson.stream.JsonToken;
import com.google.gson.stream.JsonWriter;
import java.io.IOException;
import java.lang.reflect.ParameterizedType;
import java.nio.file.Path;
import java.time.Instant;
import java.util.Optional;
import java.util.function.Function;

/**
 * Results as JSON: a record is an object with its components' names in their order, an {@link
 * Optional} its value or {@code null}, an {@link Instant} and a {@link Path} their text, and so is
 * a double that is no number, for which JSON has nothing else.
 */
public final class Json {
  private static final Gson GSON =
      new GsonBuilder()
          .setPrettyPrinting()
          .disableHtmlEscaping()
          .serializeNulls()
          .registerTypeAdapterFactory(new OptionalFactory())
          .registerTypeAdapter(double.class, new Doubles())
          .registerTypeAdapter(Double.class, new Doubles())
          .registerTypeAdapter(Instant.class, new Text<>(Instant::parse))
          .registerTypeHierarchyAdapter(Path.class, new Text<>(Path::of))
          .create();

  private Json() {}

  /** Returns the JSON of a result, ending with a line feed. */
  public static String write(Object result) {
    return GSON.toJson(result) + "\n";
  }

  /**
   * Returns what was written.
   *
   * @throws JsonParseException if the text is not the JSON of such an object
   */
  public static <T> T read(String json, Class<T> type) {
    return GSON.fromJson(json, type);
  }

  /** What its {@code toString} writes and a function reads. */
  private static final class Text<T> extends TypeAdapter<T> {
    private final Function<String, T> parse;

    Text(Function<String, T> parse) {
      this.parse = parse;
    }

    @Override
    public void write(JsonWriter out, T value) throws IOException {
      out.value(value == null ? null : value.toString());
    }

    @Override
    public T read(JsonReader in) throws IOException {
      if (in.peek() == JsonToken.NULL) {
        in.nextNull();
        return null;
      }
      String text = in.nextString();
      try {
        return parse.apply(text);
      } catch (RuntimeException e) {
        throw new JsonParseException(e.getMessage() + " at path " + in.getPreviousPath(), e);
      }
    }
  }

  /** Gson itself refuses what is no number: a lost file, after minutes of measuring. */
  private static final class Doubles extends TypeAdapter<Double> {
    @Override
    public void write(JsonWriter out, Double value) throws IOException {
      if (value == null || Double.isFinite(value)) {
        out.value(value);
      } else {
        out.value(value.toString());
      }
    }

    @Override
    public Double read(JsonReader in) throws IOException {
      if (in.peek() == JsonToken.NULL) {
        in.nextNull();
        return null;
      }
      try {
        return in.nextDouble();
      } catch (NumberFormatException e) {
        throw new JsonParseException(e);
      }
    }
  }

  /** Gson itself would look into {@link Optional}, which the JDK does not allow. */
  private static final class OptionalFactory implements TypeAdapterFactory {
    @Override
    @SuppressWarnings("unchecked") // T is Optional, checked by its raw type
    public <T> TypeAdapter<T> create(Gson gson, TypeToken<T> type) {
      if (type.getRawType() != Optional.class) {
        return null;
      }
      var inner = ((ParameterizedType) type.getType()).getActualTypeArguments()[0];
      return (TypeAdapter<T>) adapter(gson.getAdapter(TypeToken.get(inner)));
    }

    private static <V> TypeAdapter<Optional<V>> adapter(TypeAdapter<V> inner) {
      return new TypeAdapter<>() {
        @Override
        public void write(JsonWriter out, Optional<V> value) throws IOException {
          inner.write(out, value.orElse(null));
        }

        @Override
        public Optional<V> read(JsonReader in) throws IOException {
          if (in.peek() == JsonToken.NULL) {
            in.nextNull();
            return Optional.empty();
          }
          return Optional.of(inner.read(in));
        }
      };
    }
  }
}
