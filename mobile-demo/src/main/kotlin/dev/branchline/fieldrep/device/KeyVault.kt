package dev.branchline.fieldrep.device

import android.content.Context
import android.security.keystore.KeyGenParameterSpec
import android.security.keystore.KeyProperties
import java.io.File
import java.security.KeyStore
import java.security.SecureRandom
import javax.crypto.Cipher
import javax.crypto.KeyGenerator
import javax.crypto.SecretKey
import javax.crypto.spec.GCMParameterSpec

/** Keeps the key of the store, and seals small secrets, with a key that never leaves the phone's secure hardware. */
interface KeyVault {
    /** The key of the store. */
    fun storeKey(): ByteArray

    /** The key for a new store: the one of a join that failed, under which the phone may have been enrolled already, or a new one. */
    fun makeStoreKey(): ByteArray

    fun seal(secret: ByteArray): ByteArray

    fun unseal(sealed: ByteArray): ByteArray

    /** Forgets all keys: what they had encrypted is gone for ever. */
    fun forget()
}

/** What every vault does; where the sealing key lives is left open. */
abstract class FileVault(folder: File) : KeyVault {
    private val file = File(folder, "store.key")

    protected abstract fun sealingKey(): SecretKey

    override fun storeKey(): ByteArray = unseal(file.readBytes())

    override fun makeStoreKey(): ByteArray {
        if (file.exists()) return storeKey()
        val key = ByteArray(KEY_BYTES).also(SecureRandom()::nextBytes)
        file.parentFile?.mkdirs()
        file.writeBytes(seal(key))
        return key
    }

    override fun seal(secret: ByteArray): ByteArray {
        val cipher = Cipher.getInstance(CIPHER)
        cipher.init(Cipher.ENCRYPT_MODE, sealingKey())
        return cipher.iv + cipher.doFinal(secret)
    }

    override fun unseal(sealed: ByteArray): ByteArray {
        val cipher = Cipher.getInstance(CIPHER)
        cipher.init(Cipher.DECRYPT_MODE, sealingKey(), GCMParameterSpec(TAG_BITS, sealed, 0, NONCE_BYTES))
        return cipher.doFinal(sealed, NONCE_BYTES, sealed.size - NONCE_BYTES)
    }

    override fun forget() {
        file.delete()
    }

    private companion object {
        const val CIPHER = "AES/GCM/NoPadding"
        const val KEY_BYTES = 32
        const val NONCE_BYTES = 12
        const val TAG_BITS = 128
    }
}

/** The vault of a real phone: Android's keystore. */
class PhoneVault(context: Context) : FileVault(context.noBackupFilesDir) {
    private val store: KeyStore by lazy { KeyStore.getInstance(PROVIDER).apply { load(null) } }

    override fun sealingKey(): SecretKey = store.getKey(ALIAS, null) as SecretKey? ?: make()

    override fun forget() {
        super.forget()
        store.deleteEntry(ALIAS)
    }

    private fun make(): SecretKey {
        val purposes = KeyProperties.PURPOSE_ENCRYPT or KeyProperties.PURPOSE_DECRYPT
        val wanted = KeyGenParameterSpec.Builder(ALIAS, purposes)
            .setBlockModes(KeyProperties.BLOCK_MODE_GCM)
            .setEncryptionPaddings(KeyProperties.ENCRYPTION_PADDING_NONE)
            .setKeySize(KEY_BITS)
            .build()
        return KeyGenerator.getInstance(KeyProperties.KEY_ALGORITHM_AES, PROVIDER).apply { init(wanted) }.generateKey()
    }

    private companion object {
        const val PROVIDER = "AndroidKeyStore"
        const val ALIAS = "branchline.store"
        const val KEY_BITS = 256
    }
}
