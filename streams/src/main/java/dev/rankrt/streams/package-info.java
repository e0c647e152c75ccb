/**
 * Where threads run and how they wait: the machine's NUMA topology, threads bound to cores, and the
 * policy by which a thread waits for the GPU.
 *
 * <p>Binding threads needs {@code net.java.dev.jna:jna} on the class path (in a modular
 * application, {@code --add-modules com.sun.jna} as well) and works on Linux. Where it cannot work,
 * threads run wherever the system puts them, and one line in the log says why.
 */
package dev.rankrt.streams;
