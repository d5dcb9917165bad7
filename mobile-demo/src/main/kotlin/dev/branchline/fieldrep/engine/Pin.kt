package dev.branchline.fieldrep.engine

import android.content.SharedPreferences
import android.util.Base64
import dev.branchline.fieldrep.device.Clock
import dev.branchline.fieldrep.device.KeyVault
import java.security.MessageDigest
import java.security.SecureRandom
import javax.crypto.SecretKeyFactory
import javax.crypto.spec.PBEKeySpec

/**
 * The app's PIN. Kept as a slow hash that the vault has sealed, so that a copied file cannot be tried out elsewhere; after
 * some wrong ones, waiting grows. Wrong PINs never erase anything: what was not sent may be the only copy.
 */
class Pin(private val kept: SharedPreferences, private val vault: KeyVault, private val clock: Clock) {
    sealed interface Answer {
        object Right : Answer
        class Wrong(val triesLeft: Int) : Answer
        class Wait(val seconds: Long) : Answer
    }

    val isSet: Boolean get() = kept.contains(HASH)

    fun set(digits: String) {
        require(digits.length >= DIGITS_MIN) { "a PIN has at least $DIGITS_MIN digits" }
        val salt = ByteArray(SALT_BYTES).also(SecureRandom()::nextBytes)
        kept.edit()
            .putString(SALT, encode(salt))
            .putString(HASH, encode(vault.seal(hash(digits, salt))))
            .remove(WRONG).remove(WAIT_UNTIL)
            .commit()
    }

    fun check(digits: String): Answer {
        waitSeconds().let { if (it > 0) return Answer.Wait(it) }
        val salt = decode(kept.getString(SALT, null)!!)
        val right = vault.unseal(decode(kept.getString(HASH, null)!!))
        if (MessageDigest.isEqual(right, hash(digits, salt))) {
            kept.edit().remove(WRONG).remove(WAIT_UNTIL).commit()
            return Answer.Right
        }
        val wrong = kept.getInt(WRONG, 0) + 1
        val edit = kept.edit().putInt(WRONG, wrong)
        // Written before it is answered: pulling the battery wins no tries.
        if (wrong < TRIES) {
            edit.commit()
            return Answer.Wrong(TRIES - wrong)
        }
        val seconds = (WAIT_SECONDS shl (wrong - TRIES).coerceAtMost(WAIT_DOUBLINGS_MAX))
        edit.putLong(WAIT_UNTIL, clock.now().epochSecond + seconds).commit()
        return Answer.Wait(seconds)
    }

    fun waitSeconds(): Long {
        val left = kept.getLong(WAIT_UNTIL, 0) - clock.now().epochSecond
        // A clock that was set back must not lock the person out for years.
        return left.coerceIn(0, WAIT_SECONDS shl WAIT_DOUBLINGS_MAX)
    }

    private fun hash(digits: String, salt: ByteArray): ByteArray =
        SecretKeyFactory.getInstance("PBKDF2WithHmacSHA256")
            .generateSecret(PBEKeySpec(digits.toCharArray(), salt, ROUNDS, HASH_BITS)).encoded

    private fun encode(bytes: ByteArray) = Base64.encodeToString(bytes, Base64.NO_WRAP)

    private fun decode(text: String) = Base64.decode(text, Base64.NO_WRAP)

    companion object {
        const val DIGITS_MIN = 4
        const val DIGITS_MAX = 8
        const val TRIES = 5
        private const val WAIT_SECONDS = 30L
        private const val WAIT_DOUBLINGS_MAX = 7
        private const val ROUNDS = 60_000
        private const val SALT_BYTES = 16
        private const val HASH_BITS = 256
        private const val HASH = "pin"
        private const val SALT = "pin_salt"
        private const val WRONG = "pin_wrong"
        private const val WAIT_UNTIL = "pin_wait_until"
    }
}
