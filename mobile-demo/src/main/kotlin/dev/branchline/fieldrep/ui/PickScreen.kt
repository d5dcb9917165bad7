package dev.branchline.fieldrep.ui

import android.content.Intent
import android.os.Bundle
import android.view.View
import android.view.ViewGroup
import android.widget.BaseAdapter
import android.widget.EditText
import android.widget.ImageView
import android.widget.ListView
import android.widget.TextView
import dev.branchline.fieldrep.R
import dev.branchline.fieldrep.engine.pick
import kotlinx.coroutines.Job

/** Chooses a record of a collection. */
class PickScreen : Screen() {
    private var records: List<Pair<String, String>> = emptyList()
    private var known = false
    private var asked: Job? = null
    private val rows = Rows()

    override fun onCreate(state: Bundle?) {
        super.onCreate(state)
        show(R.layout.pick, intent.getStringExtra(TITLE))
        findViewById<ListView>(R.id.pick_list)!!.apply {
            adapter = rows
            setOnItemClickListener { _, _, at, _ -> records.getOrNull(at)?.let { (id, title) -> choose(id, title) } }
        }
        findViewById<EditText>(R.id.pick_search)!!.addTextChangedListener(typed { refresh() })
    }

    override fun refresh() {
        val text = findViewById<EditText>(R.id.pick_search)!!.text.toString().trim()
        val collection = intent.getStringExtra(COLLECTION)!!
        asked?.cancel()
        asked = work({ it.pick(collection, text, ROWS_MAX) }) {
            records = it
            known = true
            rows.notifyDataSetChanged()
        }
    }

    private fun choose(id: String, title: String) {
        setResult(RESULT_OK, Intent().putExtra(FIELD, intent.getStringExtra(FIELD)).putExtra(RECORD, id).putExtra(TITLE, title))
        finish()
    }

    private inner class Rows : BaseAdapter() {
        override fun getCount() = if (records.isEmpty() && known) 1 else records.size
        override fun getItem(at: Int): Any? = records.getOrNull(at)
        override fun getItemId(at: Int) = at.toLong()
        override fun getViewTypeCount() = 2
        override fun getItemViewType(at: Int) = if (records.isEmpty()) 1 else 0
        override fun isEnabled(at: Int) = records.isNotEmpty()

        override fun getView(at: Int, old: View?, parent: ViewGroup): View {
            val record = records.getOrNull(at)
            val view = old ?: layoutInflater.inflate(if (record == null) R.layout.empty else R.layout.row_pick, parent, false)
            if (record == null) {
                view.findViewById<ImageView>(R.id.empty_icon)!!.setImageResource(R.drawable.ic_search)
                view.findViewById<TextView>(R.id.empty_title)!!.setText(R.string.form_nothing_found)
                view.findViewById<View>(R.id.empty_body)!!.shown = false
            } else {
                (view as TextView).text = record.second
            }
            return view
        }
    }

    companion object {
        const val COLLECTION = "collection"
        /** The field of the form for which it is chosen; given back with the choice. */
        const val FIELD = "field"
        const val TITLE = "title"
        const val RECORD = "record"
        private const val ROWS_MAX = 100
    }
}
