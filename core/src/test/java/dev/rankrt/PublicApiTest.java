package dev.rankrt;

import static java.util.stream.Collectors.toCollection;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.rankrt.natives.RankRtException;
import java.io.IOException;
import java.io.InputStream;
import java.lang.module.ModuleDescriptor;
import java.lang.reflect.Constructor;
import java.lang.reflect.Executable;
import java.lang.reflect.Field;
import java.lang.reflect.GenericArrayType;
import java.lang.reflect.Method;
import java.lang.reflect.Modifier;
import java.lang.reflect.ParameterizedType;
import java.lang.reflect.RecordComponent;
import java.lang.reflect.Type;
import java.lang.reflect.WildcardType;
import java.net.URI;
import java.net.URL;
import java.nio.file.FileSystem;
import java.nio.file.FileSystems;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** What users see of all library modules: nothing of other libraries, and not much of ours. */
class PublicApiTest {
  private static final int MOST_TYPES = 40;

  /** Each module and the only one of ours that it may require. */
  private static final Map<String, String> NEIGHBOURS =
      Map.of(
          "dev.rankrt.natives", "",
          "dev.rankrt.memory", "dev.rankrt.natives",
          "dev.rankrt.streams", "dev.rankrt.memory",
          "dev.rankrt.core", "dev.rankrt.streams");

  private static final Set<String> EXPORTED =
      Set.of(
          "dev.rankrt",
          "dev.rankrt.spi",
          "dev.rankrt.natives",
          "dev.rankrt.memory",
          "dev.rankrt.streams");

  /** Finds our modules on the class path, by their descriptors. */
  private static Map<ModuleDescriptor, URI> modules() throws IOException {
    Map<ModuleDescriptor, URI> modules = new LinkedHashMap<>();
    ClassLoader loader = PublicApiTest.class.getClassLoader();
    for (URL url : Collections.list(loader.getResources("module-info.class"))) {
      try (InputStream in = url.openStream()) {
        ModuleDescriptor module = ModuleDescriptor.read(in);
        if (module.name().startsWith("dev.rankrt.")) {
          modules.put(module, URI.create(url.toString()));
        }
      }
    }
    return modules;
  }

  /** Returns the public types at the top level of the packages that are exported to everyone. */
  private static List<Class<?>> publicTypes() throws IOException, ClassNotFoundException {
    List<Class<?>> types = new ArrayList<>();
    for (Map.Entry<ModuleDescriptor, URI> module : modules().entrySet()) {
      for (ModuleDescriptor.Exports exports : module.getKey().exports()) {
        if (!exports.isQualified()) {
          for (String name : classNames(module.getValue(), exports.source())) {
            Class<?> type = Class.forName(name, false, PublicApiTest.class.getClassLoader());
            if (Modifier.isPublic(type.getModifiers())) {
              types.add(type);
            }
          }
        }
      }
    }
    return types;
  }

  private static List<String> classNames(URI descriptor, String packageName) throws IOException {
    if (!descriptor.getScheme().equals("jar")) {
      return classNames(Path.of(descriptor).getParent(), packageName);
    }
    URI jar = URI.create(descriptor.toString().replaceFirst("!.*", "!/"));
    try (FileSystem files = FileSystems.newFileSystem(jar, Map.of())) {
      return classNames(files.getPath("/"), packageName);
    }
  }

  private static List<String> classNames(Path root, String packageName) throws IOException {
    Path folder = root.resolve(packageName.replace('.', '/'));
    if (!Files.exists(folder)) {
      return List.of();
    }
    try (Stream<Path> files = Files.list(folder)) {
      return files
          .map(file -> file.getFileName().toString())
          .filter(name -> name.endsWith(".class") && !name.contains("$"))
          .filter(name -> !name.endsWith("-info.class"))
          .map(name -> packageName + "." + name.substring(0, name.length() - ".class".length()))
          .sorted()
          .toList();
    }
  }

  /** Returns every class that users of a type must know. */
  private static Set<Class<?>> mentioned(Class<?> type) {
    Set<Class<?>> all = Collections.newSetFromMap(new LinkedHashMap<>());
    mention(type.getGenericSuperclass(), all);
    for (Type implemented : type.getGenericInterfaces()) {
      mention(implemented, all);
    }
    for (Field field : type.getDeclaredFields()) {
      if (visible(field.getModifiers())) {
        mention(field.getGenericType(), all);
      }
    }
    for (Constructor<?> constructor : type.getDeclaredConstructors()) {
      mention(constructor, all);
    }
    for (Method method : type.getDeclaredMethods()) {
      if (visible(method.getModifiers())) {
        mention(method.getGenericReturnType(), all);
      }
      mention(method, all);
    }
    if (type.isRecord()) {
      for (RecordComponent component : type.getRecordComponents()) {
        mention(component.getGenericType(), all);
      }
    }
    for (Class<?> nested : type.getDeclaredClasses()) {
      if (visible(nested.getModifiers())) {
        all.addAll(mentioned(nested));
      }
    }
    return all;
  }

  private static boolean visible(int modifiers) {
    return Modifier.isPublic(modifiers) || Modifier.isProtected(modifiers);
  }

  private static void mention(Executable executable, Set<Class<?>> all) {
    if (visible(executable.getModifiers()) && !executable.isSynthetic()) {
      for (Type parameter : executable.getGenericParameterTypes()) {
        mention(parameter, all);
      }
      for (Type thrown : executable.getGenericExceptionTypes()) {
        mention(thrown, all);
      }
    }
  }

  private static void mention(Type type, Set<Class<?>> all) {
    if (type instanceof Class<?> one) {
      all.add(one.isArray() ? one.getComponentType() : one);
    } else if (type instanceof ParameterizedType one) {
      mention(one.getRawType(), all);
      for (Type argument : one.getActualTypeArguments()) {
        mention(argument, all);
      }
    } else if (type instanceof GenericArrayType one) {
      mention(one.getGenericComponentType(), all);
    } else if (type instanceof WildcardType one) {
      for (Type bound : one.getUpperBounds()) {
        mention(bound, all);
      }
    }
  }

  @Test
  void modules_areAllFound() throws IOException {
    assertEquals(
        new TreeSet<>(NEIGHBOURS.keySet()),
        modules().keySet().stream()
            .map(ModuleDescriptor::name)
            .collect(toCollection(TreeSet::new)));
  }

  @Test
  void module_requiresOnlyItsNeighbour() throws IOException {
    for (ModuleDescriptor module : modules().keySet()) {
      List<String> ours =
          module.requires().stream()
              .map(ModuleDescriptor.Requires::name)
              .filter(name -> name.startsWith("dev.rankrt"))
              .toList();
      String neighbour = NEIGHBOURS.get(module.name());
      assertEquals(neighbour.isEmpty() ? List.of() : List.of(neighbour), ours, module.name());
    }
  }

  @Test
  void module_exportsNoInternalPackageToEveryone() throws IOException {
    for (ModuleDescriptor module : modules().keySet()) {
      for (ModuleDescriptor.Exports exports : module.exports()) {
        assertTrue(
            exports.isQualified() || EXPORTED.contains(exports.source()),
            module.name() + " exports " + exports.source());
      }
    }
  }

  @Test
  void publicTypes_areFew() throws Exception {
    List<Class<?>> types = publicTypes();
    assertTrue(types.contains(Engine.class) && types.contains(RankRtException.class), "" + types);
    assertTrue(types.size() <= MOST_TYPES, types.size() + ": " + types);
  }

  @Test
  void publicSignatures_nameNothingOfOtherLibraries() throws Exception {
    for (Class<?> type : publicTypes()) {
      for (Class<?> mentioned : mentioned(type)) {
        String packageName = mentioned.getPackageName();
        assertTrue(
            mentioned.isPrimitive()
                || packageName.startsWith("java.")
                || EXPORTED.contains(packageName),
            type + " mentions " + mentioned);
      }
    }
  }
}
