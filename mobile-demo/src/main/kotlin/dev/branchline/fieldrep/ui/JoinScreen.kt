package dev.branchline.fieldrep.ui

import android.content.ClipboardManager
import android.content.Intent
import android.os.Bundle
import android.view.View
import android.widget.Button
import android.widget.EditText
import android.widget.ProgressBar
import android.widget.TextView
import dev.branchline.fieldrep.LineState
import dev.branchline.fieldrep.R
import dev.branchline.fieldrep.device.readCode
import dev.branchline.fieldrep.device.readPicture
import dev.branchline.fieldrep.device.service
import dev.branchline.fieldrep.engine.Access
import dev.branchline.fieldrep.engine.trouble
import dev.branchline.fieldrep.work.SyncJob
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.launch
import kotlinx.coroutines.withContext

/** Joins head office by a code, and shows how the territory arrives. */
class JoinScreen : Screen() {
    override val outside = true
    private val code: EditText get() = findViewById(R.id.join_code)!!

    override fun onCreate(state: Bundle?) {
        super.onCreate(state)
        show(R.layout.join)
        code.addTextChangedListener(typed { findViewById<View>(R.id.join_go)!!.isEnabled = it.isNotBlank() })
        click(R.id.join_paste) { paste() }
        click(R.id.join_scan) { if (!app.camera.take(this, SCAN)) say(getString(R.string.no_camera)) }
        click(R.id.join_go) { join() }
        click(R.id.join_start) { start() }
        if (app.access.state == Access.State.OPEN) follow()
    }

    private fun click(id: Int, then: () -> Unit) = findViewById<View>(id)!!.setOnClickListener { then() }

    private fun paste() {
        val copied = service<ClipboardManager>().primaryClip?.getItemAt(0)?.coerceToText(this)
        if (copied.isNullOrBlank()) say(getString(R.string.join_clipboard_empty)) else code.setText(copied.toString().trim())
    }

    @Deprecated("the older way of Android before the activity results of AndroidX")
    override fun onActivityResult(request: Int, result: Int, data: Intent?) {
        super.onActivityResult(request, result, data)
        val file = app.camera.taken()
        if (request != SCAN || result != RESULT_OK || file == null) return
        scope.launch {
            val found = withContext(Dispatchers.Default) { readPicture(file.readBytes(), CODE_SIDE_PX)?.let(::readCode) }
            file.delete()
            if (found == null) say(getString(R.string.join_no_code)) else code.setText(found)
        }
    }

    private fun join() {
        calm()
        val typed = code.text.toString().trim()
        val button = findViewById<Button>(R.id.join_go)!!
        button.isEnabled = false
        button.setText(R.string.join_asking)
        scope.launch {
            val joined = withContext(Dispatchers.IO) { runCatching { app.access.join(typed) } }
            button.isEnabled = true
            button.setText(R.string.join_go)
            joined.fold({ follow() }) { complain(trouble(it)) }
        }
    }

    // The first exchange runs in the engine, so leaving this screen does not stop it.
    private fun follow() {
        findViewById<View>(R.id.join_form)!!.shown = false
        findViewById<View>(R.id.join_progress)!!.shown = true
        SyncJob.plan(this)
        app.hintEngine()
        work({ it.apply { exchange() } }) { territory -> scope.launch { territory.line.collect(::show) } }
    }

    private fun show(state: LineState) {
        val says = LineWords(this)
        val bar = findViewById<ProgressBar>(R.id.join_bar)!!
        bar.isIndeterminate = state.total == 0L && says.running(state)
        bar.progress = when {
            state.lastSuccess != null -> bar.max
            state.total > 0 -> (state.done * bar.max / state.total).toInt()
            else -> 0
        }
        val phase = findViewById<TextView>(R.id.join_phase)!!
        val count = findViewById<TextView>(R.id.join_count)!!
        when {
            state.lastSuccess != null -> {
                phase.setText(R.string.line_delivered_all_here)
                count.showOrHide(null)
                findViewById<View>(R.id.join_hint)!!.shown = false
            }
            says.running(state) -> {
                phase.setText(if (state.phase == LineState.Phase.CONNECTING) R.string.sync_connecting else R.string.sync_fetching)
                count.showOrHide(if (state.total > 0) says.progress(state) else null)
            }
            else -> {
                phase.setText(R.string.join_stopped)
                count.showOrHide(null)
            }
        }
        calm()
        state.trouble?.takeIf { !says.running(state) && !it.retryable }?.let(::complain)
    }

    private fun start() {
        startActivity(Intent(this, HomeScreen::class.java))
        finish()
    }

    private companion object {
        const val SCAN = 1
        const val CODE_SIDE_PX = 1600
    }
}
