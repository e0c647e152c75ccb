/** What the backends share. */
package dev.rankrt.internal;
