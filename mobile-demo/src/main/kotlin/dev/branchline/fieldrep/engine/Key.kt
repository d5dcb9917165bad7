package dev.branchline.fieldrep.engine

import dev.branchline.KeyProvider

/** Gives the engine the key that the vault has opened. */
internal class Key(private val bytes: ByteArray) : KeyProvider {
    override fun key(): ByteArray = bytes
}
