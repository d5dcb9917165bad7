package dev.branchline.fieldrep.ui

import android.os.Bundle
import android.view.View
import android.view.ViewGroup
import android.widget.LinearLayout
import android.widget.TextView
import dev.branchline.fieldrep.Clash
import dev.branchline.fieldrep.R
import dev.branchline.fieldrep.Version
import dev.branchline.fieldrep.engine.clashes
import dev.branchline.fieldrep.engine.keep

/** The versions of a field side by side, with who wrote them and when; one touch settles it. */
class ConflictScreen : Screen() {
    private val collection: String get() = intent.getStringExtra(COLLECTION)!!
    private val record: String get() = intent.getStringExtra(RECORD)!!

    override fun onCreate(state: Bundle?) {
        super.onCreate(state)
        show(R.layout.conflict, getString(R.string.conflict_title))
    }

    override fun refresh() {
        work({ it.clashes(collection, record) }) { clashes ->
            if (clashes.isEmpty()) finish() else show(clashes)
        }
    }

    private fun show(clashes: List<Clash>) {
        findViewById<TextView>(R.id.conflict_record)!!.text = clashes.first().title
        findViewById<TextView>(R.id.conflict_body)!!.text = getString(R.string.conflict_body, clashes.joinToString(", ") { it.label })
        val box = findViewById<ViewGroup>(R.id.conflict_fields)!!
        box.removeAllViews()
        for (clash in clashes) {
            val part = layoutInflater.inflate(R.layout.conflict_field, box, false)
            part.findViewById<TextView>(R.id.conflict_label)!!.text = clash.label
            val values = part.findViewById<LinearLayout>(R.id.conflict_values)!!
            // More than two, or large letters, do not fit side by side.
            val narrow = clash.versions.size > 2 || resources.configuration.fontScale > FONT_SCALE_MAX
            if (narrow) values.orientation = LinearLayout.VERTICAL
            clash.versions.forEachIndexed { n, version -> values.addView(version(values, clash, version, n, narrow)) }
            box.addView(part)
        }
    }

    private fun version(box: ViewGroup, clash: Clash, version: Version, at: Int, narrow: Boolean): View {
        val card = layoutInflater.inflate(R.layout.conflict_value, box, false)
        val gap = resources.getDimensionPixelSize(R.dimen.gap)
        card.layoutParams = if (narrow) {
            LinearLayout.LayoutParams(ViewGroup.LayoutParams.MATCH_PARENT, ViewGroup.LayoutParams.WRAP_CONTENT).apply { topMargin = if (at > 0) gap else 0 }
        } else {
            LinearLayout.LayoutParams(0, ViewGroup.LayoutParams.MATCH_PARENT, 1f).apply { leftMargin = if (at > 0) gap else 0 }
        }
        val text = version.text.ifEmpty { getString(R.string.conflict_empty) }
        card.findViewById<TextView>(R.id.value_text)!!.text = text
        card.findViewById<TextView>(R.id.value_by)!!.text =
            getString(R.string.conflict_by, version.by.ifEmpty { version.device }, words.momentInFull(version.at, app.clock.now()))
        card.findViewById<View>(R.id.value_shown)!!.visibility = if (version.shown) View.VISIBLE else View.INVISIBLE
        card.findViewById<View>(R.id.value_keep)!!.apply {
            contentDescription = "${getString(R.string.conflict_keep)}: $text"
            setOnClickListener {
                calm()
                work({ it.keep(clash, version) }) {
                    say(getString(R.string.conflict_settled, text))
                    refresh()
                }
            }
        }
        return card
    }

    companion object {
        const val COLLECTION = "collection"
        const val RECORD = "record"
        private const val FONT_SCALE_MAX = 1.3f
    }
}
