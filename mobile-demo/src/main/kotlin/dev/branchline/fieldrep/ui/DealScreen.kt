package dev.branchline.fieldrep.ui

import android.app.AlertDialog
import android.content.Intent
import android.os.Bundle
import android.view.View
import android.view.ViewGroup
import android.widget.EditText
import android.widget.TextView
import dev.branchline.fieldrep.Deal
import dev.branchline.fieldrep.Mark
import dev.branchline.fieldrep.R
import dev.branchline.fieldrep.Stage
import dev.branchline.fieldrep.engine.closeDeal
import dev.branchline.fieldrep.engine.deal
import dev.branchline.fieldrep.engine.editDeal
import dev.branchline.fieldrep.engine.stages

/** One deal: its stage, amount and next step; won or lost with the reason. */
class DealScreen : Screen() {
    private val id: String get() = intent.getStringExtra(DEAL)!!
    private var deal: Deal? = null
    private val amount: EditText get() = findViewById(R.id.deal_amount)!!
    private val next: EditText get() = findViewById(R.id.deal_next_step)!!

    override fun onCreate(state: Bundle?) {
        super.onCreate(state)
        show(R.layout.deal, getString(R.string.form_edit_deal))
        action(R.string.save) { save() }
        findViewById<View>(R.id.deal_win)!!.setOnClickListener { close(won = true, reason = "") }
        findViewById<View>(R.id.deal_lose)!!.setOnClickListener { lose() }
        findViewById<View>(R.id.deal_settle)!!.setOnClickListener {
            startActivity(Intent(this, ConflictScreen::class.java).putExtra(ConflictScreen.COLLECTION, "opportunity").putExtra(ConflictScreen.RECORD, id))
        }
    }

    override fun refresh() {
        work({ it.deal(id) to it.stages() }) { (deal, stages) -> show(deal, stages) }
    }

    private fun show(deal: Deal, stages: List<Stage>) {
        val first = this.deal == null
        this.deal = deal
        findViewById<TextView>(R.id.deal_name)!!.text = deal.name
        findViewById<TextView>(R.id.deal_client)!!.apply {
            showOrHide(deal.clientName)
            setOnClickListener { startActivity(Intent(this@DealScreen, ClientScreen::class.java).putExtra(ClientScreen.CLIENT, deal.client)) }
        }
        findViewById<TextView>(R.id.deal_pill)!!.showPill(deal.mark, words)
        findViewById<View>(R.id.deal_settle)!!.shown = deal.mark == Mark.CONFLICT
        if (first) {
            amount.setText(deal.amount?.let { "${it.amount} ${it.currency}" }.orEmpty())
            next.setText(deal.nextStep)
        }
        stages(deal, stages)
        lines(deal)
    }

    private fun stages(deal: Deal, stages: List<Stage>) {
        val box = findViewById<ViewGroup>(R.id.deal_stages)!!
        box.removeAllViews()
        for (stage in stages.filter { it.open || it == deal.stage }) {
            val chip = layoutInflater.inflate(R.layout.chip, box, false) as TextView
            chip.text = stage.label
            chip.isSelected = stage == deal.stage
            chip.setOnClickListener { if (stage != deal.stage) work({ it.editDeal(id, null, null, stage) }) { refresh() } }
            box.addView(chip)
        }
    }

    private fun lines(deal: Deal) {
        val box = findViewById<ViewGroup>(R.id.deal_lines)!!
        box.removeAllViews()
        box.shown = deal.lines.isNotEmpty()
        for (line in deal.lines) {
            val row = layoutInflater.inflate(R.layout.row_product, box, false)
            row.findViewById<TextView>(R.id.product_name)!!.text = line.name
            row.findViewById<TextView>(R.id.product_sku)!!.text = line.quantity
            row.findViewById<TextView>(R.id.product_price)!!.showOrHide(line.price?.let(words::money))
            box.addView(row)
        }
    }

    private fun save() {
        calm()
        val deal = deal ?: return
        val typed = amount.text.toString().trim()
        val before = deal.amount?.let { "${it.amount} ${it.currency}" }.orEmpty()
        val step = next.text.toString().trim()
        work({ it.editDeal(id, typed.takeIf { it != before }, step.takeIf { it != deal.nextStep }, null) }) { finish() }
    }

    private fun lose() {
        val reasons = listOf(R.string.deal_reason_price, R.string.deal_reason_competitor, R.string.deal_reason_budget, R.string.deal_reason_need)
        val choices = reasons.map { Choice(getString(it)) { close(won = false, reason = getString(it)) } }
        sheet(getString(R.string.deal_lose_title), choices + Choice(getString(R.string.deal_reason_other)) { otherReason() })
    }

    private fun otherReason() {
        val field = EditText(this)
        field.hint = getString(R.string.deal_lose_title)
        field.id = R.id.reason
        AlertDialog.Builder(this)
            .setTitle(R.string.deal_lose_title)
            .setView(field)
            .setPositiveButton(R.string.save) { _, _ -> close(won = false, reason = field.text.toString().trim()) }
            .setNegativeButton(R.string.cancel, null)
            .show()
    }

    private fun close(won: Boolean, reason: String) {
        calm()
        work({ it.closeDeal(id, won, reason, app.clock.now()) }) { finish() }
    }

    companion object {
        const val DEAL = "deal"
    }
}
