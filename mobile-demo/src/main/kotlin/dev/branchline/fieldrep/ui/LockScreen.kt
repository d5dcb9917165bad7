package dev.branchline.fieldrep.ui

import android.os.Bundle
import android.os.Handler
import android.os.Looper
import android.view.KeyEvent
import android.view.View
import android.widget.TextView
import dev.branchline.fieldrep.R
import dev.branchline.fieldrep.engine.Pin
import dev.branchline.fieldrep.view.Dots
import java.time.Duration

/** Asks for the PIN, or lets one choose it. */
class LockScreen : Screen() {
    override val outside = true
    private val choosing: Boolean get() = intent.getBooleanExtra(CHOOSE, false)
    private var digits = ""
    private var first: String? = null
    private val ticks = Handler(Looper.getMainLooper())
    private val tick = Runnable { waitOn() }

    override fun onCreate(state: Bundle?) {
        super.onCreate(state)
        show(R.layout.lock)
        KEYS.forEachIndexed { digit, key -> findViewById<View>(key)!!.setOnClickListener { type(digit) } }
        findViewById<View>(R.id.key_erase)!!.setOnClickListener { erase() }
        findViewById<View>(R.id.key_done)!!.setOnClickListener { done() }
        title(if (choosing) R.string.lock_choose else R.string.lock_title)
        typed("")
        waitOn()
    }

    private fun title(text: Int) = findViewById<TextView>(R.id.lock_title)!!.setText(text)

    private fun message(text: String) {
        findViewById<TextView>(R.id.lock_message)!!.text = text
    }

    private fun typed(now: String) {
        digits = now
        findViewById<Dots>(R.id.lock_dots)!!.show(now.length)
    }

    private fun type(digit: Int) {
        if (digits.length < Pin.DIGITS_MAX) typed(digits + digit)
        message("")
    }

    private fun erase() = typed(digits.dropLast(1))

    // A hardware keyboard works, too.
    override fun onKeyDown(code: Int, event: KeyEvent): Boolean = when (code) {
        in KeyEvent.KEYCODE_0..KeyEvent.KEYCODE_9 -> true.also { type(code - KeyEvent.KEYCODE_0) }
        KeyEvent.KEYCODE_DEL -> true.also { erase() }
        KeyEvent.KEYCODE_ENTER -> true.also { done() }
        else -> super.onKeyDown(code, event)
    }

    private fun done() {
        val typed = digits
        typed("")
        when {
            typed.length < Pin.DIGITS_MIN -> message(getString(R.string.lock_too_short))
            choosing -> choose(typed)
            else -> check(typed)
        }
    }

    private fun choose(pin: String) {
        when (first) {
            null -> {
                first = pin
                title(R.string.lock_repeat)
            }
            pin -> {
                app.access.setPin(pin)
                finish()
            }
            else -> {
                first = null
                title(R.string.lock_choose)
                message(getString(R.string.lock_differs))
            }
        }
    }

    private fun check(pin: String) {
        when (val answer = app.access.unlock(pin)) {
            is Pin.Answer.Right -> finish()
            is Pin.Answer.Wrong -> message(resources.getQuantityString(R.plurals.lock_left, answer.triesLeft, answer.triesLeft))
            is Pin.Answer.Wait -> waitOn()
        }
    }

    private fun waitOn() {
        ticks.removeCallbacks(tick)
        val seconds = if (choosing) 0 else app.access.waitSeconds()
        (KEYS.toList() + R.id.key_done).forEach { findViewById<View>(it)!!.isEnabled = seconds == 0L }
        if (seconds > 0) {
            message(getString(R.string.lock_wait, words.duration(Duration.ofSeconds(seconds))))
            ticks.postDelayed(tick, TICK_MS)
        } else if (findViewById<TextView>(R.id.lock_message)!!.text.isNotEmpty()) {
            message("")
        }
    }

    override fun onDestroy() {
        ticks.removeCallbacks(tick)
        super.onDestroy()
    }

    @Deprecated("the older way of Android before 13")
    override fun onBackPressed() {
        // Behind the lock is not the way out of it.
        if (choosing) finish() else moveTaskToBack(true)
    }

    companion object {
        const val CHOOSE = "choose"
        private const val TICK_MS = 1000L
        private val KEYS = intArrayOf(
            R.id.key_0, R.id.key_1, R.id.key_2, R.id.key_3, R.id.key_4, R.id.key_5, R.id.key_6, R.id.key_7, R.id.key_8, R.id.key_9,
        )
    }
}
