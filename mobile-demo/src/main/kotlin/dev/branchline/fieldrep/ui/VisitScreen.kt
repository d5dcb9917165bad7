package dev.branchline.fieldrep.ui

import android.Manifest
import android.content.Intent
import android.content.pm.PackageManager
import android.os.Bundle
import android.os.Handler
import android.os.Looper
import android.view.View
import android.view.ViewGroup
import android.widget.Button
import android.widget.EditText
import android.widget.ImageView
import android.widget.TextView
import dev.branchline.fieldrep.OrderLine
import dev.branchline.fieldrep.Outcome
import dev.branchline.fieldrep.Product
import dev.branchline.fieldrep.R
import dev.branchline.fieldrep.Stock
import dev.branchline.fieldrep.Visit
import dev.branchline.fieldrep.device.readPicture
import dev.branchline.fieldrep.device.shrinkPicture
import dev.branchline.fieldrep.engine.complete
import dev.branchline.fieldrep.engine.order
import dev.branchline.fieldrep.engine.photo
import dev.branchline.fieldrep.engine.saveNote
import dev.branchline.fieldrep.engine.savePhoto
import dev.branchline.fieldrep.engine.savePlace
import dev.branchline.fieldrep.engine.stock
import dev.branchline.fieldrep.engine.visit
import dev.branchline.fieldrep.total
import java.time.ZoneId

/** A visit that is going on. All that is entered is kept in the replica at once, so a killed process loses nothing. */
class VisitScreen : Screen() {
    private val id: String get() = intent.getStringExtra(VISIT)!!
    private val later = Handler(Looper.getMainLooper())
    private val saveNow = Runnable { save() }
    private val note: EditText get() = findViewById(R.id.visit_note)!!
    private var visit: Visit? = null
    private var kept = ""
    private var filled = false
    private var measuring = false

    override fun onCreate(state: Bundle?) {
        super.onCreate(state)
        show(R.layout.visit, getString(R.string.visit_title))
        note.addTextChangedListener(typed { if (filled) noteChanged() })
        click(R.id.visit_take_photo) { if (!app.camera.take(this, PHOTO)) say(getString(R.string.no_camera)) }
        click(R.id.visit_add_product) {
            startActivityForResult(Intent(this, ProductScreen::class.java).putExtra(ProductScreen.CLIENT, visit?.client), PRODUCT)
        }
        click(R.id.visit_check_out) { checkOut() }
        if (state == null && intent.getBooleanExtra(BEGUN, false)) locate()
    }

    override fun refresh() {
        val today = app.clock.now().atZone(ZoneId.systemDefault()).toLocalDate()
        work({ it.visit(id) to it.stock(today) }) { (visit, stock) -> show(visit, stock) }
    }

    private fun locate() {
        if (app.locator.allowed) {
            measure()
        } else {
            requestPermissions(arrayOf(Manifest.permission.ACCESS_FINE_LOCATION), PLACE)
        }
    }

    override fun onRequestPermissionsResult(request: Int, permissions: Array<out String>, granted: IntArray) {
        super.onRequestPermissionsResult(request, permissions, granted)
        if (request == PLACE && PackageManager.PERMISSION_GRANTED in granted.toList()) measure()
    }

    private fun measure() {
        measuring = true
        val id = id
        app.locator.measure { place ->
            measuring = false
            if (place == null) refresh() else keep({ it.savePlace(id, place) }) { refresh() }
        }
    }

    private fun show(visit: Visit, stock: Map<String, Stock>) {
        this.visit = visit
        findViewById<TextView>(R.id.bar_title)!!.text = visit.clientName
        findViewById<TextView>(R.id.visit_since)!!.text = getString(R.string.visit_checked_in, words.momentInFull(visit.since, app.clock.now()))
        val metres = visit.place?.let { here -> visit.clientPlace?.let(here::metresTo) }
        val place = when {
            measuring -> getString(R.string.visit_place_measuring)
            visit.place == null -> getString(R.string.visit_place_unknown)
            metres == null -> null
            else -> getString(R.string.visit_far, words.distance(metres))
        }
        findViewById<TextView>(R.id.visit_place)!!.showOrHide(place)
        if (!filled) {
            kept = visit.note
            note.setText(visit.note)
            filled = true
        }
        photo(visit)
        lines(visit.lines, stock)
    }

    private fun noteChanged() {
        findViewById<TextView>(R.id.visit_saved)!!.setText(R.string.visit_saving)
        later.removeCallbacks(saveNow)
        later.postDelayed(saveNow, SAVE_AFTER_MS)
    }

    private fun save(then: () -> Unit = {}) {
        later.removeCallbacks(saveNow)
        val text = note.text.toString()
        if (!filled || text == kept) {
            then()
            return
        }
        val id = id
        keep({ it.saveNote(id, text) }) {
            kept = text
            findViewById<TextView>(R.id.visit_saved)!!.setText(R.string.visit_saved)
            then()
        }
    }

    override fun onPause() {
        save()
        super.onPause()
    }

    private fun photo(visit: Visit) {
        val view = findViewById<ImageView>(R.id.visit_photo)!!
        view.shown = visit.photo != null
        findViewById<Button>(R.id.visit_take_photo)!!.setText(if (visit.photo == null) R.string.visit_photo else R.string.visit_photo_again)
        val photo = visit.photo ?: return
        view.contentDescription = getString(R.string.photo_of, visit.clientName)
        work({ it.photo(photo)?.let { bytes -> readPicture(bytes, THUMBNAIL_PX) } }) { view.setImageBitmap(it) }
    }

    private fun lines(lines: List<OrderLine>, stock: Map<String, Stock>) {
        val box = findViewById<ViewGroup>(R.id.visit_lines)!!
        box.removeAllViews()
        for (line in lines) {
            val row = layoutInflater.inflate(R.layout.row_order_line, box, false)
            row.findViewById<TextView>(R.id.order_name)!!.text = line.name
            row.findViewById<TextView>(R.id.order_price)!!.text = line.price?.let(words::money) ?: getString(R.string.visit_price_none)
            row.findViewById<TextView>(R.id.order_stock)!!.showStock(line.product?.let(stock::get), words)
            row.findViewById<TextView>(R.id.order_quantity)!!.apply {
                text = line.quantity
                contentDescription = getString(R.string.visit_quantity, line.name, line.quantity)
            }
            step(row, R.id.order_less, R.string.visit_less, line, -1)
            step(row, R.id.order_more, R.string.visit_more, line, 1)
            box.addView(row)
        }
        findViewById<View>(R.id.visit_total_row)!!.shown = lines.isNotEmpty()
        findViewById<TextView>(R.id.visit_total)!!.text = words.sums(total(lines))
    }

    private fun step(row: View, button: Int, label: Int, line: OrderLine, change: Int) = row.findViewById<View>(button)!!.apply {
        contentDescription = getString(label, line.name)
        setOnClickListener { order(Product(line.product ?: return@setOnClickListener, line.name, "", "", line.price), change) }
    }

    private fun order(product: Product, change: Int) {
        calm()
        val name = getString(R.string.visit_order_name, visit?.clientName.orEmpty())
        work({ it.order(id, product, change, name, app.clock.now()) }) { refresh() }
    }

    @Deprecated("the older way of Android before the activity results of AndroidX")
    override fun onActivityResult(request: Int, result: Int, data: Intent?) {
        super.onActivityResult(request, result, data)
        if (result != RESULT_OK) return
        when (request) {
            PRODUCT -> data?.let { order(ProductScreen.chosen(it), 1) }
            PHOTO -> app.camera.taken()?.let { file -> keep({ it.savePhoto(id, shrinkPicture(file)).also { file.delete() } }) { refresh() } }
        }
    }

    private fun checkOut() = save {
        val visit = visit ?: return@save
        val choices = Outcome.entries.map { outcome ->
            val days = outcome.nextDays
            Choice(words.outcome(outcome), resources.getQuantityString(R.plurals.next_in, days, days)) {
                val next = getString(R.string.next_subject, visit.clientName)
                work({ it.complete(id, outcome, next, app.clock.now()) }) {
                    app.choices.openVisit = null
                    app.reminders.plan()
                    finish()
                }
            }
        }
        sheet(getString(R.string.outcome_title), choices)
    }

    private fun click(id: Int, then: () -> Unit) = findViewById<View>(id)!!.setOnClickListener { then() }

    companion object {
        const val VISIT = "visit"
        /** Whether the visit begins with this screen. */
        const val BEGUN = "begun"
        private const val PHOTO = 1
        private const val PRODUCT = 2
        private const val PLACE = 3
        private const val SAVE_AFTER_MS = 400L
        private const val THUMBNAIL_PX = 400
    }
}
