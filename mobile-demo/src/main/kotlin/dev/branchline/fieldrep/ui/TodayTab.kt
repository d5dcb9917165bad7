package dev.branchline.fieldrep.ui

import android.content.Intent
import android.view.View
import android.view.ViewGroup
import android.widget.BaseAdapter
import android.widget.ImageView
import android.widget.ListView
import android.widget.TextView
import dev.branchline.fieldrep.Day
import dev.branchline.fieldrep.Kind
import dev.branchline.fieldrep.Outcome
import dev.branchline.fieldrep.Place
import dev.branchline.fieldrep.R
import dev.branchline.fieldrep.Task
import dev.branchline.fieldrep.Visit
import dev.branchline.fieldrep.engine.complete
import dev.branchline.fieldrep.engine.day
import dev.branchline.fieldrep.engine.visit
import dev.branchline.fieldrep.view.RouteView
import dev.branchline.fieldrep.view.SwipeRow
import java.time.Duration
import java.time.Instant
import java.time.LocalDate
import java.time.ZoneId

/** The day: what is overdue on top, then today's visits and calls in their order, then what comes and what is done. */
class TodayTab(home: HomeScreen) : Tab(home, R.layout.tab_today) {
    private sealed interface Row
    private class Section(val title: Int, val late: Boolean = false) : Row
    private class Item(val task: Task, val metres: Double?, val done: Boolean) : Row
    private class GoingOn(val visit: Visit) : Row
    private class Route(val stops: List<Task>, val legs: List<Double>) : Row
    private object Empty : Row
    private object Hint : Row

    private var rows: List<Row> = emptyList()
    private val adapter = Rows()

    init {
        view.findViewById<ListView>(R.id.today_list)!!.adapter = adapter
    }

    override fun refresh() {
        val now = home.app.clock.now()
        val zone = ZoneId.systemDefault()
        val today = now.atZone(zone).toLocalDate()
        view.findViewById<TextView>(R.id.header_title)!!.text = home.words.longDay(today)
        val visit = home.app.choices.openVisit
        home.work({ territory ->
            fun start(of: LocalDate) = of.atStartOfDay(zone).toInstant()
            val day = territory.day(start(today), start(today.plusDays(1)), start(today.plusDays(AHEAD_DAYS)))
            // An ended visit of which the phone was not told (it ended elsewhere) does not go on.
            day to visit?.let { runCatching { territory.visit(it) }.getOrNull() }
        }) { (day, visit) -> show(day, visit, now) }
    }

    private fun show(day: Day, visit: Visit?, now: Instant) {
        // A task of today is late once its hour has passed by more than some minutes.
        val (passed, due) = day.planned.filter { it.id != visit?.id }.partition { it.due!! < now.minus(GRACE) }
        val late = day.late.filter { it.id != visit?.id } + passed
        val here = home.app.locator.here()
        val stops = (late + due).filter { it.clientPlace != null && it.kind != Kind.CALL }.distinctBy { it.client }
        val legs = stops.zipWithNext { a, b -> a.clientPlace!!.metresTo(b.clientPlace!!) }
        val before = metresBefore(late + due, here)
        rows = buildList {
            visit?.let { add(GoingOn(it)) }
            if (stops.size > 1) add(Route(stops.take(STOPS_MAX), legs.take(STOPS_MAX - 1)))
            part(R.string.today_overdue, late, before, late = true)
            part(R.string.today_today, due, before)
            if (late.isNotEmpty() || due.isNotEmpty()) add(Hint)
            if (isEmpty()) add(Empty)
            part(R.string.today_later, day.coming, emptyMap())
            if (day.done.isNotEmpty()) {
                add(Section(R.string.today_done))
                day.done.forEach { add(Item(it, null, done = true)) }
            }
        }
        summary(late.size, late.size + due.size)
        adapter.notifyDataSetChanged()
    }

    private fun MutableList<Row>.part(title: Int, tasks: List<Task>, before: Map<String, Double>, late: Boolean = false) {
        if (tasks.isEmpty()) return
        add(Section(title, late))
        tasks.forEach { add(Item(it, before[it.id], done = false)) }
    }

    // The way to each stop from the one before it; to the first one from here.
    private fun metresBefore(tasks: List<Task>, here: Place?): Map<String, Double> {
        val ways = mutableMapOf<String, Double>()
        var at = here
        for (task in tasks.filter { it.kind != Kind.CALL }) {
            val place = task.clientPlace ?: continue
            at?.let { ways[task.id] = it.metresTo(place) }
            at = place
        }
        return ways
    }

    private fun summary(late: Int, all: Int) {
        val resources = home.resources
        val left = if (all == 0) home.getString(R.string.today_summary_none) else resources.getQuantityString(R.plurals.today_left, all, all)
        val text = if (late == 0) left else "$left · ${resources.getQuantityString(R.plurals.today_late, late, late)}"
        view.findViewById<TextView>(R.id.header_body)!!.text = text
    }

    private fun ask(task: Task, row: SwipeRow? = null) {
        val choices = Outcome.entries.map { outcome ->
            val days = outcome.nextDays
            Choice(home.words.outcome(outcome), home.resources.getQuantityString(R.plurals.next_in, days, days)) {
                val next = home.getString(R.string.next_subject, task.clientName.ifEmpty { task.subject })
                home.work({ it.complete(task.id, outcome, next, home.app.clock.now()) }) {
                    home.say(home.getString(R.string.outcome_saved, home.words.outcome(outcome)))
                    home.app.reminders.plan()
                    refresh()
                }
            }
        }
        home.sheet(home.getString(R.string.outcome_title), choices) { row?.reset() }
    }

    private fun open(task: Task) {
        val client = task.client ?: return
        home.startActivity(Intent(home, ClientScreen::class.java).putExtra(ClientScreen.CLIENT, client).putExtra(ClientScreen.TASK, task.id))
    }

    private inner class Rows : BaseAdapter() {
        override fun getCount() = rows.size
        override fun getItem(at: Int) = rows[at]
        override fun getItemId(at: Int) = at.toLong()
        override fun getViewTypeCount() = LAYOUTS.size
        override fun areAllItemsEnabled() = false
        override fun isEnabled(at: Int) = false

        override fun getItemViewType(at: Int) = when (rows[at]) {
            is Section -> 0
            is Item -> 1
            is GoingOn -> 2
            is Route -> 3
            Empty -> 4
            Hint -> 5
        }

        override fun getView(at: Int, old: View?, parent: ViewGroup): View {
            val view = old ?: home.layoutInflater.inflate(LAYOUTS[getItemViewType(at)], parent, false)
            when (val row = rows[at]) {
                is Section -> section(view as TextView, row)
                is Item -> item(view as SwipeRow, row)
                is GoingOn -> goingOn(view, row.visit)
                is Route -> route(view, row)
                Empty -> empty(view)
                Hint -> (view as TextView).setText(R.string.today_swipe_hint)
            }
            return view
        }
    }

    private fun section(view: TextView, row: Section) {
        view.setText(row.title)
        view.setTextColor(home.getColor(if (row.late) R.color.danger else R.color.muted))
    }

    private fun item(view: SwipeRow, row: Item) {
        val task = row.task
        val now = home.app.clock.now()
        view.reset()
        view.onSwept = if (row.done) null else ({ ask(task, view) })
        val time = view.findViewById<TextView>(R.id.task_time)!!
        time.text = (task.done ?: task.due)?.let { home.words.moment(it, now) }
        val late = !row.done && task.due != null && task.due < now.minus(GRACE)
        time.setTextColor(home.getColor(if (late) R.color.danger else R.color.ink))
        view.findViewById<ImageView>(R.id.task_icon)!!.apply {
            setImageResource(picture(task.kind))
            contentDescription = home.words.kind(task.kind)
        }
        view.findViewById<ImageView>(R.id.task_mark)!!.show(task.mark, home.words)
        view.findViewById<TextView>(R.id.task_client)!!.text = task.clientName.ifEmpty { task.subject }
        val second = if (row.done) home.words.outcome(task.outcome) else task.subject.takeIf { task.clientName.isNotEmpty() }
        view.findViewById<TextView>(R.id.task_subject)!!.showOrHide(second)
        val way = row.metres?.let { home.getString(R.string.distance_next, home.words.distance(it)) }
        view.findViewById<TextView>(R.id.task_distance)!!.showOrHide(way)
        view.findViewById<View>(R.id.task_front)!!.setOnClickListener { open(task) }
        view.findViewById<View>(R.id.task_complete)!!.apply {
            shown = !row.done
            contentDescription = "${home.getString(R.string.complete)}: ${task.clientName.ifEmpty { task.subject }}"
            setOnClickListener { ask(task) }
        }
    }

    private fun goingOn(view: View, visit: Visit) {
        view.findViewById<TextView>(R.id.going_on_name)!!.text = visit.clientName
        view.findViewById<View>(R.id.going_on)!!.setOnClickListener {
            home.startActivity(Intent(home, VisitScreen::class.java).putExtra(VisitScreen.VISIT, visit.id))
        }
    }

    private fun route(view: View, row: Route) {
        val total = home.words.distance(row.legs.sum())
        view.findViewById<TextView>(R.id.route_total)!!.text = home.getString(R.string.route_total, total)
        val stops = home.resources.getQuantityString(R.plurals.stops, row.stops.size, row.stops.size)
        view.findViewById<RouteView>(R.id.route)!!.show(
            row.stops.map { it.clientPlace!! },
            home.app.locator.here(),
            row.legs.map(home.words::distance),
            home.getString(R.string.route_label, stops, total),
        )
    }

    private fun empty(view: View) {
        view.findViewById<ImageView>(R.id.empty_icon)!!.setImageResource(R.drawable.ic_today)
        view.findViewById<TextView>(R.id.empty_title)!!.setText(R.string.today_empty_title)
        view.findViewById<TextView>(R.id.empty_body)!!.setText(R.string.today_empty_body)
        view.findViewById<TextView>(R.id.empty_action)!!.apply {
            shown = true
            setText(R.string.today_to_clients)
            setOnClickListener { home.open(R.id.tab_clients) }
        }
    }

    private companion object {
        val GRACE: Duration = Duration.ofMinutes(15)
        const val AHEAD_DAYS = 8L
        const val STOPS_MAX = 9
        val LAYOUTS = intArrayOf(
            R.layout.section, R.layout.row_task, R.layout.today_going_on, R.layout.today_route, R.layout.empty, R.layout.hint,
        )
    }
}
