package dev.branchline.fieldrep.ui

import android.content.Intent
import android.os.Bundle
import android.view.View
import android.view.ViewGroup
import android.widget.FrameLayout
import android.widget.ImageButton
import dev.branchline.fieldrep.LineState
import dev.branchline.fieldrep.R
import dev.branchline.fieldrep.engine.Access
import kotlinx.coroutines.Job
import kotlinx.coroutines.launch

/** One of the four pages of the home screen. */
abstract class Tab(val home: HomeScreen, layout: Int) {
    val view: View = home.layoutInflater.inflate(layout, home.findViewById(R.id.home_content), false)

    /** Reads anew what it shows. */
    abstract fun refresh()

    /** Shows where the line stands. */
    open fun line(state: LineState) {
        val button = view.findViewById<ImageButton>(R.id.header_line) ?: return
        val (icon, colour, text) = LineWords(home).glance(state)
        button.setImageResource(icon)
        button.imageTintList = android.content.res.ColorStateList.valueOf(home.getColor(colour))
        button.contentDescription = text
        button.setOnClickListener { home.open(R.id.tab_line) }
    }
}

/** The app's first screen: today, clients, deals and the line, one tap apart. */
class HomeScreen : Screen() {
    private val tabs = mutableMapOf<Int, Tab>()
    private var current = R.id.tab_today
    private var watching: Job? = null
    private var last: LineState? = null

    override fun onCreate(state: Bundle?) {
        super.onCreate(state)
        show(R.layout.home)
        current = TABS.getOrElse(state?.getInt(CURRENT, 0) ?: intent.getIntExtra(CURRENT, 0)) { current }
        TABS.forEach { id -> findViewById<View>(id)!!.setOnClickListener { open(id) } }
        open(current)
    }

    override fun onNewIntent(intent: Intent) {
        super.onNewIntent(intent)
        if (intent.hasExtra(CURRENT)) open(TABS.getOrElse(intent.getIntExtra(CURRENT, 0)) { current })
    }

    override fun onSaveInstanceState(state: Bundle) {
        super.onSaveInstanceState(state)
        state.putInt(CURRENT, TABS.indexOf(current))
    }

    /** Brings one of the pages to the front. */
    fun open(id: Int) {
        current = id
        TABS.forEach { tab ->
            val view = findViewById<ViewGroup>(tab)!!
            view.isSelected = tab == id
            val name = getString(NAMES[TABS.indexOf(tab)])
            view.contentDescription = if (tab == id) getString(R.string.tab_selected, name) else name
        }
        val tab = tabs.getOrPut(id) { make(id) }
        val content = findViewById<FrameLayout>(R.id.home_content)!!
        if (tab.view.parent == null) {
            content.removeAllViews()
            content.addView(tab.view)
        }
        if (app.access.state == Access.State.OPEN) tab.refresh()
        last?.let(tab::line)
    }

    private fun make(id: Int): Tab = when (id) {
        R.id.tab_clients -> ClientsTab(this)
        R.id.tab_deals -> DealsTab(this)
        R.id.tab_line -> LineTab(this)
        else -> TodayTab(this)
    }

    override fun refresh() {
        watching?.cancel()
        watching = work({ it }) { territory ->
            watching = scope.launch {
                launch { territory.line.collect(::line) }
                territory.changes.collect { tabs[current]?.refresh() }
            }
        }
        tabs[current]?.refresh()
    }

    override fun onPause() {
        watching?.cancel()
        super.onPause()
    }

    private fun line(state: LineState) {
        // More states may come while the screen makes way for another.
        if (isFinishing) return
        last = state
        if (state.phase == LineState.Phase.REVOKED) {
            app.access.revoked()
            guide()
            return
        }
        findViewById<View>(R.id.tab_line_dot)?.shown = state.refused > 0 || state.conflicts > 0
        tabs[current]?.line(state)
    }

    companion object {
        const val CURRENT = "tab"
        private val TABS = listOf(R.id.tab_today, R.id.tab_clients, R.id.tab_deals, R.id.tab_line)
        private val NAMES = listOf(R.string.tab_today, R.string.tab_clients, R.string.tab_deals, R.string.tab_line)
    }
}
