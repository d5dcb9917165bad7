package dev.branchline.fieldrep.engine

import android.content.Context
import dev.branchline.fieldrep.device.Clock
import dev.branchline.fieldrep.device.KeyVault
import java.io.File

/**
 * Who may see the territory on this phone, and whether there is one: joining, the PIN, and erasing after the access has
 * ended. The key of the store lies in the vault; the PIN guards the screens, so that the exchange goes on behind it.
 */
class Access(private val context: Context, private val vault: KeyVault, private val clock: Clock) {
    enum class State { NONE, LOCKED, OPEN, REVOKED }

    private val folder = File(context.noBackupFilesDir, "replica")
    private val kept = context.getSharedPreferences("access", Context.MODE_PRIVATE)
    private val pin = Pin(kept, vault, clock)
    private var engine: Territory? = null
    private var unlocked = false
    private var leftAt: Long? = null

    val state: State
        get() = when {
            kept.getBoolean(REVOKED, false) -> State.REVOKED
            !File(folder, STORE).exists() -> State.NONE
            pin.isSet && !unlocked -> State.LOCKED
            else -> State.OPEN
        }

    // The language in which the app is shown, where it is one of the engine's.
    private val language: String
        get() = context.resources.configuration.locales[0].language.takeIf { it in listOf("ru", "uk") } ?: "en"

    val hasPin: Boolean get() = pin.isSet

    /** The territory, opened if it is not yet, or in another language. Not for the main thread. */
    @Synchronized
    fun territory(): Territory {
        engine?.takeIf { it.language != language }?.let { close() }
        return engine ?: Territory.open(folder, vault.storeKey(), language).also { engine = it }
    }

    /** Makes this phone a replica under the office that gave the code. Not for the main thread. */
    @Synchronized
    fun join(code: String): Territory {
        check(state == State.NONE) { "this phone has a territory" }
        val key = vault.makeStoreKey()
        val joined = Territory.join(folder, key, language, code)
        unlocked = true
        engine = joined
        return joined
    }

    fun unlock(digits: String): Pin.Answer = pin.check(digits).also { if (it is Pin.Answer.Right) unlocked = true }

    /** How long no PIN is taken, in seconds. */
    fun waitSeconds(): Long = pin.waitSeconds()

    fun setPin(digits: String) {
        pin.set(digits)
        unlocked = true
    }

    /** The app has left the screen: after a while it asks for the PIN again. */
    fun left() {
        leftAt = clock.now().toEpochMilli()
    }

    fun cameBack() {
        val away = leftAt?.let { clock.now().toEpochMilli() - it } ?: 0
        if (away !in 0..LOCK_AFTER_MS) unlocked = false
        leftAt = null
    }

    /** Head office has ended the access. From now on nothing is shown; what was not sent is handed over, then all goes. */
    fun revoked() {
        kept.edit().putBoolean(REVOKED, true).commit()
    }

    /** Erases the territory and its key. Only once nothing waits any more, or there is nothing to hand over. */
    @Synchronized
    fun wipe() {
        engine?.close()
        engine = null
        vault.forget()
        check(folder.deleteRecursively()) { "cannot erase $folder" }
        kept.edit().clear().commit()
        unlocked = false
    }

    /** Closes the engine, as the end of the process would. */
    @Synchronized
    fun close() {
        engine?.close()
        engine = null
    }

    private companion object {
        /** The file that a replica's folder has from the moment at which it is one. */
        const val STORE = "branchline.db"
        const val REVOKED = "revoked"
        const val LOCK_AFTER_MS = 60_000L
    }
}
