package dev.branchline.fieldrep.ui

import android.app.Activity
import android.content.Intent
import android.os.Build
import android.view.MotionEvent
import android.view.View
import android.view.ViewConfiguration
import android.view.ViewGroup
import android.view.WindowInsets
import android.widget.Button
import android.widget.TextView
import android.widget.Toast
import dev.branchline.fieldrep.FieldRep
import dev.branchline.fieldrep.R
import dev.branchline.fieldrep.Trouble
import dev.branchline.fieldrep.Words
import dev.branchline.fieldrep.engine.Access
import dev.branchline.fieldrep.engine.Territory
import dev.branchline.fieldrep.engine.trouble
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.Job
import kotlinx.coroutines.SupervisorJob
import kotlinx.coroutines.async
import kotlinx.coroutines.cancel
import kotlinx.coroutines.flow.MutableStateFlow
import kotlinx.coroutines.flow.first
import kotlinx.coroutines.launch
import kotlinx.coroutines.withContext

/**
 * What all screens share: the engine is asked off the main thread, what went wrong is said in the engine's words, the
 * system's bars are kept clear of, and nobody gets past the lock.
 */
abstract class Screen : Activity() {
    val app: FieldRep get() = application as FieldRep
    val words: Words by lazy { Words(this) }
    protected val scope = CoroutineScope(SupervisorJob() + MainThread)

    /** Whether the screen may be seen without the PIN and without a territory. */
    protected open val outside: Boolean get() = false

    override fun onResume() {
        super.onResume()
        if (!outside && !isFinishing) {
            if (app.access.state == Access.State.OPEN) refresh() else guide()
        }
    }

    override fun onDestroy() {
        scope.cancel()
        super.onDestroy()
    }

    /** Reads anew what is shown; called whenever the screen comes to the front. */
    protected open fun refresh() = Unit

    /** To the screen that the state of the access asks for. */
    protected fun guide() {
        val to = when (app.access.state) {
            Access.State.NONE -> JoinScreen::class.java
            Access.State.LOCKED -> LockScreen::class.java
            Access.State.REVOKED -> RevokedScreen::class.java
            Access.State.OPEN -> return
        }
        startActivity(Intent(this, to))
        // After the PIN one goes on where one was.
        if (to != LockScreen::class.java) finish()
    }

    /** Shows a layout below the system's bars and above the keyboard. */
    protected fun show(layout: Int, title: String? = null) {
        setContentView(layout)
        content().setOnApplyWindowInsetsListener { view, insets ->
            view.pad(insets)
            insets
        }
        findViewById<View>(R.id.back)?.setOnClickListener { onBackPressed() }
        title?.let { findViewById<TextView>(R.id.bar_title)?.text = it }
    }

    private fun content(): View = findViewById<ViewGroup>(android.R.id.content)!!.getChildAt(0)

    private val calm = MutableStateFlow(true)
    private val calmDown = Runnable { calm.value = true }

    override fun dispatchTouchEvent(event: MotionEvent): Boolean {
        val view = window.decorView
        when (event.actionMasked) {
            MotionEvent.ACTION_DOWN -> {
                view.removeCallbacks(calmDown)
                calm.value = false
            }
            // A list carries out a touch a moment after it, and drops it if its rows were renewed meanwhile.
            MotionEvent.ACTION_UP, MotionEvent.ACTION_CANCEL ->
                view.postDelayed(calmDown, ViewConfiguration.getPressedStateDuration() + AFTER_TOUCH_MS)
        }
        return super.dispatchTouchEvent(event)
    }

    /** Asks the engine on another thread, then goes on here; a failure is shown by `failed`. */
    fun <T> work(ask: (Territory) -> T, failed: (Trouble) -> Unit = ::complain, then: (T) -> Unit): Job = scope.launch {
        val answer = withContext(Dispatchers.IO) { runCatching { ask(app.access.territory()) } }
        // Not under a finger: what it is about to touch would go away.
        calm.first { it }
        answer.fold(then) { failed(trouble(it)) }
    }

    /** As [work], for what must be done even if the person leaves the screen meanwhile. */
    fun keep(write: (Territory) -> Unit, then: () -> Unit) {
        val written = app.background.async { runCatching { write(app.access.territory()) } }
        scope.launch { written.await().fold({ then() }) { complain(trouble(it)) } }
    }

    /** Says what went wrong: on the screen's own place for it, else briefly over it. */
    fun complain(trouble: Trouble) {
        val box = findViewById<View>(R.id.trouble)
        if (box == null) {
            say(listOf(trouble.what, trouble.advice).filter(String::isNotEmpty).joinToString("\n"))
            return
        }
        box.shown = true
        findViewById<TextView>(R.id.trouble_what)!!.text = trouble.what
        findViewById<TextView>(R.id.trouble_do)!!.showOrHide(trouble.advice)
    }

    protected fun calm() {
        findViewById<View>(R.id.trouble)?.shown = false
    }

    fun say(text: String) = Toast.makeText(this, text, Toast.LENGTH_LONG).show()

    protected fun action(label: Int, then: () -> Unit) {
        val button = findViewById<Button>(R.id.bar_action)!!
        button.setText(label)
        button.shown = true
        button.setOnClickListener { then() }
    }

    private companion object {
        const val AFTER_TOUCH_MS = 50L
    }
}

@Suppress("DEPRECATION") // The newer way begins with API 30.
private fun View.pad(insets: WindowInsets) {
    if (Build.VERSION.SDK_INT >= Build.VERSION_CODES.R) {
        val kinds = WindowInsets.Type.systemBars() or WindowInsets.Type.displayCutout() or WindowInsets.Type.ime()
        val clear = insets.getInsets(kinds)
        setPadding(clear.left, clear.top, clear.right, clear.bottom)
    } else {
        setPadding(insets.systemWindowInsetLeft, insets.systemWindowInsetTop, insets.systemWindowInsetRight, insets.systemWindowInsetBottom)
    }
}
