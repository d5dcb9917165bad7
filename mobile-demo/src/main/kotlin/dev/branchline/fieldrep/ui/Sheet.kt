package dev.branchline.fieldrep.ui

import android.app.Dialog
import android.view.Gravity
import android.view.ViewGroup
import android.view.Window
import android.widget.TextView
import dev.branchline.fieldrep.R

/** One choice of a [sheet]: what it is, and what follows from it. */
class Choice(val text: String, val hint: String? = null, val chosen: () -> Unit)

/** A sheet of choices from the lower edge, within a thumb's reach. Touching beside it chooses nothing. */
fun Screen.sheet(title: String, choices: List<Choice>, left: () -> Unit = {}): Dialog {
    val dialog = Dialog(this, R.style.Theme_FieldRep_Sheet)
    dialog.requestWindowFeature(Window.FEATURE_NO_TITLE)
    dialog.setContentView(R.layout.sheet)
    dialog.window!!.setLayout(ViewGroup.LayoutParams.MATCH_PARENT, ViewGroup.LayoutParams.MATCH_PARENT)
    dialog.window!!.setGravity(Gravity.BOTTOM)
    dialog.findViewById<TextView>(R.id.sheet_title)!!.text = title
    val options = dialog.findViewById<ViewGroup>(R.id.sheet_options)!!
    for (choice in choices) {
        val row = layoutInflater.inflate(R.layout.sheet_option, options, false)
        row.findViewById<TextView>(R.id.option_text)!!.text = choice.text
        row.findViewById<TextView>(R.id.option_hint)!!.showOrHide(choice.hint)
        row.setOnClickListener {
            dialog.setOnCancelListener(null)
            dialog.dismiss()
            choice.chosen()
        }
        options.addView(row)
    }
    val card = dialog.findViewById<android.view.View>(R.id.sheet_card)!!
    (card.parent as ViewGroup).setOnClickListener { dialog.cancel() }
    card.setOnApplyWindowInsetsListener { view, insets ->
        view.setPadding(0, 0, 0, insets.stableInsetBottom)
        insets
    }
    dialog.setOnCancelListener { left() }
    dialog.show()
    return dialog
}
