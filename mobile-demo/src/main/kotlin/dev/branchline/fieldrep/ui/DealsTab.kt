package dev.branchline.fieldrep.ui

import android.animation.Animator
import android.content.Intent
import android.view.View
import android.view.ViewGroup
import android.widget.BaseAdapter
import android.widget.HorizontalScrollView
import android.widget.ListView
import android.widget.TextView
import dev.branchline.fieldrep.Deal
import dev.branchline.fieldrep.R
import dev.branchline.fieldrep.StageDeals
import dev.branchline.fieldrep.engine.deals
import dev.branchline.fieldrep.engine.stages
import dev.branchline.fieldrep.engine.sums
import dev.branchline.fieldrep.view.Columns
import dev.branchline.fieldrep.view.glide

/** Deals by stage, a column for each. */
class DealsTab(home: HomeScreen) : Tab(home, R.layout.tab_deals) {
    private val columns = view.findViewById<Columns>(R.id.deals_columns)!!
    private val chips = view.findViewById<ViewGroup>(R.id.deals_stages)!!
    private var shown: List<StageDeals> = emptyList()
    private var gliding: Animator? = null

    init {
        view.findViewById<TextView>(R.id.header_title)!!.setText(R.string.tab_deals)
        columns.onShown = ::mark
    }

    override fun refresh() {
        home.work({ territory -> territory.stages().map(territory::deals) }) { stages ->
            if (shown.map { it.stage } != stages.map { it.stage }) build(stages)
            shown = stages
            stages.forEachIndexed { n, stage -> fill(n, stage) }
            val open = stages.filter { it.stage.open }
            val count = open.sumOf { it.deals.size }
            val sums = home.words.sums(sums(open.flatMap { it.total }))
            view.findViewById<TextView>(R.id.header_body)!!.text =
                listOf(home.resources.getQuantityString(R.plurals.deals_count, count, count), sums).filter(String::isNotEmpty).joinToString(" · ")
        }
    }

    private fun build(stages: List<StageDeals>) {
        columns.removeAllViews()
        chips.removeAllViews()
        stages.forEachIndexed { n, stage ->
            columns.addView(home.layoutInflater.inflate(R.layout.column, columns, false))
            val chip = home.layoutInflater.inflate(R.layout.chip, chips, false) as TextView
            chip.text = stage.stage.label
            chip.setOnClickListener { columns.show(n) }
            chips.addView(chip)
        }
        mark(columns.shown)
    }

    private fun mark(at: Int) {
        for (n in 0 until chips.childCount) chips.getChildAt(n).isSelected = n == at
        val chip = chips.getChildAt(at) ?: return
        val strip = view.findViewById<HorizontalScrollView>(R.id.deals_strip)!!
        strip.post {
            gliding?.cancel()
            gliding = strip.glide((chip.left - strip.width / 3).coerceIn(0, (chips.width - strip.width).coerceAtLeast(0)))
        }
    }

    private fun fill(at: Int, stage: StageDeals) {
        val column = columns.getChildAt(at)
        column.findViewById<TextView>(R.id.column_title)!!.apply {
            text = stage.stage.label
            contentDescription = home.getString(R.string.deals_column, stage.stage.label, (at + 1).toString(), columns.childCount.toString())
        }
        val count = home.resources.getQuantityString(R.plurals.deals_count, stage.deals.size, stage.deals.size)
        column.findViewById<TextView>(R.id.column_sum)!!.text = listOf(count, home.words.sums(stage.total)).filter(String::isNotEmpty).joinToString(" · ")
        val list = column.findViewById<ListView>(R.id.column_list)!!
        val adapter = list.adapter as? Rows ?: Rows().also(list::setAdapter)
        adapter.deals = stage.deals
        adapter.notifyDataSetChanged()
    }

    private inner class Rows : BaseAdapter() {
        var deals: List<Deal> = emptyList()

        override fun getCount() = deals.size.coerceAtLeast(1)
        override fun getItem(at: Int): Any? = deals.getOrNull(at)
        override fun getItemId(at: Int) = at.toLong()
        override fun getViewTypeCount() = 2
        override fun getItemViewType(at: Int) = if (deals.isEmpty()) 1 else 0
        override fun areAllItemsEnabled() = false
        override fun isEnabled(at: Int) = false

        override fun getView(at: Int, old: View?, parent: ViewGroup): View {
            val deal = deals.getOrNull(at)
            val view = old ?: home.layoutInflater.inflate(if (deal == null) R.layout.column_empty else R.layout.card_deal, parent, false)
            deal?.let { card(view, it) }
            return view
        }
    }

    private fun card(view: View, deal: Deal) {
        val words = home.words
        view.findViewById<TextView>(R.id.deal_name)!!.text = deal.name
        view.findViewById<TextView>(R.id.deal_amount)!!.showOrHide(deal.amount?.let(words::money))
        view.findViewById<TextView>(R.id.deal_client)!!.showOrHide(
            listOfNotNull(
                deal.clientName.ifEmpty { null }.takeIf { it != deal.name },
                deal.expected?.let { home.getString(R.string.deals_expected, words.day(it)) },
            ).joinToString(" · "),
        )
        val next = if (deal.stage.open) deal.nextStep.ifEmpty { null }?.let { home.getString(R.string.deals_next, it) } else deal.lostReason
        view.findViewById<TextView>(R.id.deal_next)!!.showOrHide(next)
        view.findViewById<TextView>(R.id.deal_pill)!!.showPill(deal.mark, words)
        (view as ViewGroup).getChildAt(0).setOnClickListener {
            home.startActivity(Intent(home, DealScreen::class.java).putExtra(DealScreen.DEAL, deal.id))
        }
    }
}
