package dev.branchline.fieldrep

import android.content.ClipData
import android.content.ClipboardManager
import dev.branchline.fieldrep.device.service
import dev.branchline.fieldrep.ui.HomeScreen
import java.time.Duration
import org.junit.Assert.assertEquals
import org.junit.Assert.assertTrue
import org.junit.Test

/** A rep's whole day, entered by gestures alone, and what head office has of it in the evening. */
class WholeDayTest : FieldTest() {
    @Test
    fun `a day without a signal arrives whole over a slow line`() {
        office
        val phone = join()
        hub.line.cut()

        visit(phone, "Аптека «Зоря»", "Полка у кассы свободна", "Agreed", photo = true, product = "Крем для рук, 75 мл")
        app.pass(Duration.ofHours(1))
        visit(phone, "Bright Hardware Supply", "They wait for the measure", "Thinking it over")
        app.pass(Duration.ofHours(1))
        visit(phone, "Ресторан «Старе місто»", "Меню с понедельника", "Call back", product = "Шампунь, 400 мл")

        client(phone, "Пекарня Хлібна", "+380631112200")
        client(phone, "Квіти на Подолі", "+380631112233")

        // Both edit one deal without seeing each other.
        deal(phone, "Terrace heaters", "99500", "Send the offer")
        hub.edit("opportunity", office.terrace, "amount=88000 UAH")

        phone.tap(R.id.tab_line)
        phone.until("much waits") { app.access.territory().line.value.waiting > 8 }
        assertTrue(phone.sees("changes wait to be sent"))
        assertEquals("nothing has arrived yet", 0, hub.list("account", "name = \"Пекарня Хлібна\"").size)

        hub.line.rate = SLOW_BYTES
        hub.line.restore()
        phone.tap("Exchange now")
        phone.until("all but the photo is through", seconds = 120) { app.access.territory().line.value.waiting == 1 }
        assertEquals("the day's records are there", 1, hub.list("account", "name = \"Пекарня Хлібна\"").size)
        // The line is paid by the byte, so the photo waits until the person says otherwise.
        phone.tap(R.id.line_metered)
        phone.until("the photo is through", seconds = 120) { app.access.territory().line.value.waiting == 0 }
        phone.untilSees("1 record has two versions")
        settle(phone)
        untilDelivered(phone)
        phone.untilSees("All is delivered")
        headOffice()
    }

    private fun join(): Phone {
        app.service<ClipboardManager>().setPrimaryClip(ClipData.newPlainText(null, hub.invite()))
        val phone = phone().open(HomeScreen::class.java)
        phone.untilSees("Your territory, in your pocket")
        phone.tap("Paste")
        phone.tap("Join")
        phone.untilSees("Your territory is here", seconds = 60)
        phone.tap("Start working")
        phone.untilSees("Аптека «Зоря»")
        return phone
    }

    private fun visit(phone: Phone, client: String, note: String, outcome: String, photo: Boolean = false, product: String? = null) {
        phone.tap(R.id.tab_today)
        phone.untilSees(client)
        phone.tap(client)
        phone.until("the card of $client") { phone.shows(R.id.card_visit) }
        phone.tap("Check in")
        phone.until("the visit") { phone.shows(R.id.visit_note) && phone.sees(client) }
        phone.type(R.id.visit_note, note)
        phone.untilSees("Saved on this phone")
        if (photo) {
            phone.photograph()
            phone.until("the photo is shown") { phone.shows(R.id.visit_photo) }
        }
        product?.let {
            phone.tap("Add a product")
            phone.untilSees(it)
            phone.tap(it)
            phone.until("the line") { phone.shows(R.id.order_quantity) }
        }
        phone.tap("Check out")
        phone.untilSees("How did it go?")
        phone.tap(outcome)
        phone.until("the visit has ended") { !phone.shows(R.id.visit_note) && phone.shows(R.id.card_visit) }
        phone.back()
    }

    private fun client(phone: Phone, name: String, number: String) {
        phone.tap(R.id.tab_clients)
        phone.untilSees("New client")
        phone.tap("New client")
        phone.tap(phone.field("name"))
        phone.type(name)
        phone.tap(phone.field("phones"))
        phone.type(number)
        phone.tap("Save")
        phone.until("$name is among the clients") { phone.shows(R.id.clients_list) && phone.sees(name) }
    }

    private fun deal(phone: Phone, name: String, amount: String, next: String) {
        phone.tap(R.id.tab_deals)
        phone.untilSees(name)
        phone.tap(name)
        phone.until("the deal") { phone.shows(R.id.deal_next_step) && phone.sees("98000") }
        phone.clear(R.id.deal_amount)
        phone.type(amount)
        phone.clear(R.id.deal_next_step)
        phone.type(next)
        phone.tap("Save")
        phone.untilSees("Next: $next")
    }

    private fun settle(phone: Phone) {
        phone.untilSees("Two versions: you decide")
        phone.tap("Terrace heaters")
        phone.untilSees("Which is right?")
        assertTrue("both versions", phone.sees("99500.00 UAH") && phone.sees("88000.00 UAH"))
        assertTrue("with their authors", phone.sees("Olena Koval"))
        phone.tap("Keep this: 99500.00 UAH")
        phone.until("settled") { !phone.sees("Which is right?") }
    }

    private fun headOffice() {
        fun activity(id: String) = hub.show("activity", id)
        assertEquals("Полка у кассы свободна" to "agreed", activity(office.first).let { it.text("notes") to it.text("outcome") })
        assertEquals("They wait for the measure" to "thinking", activity(office.second).let { it.text("notes") to it.text("outcome") })
        assertEquals("Меню с понедельника" to "call_back", activity(office.fourth).let { it.text("notes") to it.text("outcome") })
        val photo = activity(office.first).getAsJsonObject("fields")["photo"].asJsonObject["hash"].asString
        val file = java.io.File(home.root, "photo.jpg")
        hub.run("fetch", photo, "--out", file.path)
        assertTrue(file.length() > 1000)
        for (done in listOf(office.first, office.second, office.fourth)) assertEquals(1, hub.list("activity", "external_id = \"next-$done\"").size)
        assertEquals("call", hub.list("activity", "external_id = \"next-${office.fourth}\"").single().text("kind"))
        for (name in listOf("Пекарня Хлібна", "Квіти на Подолі")) assertEquals(name, 1, hub.list("account", "name = \"$name\"").size)
        assertEquals("80.00 UAH", hub.list("opportunity", "name = \"Order: Аптека «Зоря»\"").single().text("amount"))
        assertEquals("145.00 UAH", hub.list("opportunity", "name = \"Order: Ресторан «Старе місто»\"").single().text("amount"))
        val deal = hub.show("opportunity", office.terrace)
        assertEquals("99500.00 UAH" to "Send the offer", deal.text("amount") to deal.text("next_step"))
        assertEquals("no conflict is left", 0, hub.ask("conflicts").asJsonArray.size())
        report()
    }

    // What the rep was told and has decided, added up by head office.
    private fun report() {
        val rows = hub.ask("report", "funnel").asJsonObject["rows"].asJsonArray.map { it.asJsonObject }
        val figures = rows.associate { it["stage"].asString to (it["count"].asInt to it["amount"].asString) }
        val expected = mapOf(
            "new" to (2 to "131000.00"), "qualified" to (1 to "12000.00"), "proposal" to (2 to "225.00"), "negotiation" to (1 to "64500.00"),
        )
        assertEquals(expected, figures.filterValues { (count, _) -> count > 0 })
    }

    private companion object {
        /** About 20 kbit/s would be a bad line; a test can wait for a line ten times as fast. */
        const val SLOW_BYTES = 24_000
    }
}
