package dev.branchline.fieldrep.ui

import android.content.Intent
import android.text.Editable
import android.text.TextWatcher
import android.view.View
import android.view.ViewGroup
import android.widget.BaseAdapter
import android.widget.Button
import android.widget.EditText
import android.widget.ImageView
import android.widget.ListView
import android.widget.TextView
import dev.branchline.fieldrep.Client
import dev.branchline.fieldrep.ClientFilter
import dev.branchline.fieldrep.Place
import dev.branchline.fieldrep.R
import dev.branchline.fieldrep.engine.clientCount
import dev.branchline.fieldrep.engine.clients
import dev.branchline.fieldrep.view.Avatar
import kotlinx.coroutines.Job

/** All clients of the territory, found while one types. */
class ClientsTab(home: HomeScreen) : Tab(home, R.layout.tab_clients) {
    private var clients: List<Client> = emptyList()
    private var filter = ClientFilter.ALL
    private var here: Place? = null
    private var asked: Job? = null
    private var known = false
    private val search = view.findViewById<EditText>(R.id.clients_search)!!
    private val adapter = Rows()

    init {
        view.findViewById<TextView>(R.id.header_title)!!.setText(R.string.tab_clients)
        view.findViewById<ListView>(R.id.clients_list)!!.apply {
            adapter = this@ClientsTab.adapter
            setOnItemClickListener { _, _, at, _ -> clients.getOrNull(at)?.let(::open) }
        }
        search.addTextChangedListener(typed { refresh() })
        val clear = view.findViewById<View>(R.id.clients_clear)!!
        clear.setOnClickListener { search.setText("") }
        view.findViewById<View>(R.id.clients_add)!!.setOnClickListener { add("") }
        chips()
    }

    private fun chips() {
        val box = view.findViewById<ViewGroup>(R.id.clients_chips)!!
        for (choice in ClientFilter.entries) {
            val chip = home.layoutInflater.inflate(R.layout.chip, box, false) as TextView
            chip.setText(LABELS[choice.ordinal])
            chip.isSelected = choice == filter
            chip.setOnClickListener {
                filter = choice
                for (n in 0 until box.childCount) box.getChildAt(n).isSelected = n == choice.ordinal
                if (choice == ClientFilter.NEARBY && home.app.locator.here() == null) {
                    home.requestPermissions(arrayOf(android.Manifest.permission.ACCESS_FINE_LOCATION), 0)
                    home.say(home.getString(R.string.nearby_no_place))
                }
                refresh()
            }
            box.addView(chip)
        }
    }

    override fun refresh() {
        val text = search.text.toString().trim()
        view.findViewById<View>(R.id.clients_clear)!!.shown = text.isNotEmpty()
        here = home.app.locator.here()
        // Only the answer to what was typed last is shown.
        asked?.cancel()
        asked = home.work({ it.clients(text, filter, here, ROWS_MAX) to it.clientCount() }) { (found, all) ->
            clients = found
            known = true
            val count = home.resources.getQuantityString(R.plurals.clients_count, all.toInt(), home.words.count(all))
            view.findViewById<TextView>(R.id.header_body)!!.text = count
            adapter.notifyDataSetChanged()
        }
    }

    private fun open(client: Client) {
        home.startActivity(Intent(home, ClientScreen::class.java).putExtra(ClientScreen.CLIENT, client.id))
    }

    private fun add(name: String) {
        home.startActivity(Intent(home, FormScreen::class.java).putExtra(FormScreen.COLLECTION, "account").putExtra(FormScreen.preset("name"), name))
    }

    private inner class Rows : BaseAdapter() {
        override fun getCount() = if (clients.isEmpty() && known) 1 else clients.size
        override fun getItem(at: Int): Any? = clients.getOrNull(at)
        override fun getItemId(at: Int) = at.toLong()
        override fun getViewTypeCount() = 2
        override fun getItemViewType(at: Int) = if (clients.isEmpty()) 1 else 0
        override fun isEnabled(at: Int) = clients.isNotEmpty()

        override fun getView(at: Int, old: View?, parent: ViewGroup): View {
            val layout = if (clients.isEmpty()) R.layout.empty else R.layout.row_client
            val view = old ?: home.layoutInflater.inflate(layout, parent, false)
            clients.getOrNull(at)?.let { row(view, it) } ?: empty(view)
            return view
        }
    }

    private fun row(view: View, client: Client) {
        view.findViewById<Avatar>(R.id.client_avatar)!!.show(client.name)
        view.findViewById<TextView>(R.id.client_name)!!.text = client.name
        val place = listOf(client.city, client.address).filter(String::isNotEmpty).joinToString(", ")
        view.findViewById<TextView>(R.id.client_place)!!.showOrHide(place.ifEmpty { client.phones.firstOrNull() })
        val metres = here?.let { from -> client.place?.let(from::metresTo) }
        view.findViewById<TextView>(R.id.client_distance)!!.showOrHide(metres?.let(home.words::distance))
        view.findViewById<ImageView>(R.id.client_mark)!!.show(client.mark, home.words)
    }

    private fun empty(view: View) {
        val text = search.text.toString().trim()
        val searched = text.isNotEmpty() || filter != ClientFilter.ALL
        view.findViewById<ImageView>(R.id.empty_icon)!!.setImageResource(if (searched) R.drawable.ic_search else R.drawable.ic_clients)
        view.findViewById<TextView>(R.id.empty_title)!!.setText(if (searched) R.string.clients_none_title else R.string.clients_empty_title)
        view.findViewById<TextView>(R.id.empty_body)!!.setText(if (searched) R.string.clients_none_body else R.string.clients_empty_body)
        view.findViewById<Button>(R.id.empty_action)!!.apply {
            shown = text.isNotEmpty()
            this.text = home.getString(R.string.clients_add_named, text)
            setOnClickListener { add(text) }
        }
    }

    private companion object {
        const val ROWS_MAX = 200
        val LABELS = intArrayOf(
            R.string.clients_all, R.string.clients_nearby, R.string.clients_deals, R.string.clients_vip, R.string.clients_waiting,
        )
    }
}

/** Calls back whenever a text has changed. */
fun typed(changed: (String) -> Unit) = object : TextWatcher {
    override fun beforeTextChanged(text: CharSequence?, start: Int, count: Int, after: Int) = Unit
    override fun onTextChanged(text: CharSequence?, start: Int, before: Int, count: Int) = Unit
    override fun afterTextChanged(text: Editable) = changed(text.toString())
}
