/**
 * Finding, checking and loading the native libraries, and the exceptions that all of RankRT shares.
 *
 * <h2>Where libraries are looked for</h2>
 *
 * <p>{@code libcudart} and {@code libnvinfer} are looked for in this order. {@link
 * dev.rankrt.natives.LoadOptions} sets each step in code; {@link
 * dev.rankrt.natives.LoadOptions#defaults} reads the properties.
 *
 * <table>
 *   <caption>The steps, and the system property for each</caption>
 *   <tr><th>step</th><th>property</th><th>default</th></tr>
 *   <tr><td>folders that you name</td><td>{@code dev.rankrt.natives.folders}, separated as a class
 *       path is</td><td>none</td></tr>
 *   <tr><td>the system: {@code LD_LIBRARY_PATH}, {@code ld.so.cache}, default folders, then
 *       {@code /usr/local/cuda/lib64} and {@code /usr/local/tensorrt/lib}</td>
 *       <td>{@code dev.rankrt.natives.system}</td><td>{@code true}</td></tr>
 *   <tr><td>the redist jars on the class path</td><td>{@code dev.rankrt.natives.redist}</td>
 *       <td>{@code true}</td></tr>
 *   <tr><td>(where redist jars are extracted to)</td>
 *       <td>{@code dev.rankrt.natives.cacheFolder}</td><td>{@code ~/.cache/rankrt}, else {@code
 *       rankrt-<user>} under {@code java.io.tmpdir}</td></tr>
 * </table>
 *
 * <p>The driver's {@code libcuda.so.1} comes from the system alone. {@code libnvonnxparser} and the
 * builder's resources are loaded when an ONNX file is built, from where {@code libnvinfer} came
 * from. A folder that holds several versions of a library, and no link such as {@code
 * libnvinfer.so.10}, serves the newest, and the parser and the plugins of that version. cuBLAS,
 * cuDNN and NVRTC are never loaded, present or not.
 *
 * <h2>Living with JavaCPP</h2>
 *
 * <p>The bindings' own small JNI libraries are extracted by JavaCPP into its cache, {@code
 * ~/.javacpp/cache} unless {@code org.bytedeco.javacpp.cachedir} says otherwise. While TensorRT's
 * Java classes are initialised, for some ten milliseconds, the system property {@code
 * org.bytedeco.javacpp.loadlibraries} reads {@code false}; a JavaCPP class of the host's that is
 * initialised by another thread in that moment would stay without its library, so load RankRT
 * before threads that use JavaCPP start.
 *
 * <p>RankRT's native memory has no JavaCPP deallocator: a caller's {@code PointerScope} never
 * adopts it, and the collector never frees it. Some small objects have one, while a model is built
 * or opened, and JavaCPP makes none in a process that holds more memory than {@code
 * org.bytedeco.javacpp.maxPhysicalBytes}: by default four times the heap's limit, which TensorRT's
 * builder alone may take. So RankRT initialises JavaCPP without that limit, unless the property is
 * set, or JavaCPP was initialised before by other code.
 */
package dev.rankrt.natives;
