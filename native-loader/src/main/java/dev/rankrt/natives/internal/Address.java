package dev.rankrt.natives.internal;

import org.bytedeco.javacpp.Pointer;

/**
 * An address that owns nothing: no deallocator, hence nothing that an open {@code PointerScope}
 * could adopt, the collector could free, or JavaCPP's limits could hold up. One thread at a time.
 */
public final class Address extends Pointer {
  public Address() {}

  public Address(long address) {
    this.address = address;
  }

  Address at(long newAddress) {
    this.address = newAddress;
    return this;
  }
}
