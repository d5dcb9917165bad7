package dev.branchline.fieldrep.ui

import android.content.Intent
import android.os.Bundle
import android.view.View
import android.view.ViewGroup
import android.widget.TextView
import dev.branchline.fieldrep.Caller
import dev.branchline.fieldrep.R
import dev.branchline.fieldrep.engine.caller
import dev.branchline.fieldrep.engine.noteCall

/** Over the ringing phone: who calls, and what to talk about. Shows nothing while the app is locked. */
class CallerScreen : Screen() {
    private val number: String get() = intent.getStringExtra(NUMBER).orEmpty()

    override fun onCreate(state: Bundle?) {
        super.onCreate(state)
        show(R.layout.caller)
        findViewById<View>(R.id.caller_close)!!.setOnClickListener { finish() }
    }

    override fun refresh() {
        work({ it.caller(number, app.clock.now()) }) { show(it) }
    }

    private fun show(caller: Caller) {
        val name = caller.person?.name ?: caller.client?.name
        findViewById<TextView>(R.id.caller_name)!!.text = name ?: number
        findViewById<TextView>(R.id.caller_client)!!.showOrHide(
            when {
                name == null -> getString(R.string.call_unknown)
                caller.person != null -> listOfNotNull(caller.client?.name, caller.person.title.ifEmpty { null }).joinToString(" · ")
                else -> caller.client?.city
            },
        )
        findViewById<TextView>(R.id.caller_number)!!.showOrHide(number.takeIf { name != null })
        hints(caller)
        findViewById<View>(R.id.caller_open)!!.apply {
            shown = caller.client != null
            setOnClickListener {
                startActivity(Intent(this@CallerScreen, ClientScreen::class.java).putExtra(ClientScreen.CLIENT, caller.client!!.id))
                finish()
            }
        }
        findViewById<View>(R.id.caller_log)!!.apply {
            shown = caller.client != null
            setOnClickListener {
                val subject = getString(R.string.call_subject, name)
                work({ it.noteCall(caller, subject, app.clock.now()) }) {
                    say(getString(R.string.call_noted))
                    finish()
                }
            }
        }
    }

    private fun hints(caller: Caller) {
        val hints = listOfNotNull(
            caller.overdue?.let { R.drawable.ic_waiting to getString(R.string.call_overdue, it.subject) },
            caller.deal?.let { deal ->
                val about = listOfNotNull(deal.name, deal.amount?.let(words::money), deal.nextStep.ifEmpty { null }).joinToString(" · ")
                R.drawable.ic_deals to getString(R.string.call_deal, about)
            },
            caller.silentDays?.takeIf { it >= SILENT_DAYS }?.let { R.drawable.ic_call to resources.getQuantityString(R.plurals.call_silent, it, it) },
            caller.person?.birthday?.let { R.drawable.ic_today to getString(R.string.call_birthday, words.day(it)) },
        )
        val box = findViewById<ViewGroup>(R.id.caller_hints)!!
        box.removeAllViews()
        for ((icon, text) in hints) {
            val row = layoutInflater.inflate(R.layout.caller_hint, box, false) as TextView
            row.text = text
            row.setCompoundDrawablesRelativeWithIntrinsicBounds(icon, 0, 0, 0)
            box.addView(row)
        }
    }

    companion object {
        const val NUMBER = "number"
        private const val SILENT_DAYS = 14
    }
}
