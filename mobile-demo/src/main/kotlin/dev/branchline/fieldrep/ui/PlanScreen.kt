package dev.branchline.fieldrep.ui

import android.os.Bundle
import android.view.ViewGroup
import android.widget.EditText
import android.widget.TextView
import dev.branchline.fieldrep.Kind
import dev.branchline.fieldrep.R
import dev.branchline.fieldrep.engine.card
import dev.branchline.fieldrep.engine.plan
import java.time.LocalDate
import java.time.LocalTime
import java.time.ZoneId

/** Plans a contact with a client: what, on which day, at which hour. */
class PlanScreen : Screen() {
    private val client: String get() = intent.getStringExtra(CLIENT)!!
    private var kind = Kind.VISIT
    private var day: LocalDate = LocalDate.MIN
    private var hour = 10
    private var name = ""

    override fun onCreate(state: Bundle?) {
        super.onCreate(state)
        show(R.layout.plan, getString(R.string.plan_title))
        action(R.string.save) { save() }
        val today = app.clock.now().atZone(ZoneId.systemDefault()).toLocalDate()
        day = today.plusDays(1)
        val days = (0L..13L).map(today::plusDays)
        chips(R.id.plan_kinds, KINDS.map(words::kind), KINDS.indexOf(kind)) { kind = KINDS[it] }
        chips(R.id.plan_days, days.map { name(it, today) }, 1) { day = days[it] }
        chips(R.id.plan_hours, HOURS.map { words.time(at(today, it)) }, HOURS.indexOf(hour)) { hour = HOURS[it] }
    }

    override fun refresh() {
        work({ it.card(client).client.name }) {
            name = it
            findViewById<TextView>(R.id.plan_client)!!.text = it
        }
    }

    private fun name(day: LocalDate, today: LocalDate): String = when (day) {
        today -> getString(R.string.plan_today)
        today.plusDays(1) -> getString(R.string.plan_tomorrow)
        else -> words.shortDay(day)
    }

    private fun at(day: LocalDate, hour: Int) = day.atTime(LocalTime.of(hour, 0)).atZone(ZoneId.systemDefault()).toInstant()

    private fun chips(id: Int, labels: List<String>, first: Int, chosen: (Int) -> Unit) {
        val box = findViewById<ViewGroup>(id)!!
        labels.forEachIndexed { n, label ->
            val chip = layoutInflater.inflate(R.layout.chip, box, false) as TextView
            chip.text = label
            chip.isSelected = n == first
            chip.setOnClickListener {
                for (other in 0 until box.childCount) box.getChildAt(other).isSelected = other == n
                chosen(n)
            }
            box.addView(chip)
        }
    }

    private fun save() {
        calm()
        val typed = findViewById<EditText>(R.id.plan_subject)!!.text.toString().trim()
        val subject = typed.ifEmpty { "${words.kind(kind)}: $name" }
        work({ it.plan(client, kind, subject, at(day, hour)) }) {
            app.reminders.plan()
            finish()
        }
    }

    companion object {
        const val CLIENT = "client"
        private val KINDS = listOf(Kind.VISIT, Kind.CALL, Kind.MEETING, Kind.TASK)
        private val HOURS = (8..19).toList()
    }
}
