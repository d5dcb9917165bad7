package dev.branchline.fieldrep.ui

import android.content.Intent
import android.content.res.ColorStateList
import android.view.View
import android.view.ViewGroup
import android.widget.Button
import android.widget.ImageView
import android.widget.ProgressBar
import android.widget.Switch
import android.widget.TextView
import dev.branchline.fieldrep.Clash
import dev.branchline.fieldrep.Entry
import dev.branchline.fieldrep.LineState
import dev.branchline.fieldrep.R
import dev.branchline.fieldrep.engine.clashes
import dev.branchline.fieldrep.engine.exportRefused
import dev.branchline.fieldrep.engine.refused
import dev.branchline.fieldrep.engine.retryRefused
import dev.branchline.fieldrep.engine.waiting
import dev.branchline.fieldrep.work.SyncJob
import java.io.File

/** Whether all is delivered, and what is not: in plain words, in one place. */
class LineTab(home: HomeScreen) : Tab(home, R.layout.tab_line) {
    private class Lists(val me: String, val waiting: List<Entry>, val refused: List<Entry>, val conflicts: List<Clash>)

    private val says = LineWords(home)

    init {
        switch(R.id.line_metered, home.app.choices.photosWaitWhenMetered) { home.app.choices.photosWaitWhenMetered = it }
        switch(R.id.line_battery, home.app.choices.photosWaitWhenLow) { home.app.choices.photosWaitWhenLow = it }
        click(R.id.line_retry) { home.work({ it.retryRefused() }) { refresh() } }
        click(R.id.line_export) { export() }
        click(R.id.line_set_pin) {
            home.startActivity(Intent(home, LockScreen::class.java).putExtra(LockScreen.CHOOSE, true))
        }
    }

    private fun switch(id: Int, on: Boolean, changed: (Boolean) -> Unit) = view.findViewById<Switch>(id)!!.apply {
        isChecked = on
        setOnCheckedChangeListener { _, now ->
            changed(now)
            SyncJob.plan(home)
            home.app.hintEngine()
        }
    }

    private fun click(id: Int, then: () -> Unit) = view.findViewById<View>(id)!!.setOnClickListener { then() }

    override fun refresh() {
        home.work({ Lists(it.myName(), it.waiting(LIST_MAX), it.refused(), it.clashes()) }) { lists ->
            view.findViewById<TextView>(R.id.line_me)!!.text = home.getString(R.string.line_me, lists.me)
            fill(R.id.line_conflicts_part, R.id.line_conflicts, lists.conflicts, ::clash)
            fill(R.id.line_refused_part, R.id.line_refused, lists.refused) { row, entry -> entry(row, entry, R.drawable.ic_refused, R.color.danger) }
            fill(R.id.line_waits_part, R.id.line_waits, lists.waiting) { row, entry -> entry(row, entry, R.drawable.ic_waiting, R.color.muted) }
        }
        view.findViewById<TextView>(R.id.line_set_pin)!!.setText(if (home.app.access.hasPin) R.string.line_pin_change else R.string.line_pin_set)
    }

    override fun line(state: LineState) {
        val (icon, colour, title) = says.glance(state)
        val soft = when (colour) {
            R.color.danger -> R.drawable.circle_danger
            R.color.warn -> R.drawable.circle_warn
            R.color.good -> R.drawable.circle_good
            else -> R.drawable.circle
        }
        view.findViewById<ImageView>(R.id.line_icon)!!.apply {
            setImageResource(icon)
            imageTintList = ColorStateList.valueOf(home.getColor(colour))
            setBackgroundResource(soft)
        }
        view.findViewById<TextView>(R.id.line_title)!!.text = title
        view.findViewById<TextView>(R.id.line_body)!!.text = says.body(state)
        view.findViewById<TextView>(R.id.line_last)!!.text = says.last(state, home.app.clock.now())
        val running = says.running(state)
        view.findViewById<ProgressBar>(R.id.line_bar)!!.apply {
            shown = running
            isIndeterminate = state.total == 0L
            progress = if (state.total > 0) (state.done * max / state.total).toInt() else 0
        }
        view.findViewById<Button>(R.id.line_now)!!.apply {
            setText(if (running) R.string.line_stop else R.string.line_now)
            setOnClickListener { home.work({ if (running) it.stopExchange() else it.exchange() }) {} }
        }
        home.findViewById<View>(R.id.trouble)!!.shown = false
        // That there is no line is an ordinary state, and said above.
        state.trouble?.takeIf { !running && !it.retryable }?.let(home::complain)
    }

    private fun <T> fill(part: Int, id: Int, things: List<T>, show: (View, T) -> Unit) {
        view.findViewById<View>(part)!!.shown = things.isNotEmpty()
        val box = view.findViewById<ViewGroup>(id)!!
        box.removeAllViews()
        for (thing in things) {
            val row = home.layoutInflater.inflate(R.layout.row_line, box, false)
            show(row, thing)
            box.addView(row)
        }
    }

    private fun row(view: View, icon: Int, colour: Int, title: String, body: String) {
        view.findViewById<ImageView>(R.id.line_row_icon)!!.apply {
            setImageResource(icon)
            imageTintList = ColorStateList.valueOf(home.getColor(colour))
        }
        view.findViewById<TextView>(R.id.line_row_title)!!.text = title
        view.findViewById<TextView>(R.id.line_row_body)!!.showOrHide(body)
    }

    private fun entry(view: View, entry: Entry, icon: Int, colour: Int) {
        row(view, icon, colour, entry.title, listOf(entry.kind, entry.reason).filter(String::isNotEmpty).joinToString(" · "))
        val (screen, extra) = when (entry.collection) {
            "account" -> ClientScreen::class.java to ClientScreen.CLIENT
            "opportunity" -> DealScreen::class.java to DealScreen.DEAL
            else -> return
        }
        view.setOnClickListener { home.startActivity(Intent(home, screen).putExtra(extra, entry.id)) }
    }

    private fun clash(view: View, clash: Clash) {
        row(view, R.drawable.ic_conflict, R.color.warn, clash.title, "${clash.label}: ${clash.versions.joinToString(" / ") { it.text.ifEmpty { home.getString(R.string.conflict_empty) } }}")
        view.setOnClickListener {
            home.startActivity(
                Intent(home, ConflictScreen::class.java).putExtra(ConflictScreen.COLLECTION, clash.collection).putExtra(ConflictScreen.RECORD, clash.id),
            )
        }
    }

    private fun export() {
        val folder = home.getExternalFilesDir(null) ?: home.filesDir
        val file = File(folder, EXPORT_NAME)
        home.work({ it.exportRefused(file) }) { home.say(home.getString(R.string.line_exported, file.path)) }
    }

    private companion object {
        const val LIST_MAX = 50
        const val EXPORT_NAME = "branchline-refused.json"
    }
}
