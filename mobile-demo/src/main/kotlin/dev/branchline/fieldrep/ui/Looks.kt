package dev.branchline.fieldrep.ui

import android.content.res.ColorStateList
import android.view.View
import android.widget.ImageView
import android.widget.TextView
import dev.branchline.fieldrep.Kind
import dev.branchline.fieldrep.Mark
import dev.branchline.fieldrep.R
import dev.branchline.fieldrep.Stock
import dev.branchline.fieldrep.Words

/** The picture of an activity's kind. */
fun picture(kind: Kind): Int = when (kind) {
    Kind.CALL -> R.drawable.ic_call
    Kind.EMAIL -> R.drawable.ic_mail
    Kind.NOTE -> R.drawable.ic_note
    Kind.TASK -> R.drawable.ic_task
    Kind.MEETING -> R.drawable.ic_clients
    Kind.VISIT -> R.drawable.ic_place
}

private fun picture(mark: Mark): Pair<Int, Int>? = when (mark) {
    Mark.NONE -> null
    Mark.WAITING -> R.drawable.ic_waiting to R.color.muted
    Mark.REFUSED -> R.drawable.ic_refused to R.color.danger
    Mark.CONFLICT -> R.drawable.ic_conflict to R.color.warn
}

/** Shows a mark as a small picture that TalkBack can say. */
fun ImageView.show(mark: Mark, words: Words) {
    val (icon, colour) = picture(mark) ?: run {
        visibility = View.GONE
        return
    }
    visibility = View.VISIBLE
    setImageResource(icon)
    imageTintList = ColorStateList.valueOf(context.getColor(colour))
    contentDescription = words.mark(mark)
}

/** Shows a mark as a pill with its words. */
fun TextView.showPill(mark: Mark, words: Words) {
    text = words.mark(mark)
    visibility = if (mark == Mark.NONE) View.GONE else View.VISIBLE
    val (back, colour) = when (mark) {
        Mark.REFUSED -> R.drawable.pill_danger to R.color.on_danger_soft
        Mark.CONFLICT -> R.drawable.pill_warn to R.color.on_warn_soft
        else -> R.drawable.pill_brand to R.color.on_brand_soft
    }
    setBackgroundResource(back)
    setTextColor(context.getColor(colour))
}

/** Says what is left of the person's share of a stock, and that more was ordered than it. */
fun TextView.showStock(stock: Stock?, words: Words) {
    showOrHide(stock?.let(words::stock))
    setTextColor(context.getColor(if (stock?.over == true) R.color.danger else R.color.muted))
}

/** Shows a text, or nothing and no gap for it. */
fun TextView.showOrHide(value: CharSequence?) {
    text = value
    visibility = if (value.isNullOrEmpty()) View.GONE else View.VISIBLE
}

var View.shown: Boolean
    get() = visibility == View.VISIBLE
    set(value) {
        visibility = if (value) View.VISIBLE else View.GONE
    }
