package dev.branchline.fieldrep.ui

import android.content.Intent
import android.net.Uri
import android.os.Bundle
import android.view.View
import android.view.ViewGroup
import android.widget.Button
import android.widget.ImageView
import android.widget.ProgressBar
import android.widget.TextView
import dev.branchline.fieldrep.Client
import dev.branchline.fieldrep.ClientCard
import dev.branchline.fieldrep.Deal
import dev.branchline.fieldrep.Event
import dev.branchline.fieldrep.Mark
import dev.branchline.fieldrep.Person
import dev.branchline.fieldrep.Photo
import dev.branchline.fieldrep.R
import dev.branchline.fieldrep.device.readPicture
import dev.branchline.fieldrep.engine.card
import dev.branchline.fieldrep.engine.checkIn
import dev.branchline.fieldrep.engine.fetchPhoto
import dev.branchline.fieldrep.engine.photo
import dev.branchline.fieldrep.view.Avatar

/** A client's card: whom to call, what is going on, what was. */
class ClientScreen : Screen() {
    private val client: String get() = intent.getStringExtra(CLIENT)!!

    override fun onCreate(state: Bundle?) {
        super.onCreate(state)
        show(R.layout.client, "")
        action(R.string.edit) { form("account", client) }
        click(R.id.card_plan) { startActivity(Intent(this, PlanScreen::class.java).putExtra(PlanScreen.CLIENT, client)) }
        click(R.id.card_visit) { visit() }
        click(R.id.card_completeness) { form("account", client) }
        click(R.id.card_settle) {
            startActivity(Intent(this, ConflictScreen::class.java).putExtra(ConflictScreen.COLLECTION, "account").putExtra(ConflictScreen.RECORD, client))
        }
    }

    override fun refresh() {
        work({ it.card(client) }) { show(it) }
    }

    private fun show(card: ClientCard) {
        val client = card.client
        findViewById<Avatar>(R.id.card_avatar)!!.show(client.name)
        text(R.id.card_name, client.name)
        text(R.id.card_place, listOf(client.city, client.address).filter(String::isNotEmpty).joinToString(", "))
        pills(client)
        val phone = (client.phones + card.people.filter { !it.doNotCall }.flatMap(Person::phones)).firstOrNull()
        val mail = (client.emails + card.people.flatMap(Person::emails)).firstOrNull()
        offer(R.id.card_call, phone != null) { call(phone!!) }
        offer(R.id.card_write, mail != null) { write(mail!!) }
        offer(R.id.card_map, client.place != null || client.address.isNotEmpty()) { map(client) }
        findViewById<Button>(R.id.card_visit)!!.setText(
            if (app.choices.openVisit == null) R.string.visit_check_in else R.string.today_going_on,
        )
        completeness(card)
        people(card.people)
        deals(card.deals)
        part(R.id.card_notes_title, R.id.card_notes_box, card.notes.isNotEmpty())
        text(R.id.card_notes, card.notes)
        photos(card.timeline.mapNotNull(Event::photo))
        timeline(card.timeline)
    }

    private fun pills(client: Client) {
        val box = findViewById<ViewGroup>(R.id.card_pills)!!
        box.removeAllViews()
        if (client.vip) pill(box).apply {
            setText(R.string.clients_vip)
            setBackgroundResource(R.drawable.pill_warn)
            setTextColor(getColor(R.color.on_warn_soft))
        }
        if (client.mark != Mark.NONE) pill(box).showPill(client.mark, words)
        box.shown = box.childCount > 0
        findViewById<View>(R.id.card_settle)!!.shown = client.mark == Mark.CONFLICT
    }

    private fun pill(box: ViewGroup) = (layoutInflater.inflate(R.layout.pill, box, false) as TextView).also(box::addView)

    private fun completeness(card: ClientCard) {
        val box = findViewById<View>(R.id.card_completeness)!!
        box.shown = card.missing.isNotEmpty()
        text(R.id.card_filled, getString(R.string.client_completeness, words.percent(card.filledPercent)))
        findViewById<ProgressBar>(R.id.card_filled_bar)!!.progress = card.filledPercent
        text(R.id.card_missing, getString(R.string.client_missing, card.missing.joinToString(", ")))
    }

    private fun people(people: List<Person>) = fill(R.id.card_people) { box ->
        if (people.isEmpty()) plain(box, R.string.client_no_people)
        for (person in people) {
            val row = layoutInflater.inflate(R.layout.row_person, box, false)
            row.findViewById<TextView>(R.id.person_name)!!.text = person.name
            val title = if (person.doNotCall) getString(R.string.do_not_call) else person.title
            row.findViewById<TextView>(R.id.person_title)!!.showOrHide(title)
            row.findViewById<View>(R.id.person_call)!!.apply {
                shown = person.phones.isNotEmpty() && !person.doNotCall
                contentDescription = getString(R.string.client_call_person, person.name)
                setOnClickListener { call(person.phones.first()) }
            }
            row.findViewById<View>(R.id.person_write)!!.apply {
                shown = person.emails.isNotEmpty()
                contentDescription = getString(R.string.client_write_person, person.name)
                setOnClickListener { write(person.emails.first()) }
            }
            row.setOnClickListener { form("contact", person.id) }
            box.addView(row)
        }
        link(box, R.string.client_add_person) { form("contact", null) }
    }

    private fun deals(deals: List<Deal>) = fill(R.id.card_deals) { box ->
        if (deals.isEmpty()) plain(box, R.string.client_no_deals)
        for (deal in deals) {
            val row = layoutInflater.inflate(R.layout.row_deal, box, false)
            row.findViewById<TextView>(R.id.deal_name)!!.text = deal.name
            row.findViewById<TextView>(R.id.deal_stage)!!.text = deal.stage.label
            row.findViewById<TextView>(R.id.deal_amount)!!.showOrHide(deal.amount?.let(words::money))
            row.findViewById<ImageView>(R.id.deal_mark)!!.show(deal.mark, words)
            row.setOnClickListener { startActivity(Intent(this, DealScreen::class.java).putExtra(DealScreen.DEAL, deal.id)) }
            box.addView(row)
        }
        link(box, R.string.client_add_deal) { form("opportunity", null) }
    }

    private fun timeline(events: List<Event>) = fill(R.id.card_timeline) { box ->
        if (events.isEmpty()) plain(box, R.string.client_no_timeline)
        val now = app.clock.now()
        for (event in events) {
            val row = layoutInflater.inflate(R.layout.row_event, box, false)
            row.findViewById<ImageView>(R.id.event_icon)!!.apply {
                setImageResource(picture(event.kind))
                contentDescription = words.kind(event.kind)
            }
            row.findViewById<TextView>(R.id.event_title)!!.text = event.title
            val about = listOfNotNull(
                event.at?.let { words.momentInFull(it, now) },
                words.outcome(event.outcome).ifEmpty { null },
                words.mark(event.mark),
            )
            row.findViewById<TextView>(R.id.event_when)!!.showOrHide(about.joinToString(" · "))
            row.findViewById<TextView>(R.id.event_notes)!!.showOrHide(event.notes)
            box.addView(row)
        }
    }

    private fun photos(photos: List<Photo>) {
        part(R.id.card_photos_title, R.id.card_photos_scroll, photos.isNotEmpty())
        val box = findViewById<ViewGroup>(R.id.card_photos)!!
        box.removeAllViews()
        for (photo in photos) {
            val view = layoutInflater.inflate(R.layout.thumbnail, box, false) as ImageView
            view.contentDescription = getString(R.string.photo_of, photo.at?.let { words.momentInFull(it, app.clock.now()) } ?: photo.name)
            box.addView(view)
            work({ it.photo(photo)?.let { bytes -> readPicture(bytes, THUMBNAIL_PX) } }) { picture ->
                if (picture != null) view.setImageBitmap(picture) else elsewhere(view, photo)
            }
        }
    }

    private fun elsewhere(view: ImageView, photo: Photo) {
        view.setImageResource(R.drawable.ic_photo)
        view.contentDescription = getString(R.string.photo_elsewhere)
        view.setOnClickListener {
            work({ it.fetchPhoto(photo) }) {
                say(getString(R.string.photo_elsewhere))
                refresh()
            }
        }
    }

    private fun visit() {
        val open = app.choices.openVisit
        if (open != null) {
            startActivity(Intent(this, VisitScreen::class.java).putExtra(VisitScreen.VISIT, open))
            return
        }
        val task = intent.getStringExtra(TASK)
        work({ territory ->
            val subject = getString(R.string.visit_subject, territory.card(client).client.name)
            territory.checkIn(client, task, subject, app.clock.now())
        }) { visit ->
            app.choices.openVisit = visit
            startActivity(Intent(this, VisitScreen::class.java).putExtra(VisitScreen.VISIT, visit).putExtra(VisitScreen.BEGUN, true))
        }
    }

    private fun form(collection: String, record: String?) = startActivity(
        Intent(this, FormScreen::class.java)
            .putExtra(FormScreen.COLLECTION, collection)
            .putExtra(FormScreen.RECORD, record)
            .putExtra(FormScreen.CLIENT, client),
    )

    private fun call(number: String) = start(Intent(Intent.ACTION_DIAL, Uri.fromParts("tel", number, null)))

    private fun write(address: String) = start(Intent(Intent.ACTION_SENDTO, Uri.fromParts("mailto", address, null)))

    private fun map(client: Client) {
        val point = client.place?.let { "${it.latitude},${it.longitude}" } ?: "0,0"
        val query = client.place?.let { "$point(${client.name})" } ?: "${client.city} ${client.address}"
        start(Intent(Intent.ACTION_VIEW, Uri.parse("geo:$point?q=${Uri.encode(query)}")))
    }

    private fun start(intent: Intent) {
        // A phone without an app for it stays where it is.
        runCatching { startActivity(intent) }
    }

    private fun fill(id: Int, with: (ViewGroup) -> Unit) = findViewById<ViewGroup>(id)!!.let {
        it.removeAllViews()
        with(it)
    }

    private fun plain(box: ViewGroup, text: Int) {
        val row = layoutInflater.inflate(R.layout.row_plain, box, false) as TextView
        row.setText(text)
        box.addView(row)
    }

    private fun link(box: ViewGroup, text: Int, then: () -> Unit) {
        val row = layoutInflater.inflate(R.layout.row_link, box, false) as TextView
        row.setText(text)
        row.setOnClickListener { then() }
        box.addView(row)
    }

    private fun part(title: Int, box: Int, there: Boolean) {
        findViewById<View>(title)!!.shown = there
        findViewById<View>(box)!!.shown = there
    }

    private fun text(id: Int, value: String) = findViewById<TextView>(id)!!.showOrHide(value)

    private fun click(id: Int, then: () -> Unit) = findViewById<View>(id)!!.setOnClickListener { then() }

    private fun offer(id: Int, there: Boolean, then: () -> Unit) = findViewById<View>(id)!!.let {
        it.isEnabled = there
        it.alpha = if (there) 1f else DIM
        it.setOnClickListener { then() }
    }

    companion object {
        const val CLIENT = "client"
        /** The planned activity from which the card was opened; a visit fulfils it. */
        const val TASK = "task"
        private const val DIM = 0.4f
        private const val THUMBNAIL_PX = 400
    }
}
