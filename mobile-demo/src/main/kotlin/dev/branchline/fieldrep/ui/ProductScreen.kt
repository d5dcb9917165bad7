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
import dev.branchline.fieldrep.Money
import dev.branchline.fieldrep.Product
import dev.branchline.fieldrep.R
import dev.branchline.fieldrep.engine.products
import java.time.ZoneId
import kotlinx.coroutines.Job

/** Chooses a product, at the prices of one client. */
class ProductScreen : Screen() {
    private var products: List<Product> = emptyList()
    private var known = false
    private var asked: Job? = null
    private val rows = Rows()

    override fun onCreate(state: Bundle?) {
        super.onCreate(state)
        show(R.layout.products, getString(R.string.products_title))
        findViewById<ListView>(R.id.products_list)!!.apply {
            adapter = rows
            setOnItemClickListener { _, _, at, _ -> products.getOrNull(at)?.let(::choose) }
        }
        findViewById<EditText>(R.id.products_search)!!.addTextChangedListener(typed { refresh() })
    }

    override fun refresh() {
        val text = findViewById<EditText>(R.id.products_search)!!.text.toString().trim()
        val client = intent.getStringExtra(CLIENT).orEmpty()
        asked?.cancel()
        val today = app.clock.now().atZone(ZoneId.systemDefault()).toLocalDate()
        asked = work({ it.products(text, client, today, ROWS_MAX) }) {
            products = it
            known = true
            rows.notifyDataSetChanged()
        }
    }

    private fun choose(product: Product) {
        val result = Intent().putExtra("id", product.id).putExtra("name", product.name)
            .putExtra("amount", product.price?.amount).putExtra("currency", product.price?.currency)
        setResult(RESULT_OK, result)
        finish()
    }

    private inner class Rows : BaseAdapter() {
        override fun getCount() = if (products.isEmpty() && known) 1 else products.size
        override fun getItem(at: Int): Any? = products.getOrNull(at)
        override fun getItemId(at: Int) = at.toLong()
        override fun getViewTypeCount() = 2
        override fun getItemViewType(at: Int) = if (products.isEmpty()) 1 else 0
        override fun isEnabled(at: Int) = products.isNotEmpty()

        override fun getView(at: Int, old: View?, parent: ViewGroup): View {
            val product = products.getOrNull(at)
            val view = old ?: layoutInflater.inflate(if (product == null) R.layout.empty else R.layout.row_product, parent, false)
            if (product == null) {
                view.findViewById<ImageView>(R.id.empty_icon)!!.setImageResource(R.drawable.ic_search)
                view.findViewById<TextView>(R.id.empty_title)!!.setText(R.string.products_none)
                view.findViewById<View>(R.id.empty_body)!!.shown = false
                return view
            }
            view.findViewById<TextView>(R.id.product_name)!!.text = product.name
            view.findViewById<TextView>(R.id.product_sku)!!.showOrHide(listOf(product.sku, product.unit).filter(String::isNotEmpty).joinToString(" · "))
            view.findViewById<TextView>(R.id.product_stock)!!.showStock(product.stock, words)
            view.findViewById<TextView>(R.id.product_price)!!.text = product.price?.let(words::money) ?: getString(R.string.visit_price_none)
            return view
        }
    }

    companion object {
        const val CLIENT = "client"
        private const val ROWS_MAX = 100

        fun chosen(data: Intent): Product {
            val amount = data.getStringExtra("amount")
            val price = amount?.let { Money(it, data.getStringExtra("currency").orEmpty()) }
            return Product(data.getStringExtra("id")!!, data.getStringExtra("name").orEmpty(), "", "", price)
        }
    }
}
