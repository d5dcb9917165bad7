package dev.branchline.fieldrep

import android.content.Intent
import dev.branchline.fieldrep.engine.save
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.async
import kotlinx.coroutines.delay
import kotlinx.coroutines.flow.first
import kotlinx.coroutines.runBlocking
import kotlinx.coroutines.withTimeout
import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
import org.junit.Assert.assertTrue
import org.junit.Test

/** Finding clients, and what their card offers. */
class ClientsTest : FieldTest() {
    private fun clients(): Phone = working().apply {
        tap(R.id.tab_clients)
        untilSees("5 clients")
    }

    @Test
    fun `search finds in any case, by beginning, by person and by number`() {
        val phone = clients()
        for ((typed, found) in listOf("ЗОРЯ" to "Аптека «Зоря»", "ресто" to "Ресторан «Старе місто»", "мельник" to "Аптека «Зоря»", "бровари" to "Магазин «Продукты 24»", "067123" to "Аптека «Зоря»")) {
            phone.tap(R.id.clients_search)
            phone.type(typed)
            phone.until("$typed finds $found alone") { phone.sees(found) && phone.texts().count { it in NAMES } == 1 }
            phone.tap(R.id.clients_clear)
            phone.until("all again") { phone.texts().count { it in NAMES } == NAMES.size }
        }
    }

    @Test
    fun `who is not there can be added by the name that was typed`() {
        val phone = clients()
        phone.type(R.id.clients_search, "Пекарня Хлібна")
        phone.untilSees("Nobody found")
        phone.tap("Add “Пекарня Хлібна”")
        phone.untilSees("New client")
        phone.tap(phone.field("phones"))
        phone.type("+380631112200; +380631112201")
        phone.tap("Save")
        phone.untilSees("6 clients")
        untilDelivered(phone)
        val made = hub.list("account", "name = \"Пекарня Хлібна\"").single()
        assertTrue(made.text("phones").contains("+380631112201"))
    }

    @Test
    fun `a list that changes under a finger still does what was touched`() {
        val phone = clients()
        val row = phone.showing("Bright Hardware Supply")
        phone.press(row)
        // Newer clients stand above: the row would be another one.
        val changes = app.access.territory().changes
        val told = runBlocking {
            val first = async(Dispatchers.IO) { withTimeout(20_000) { changes.first() } }
            delay(SUBSCRIBED_MS)
            app.access.territory().save("account", null, mapOf("name" to "Aaa Bakery"))
            first.await()
        }
        assertEquals(Unit, told)
        // What the change sets off is done, but for what waits for the finger.
        repeat(100) { phone.settle(); Thread.sleep(10) }
        assertFalse("nothing moves under a finger", phone.sees("Aaa Bakery"))
        phone.lift(row)
        phone.until("the card that was touched") { phone.shows(R.id.card_name) && phone.sees("Terrace heaters") }
        phone.back()
        phone.untilSees("Aaa Bakery")
    }

    @Test
    fun `choices and records of a form are chosen, one or several`() {
        office
        val file = java.io.File(home.root, "own.toml")
        file.writeText("[[extend]]\ncollection = \"account\"\nfields = [{ name = \"sells\", type = \"set:reference:product\", label = \"Sells\" }]\n")
        hub.run("schema", "apply", file.path)
        val phone = clients()
        phone.tap("Bright Hardware Supply")
        phone.untilSees("Terrace heaters")
        phone.tap("Edit")
        phone.tap(phone.field("roles"))
        phone.untilSees("Partner")
        for (role in listOf("Partner", "Supplier")) {
            phone.tap(role)
            phone.until("$role is ticked") { (phone.showing(role) as android.widget.Checkable).isChecked }
        }
        phone.tap("Done")
        phone.until("both are chosen") { phone.textOf("roles").split(", ").toSet() == setOf("Partner", "Supplier") }
        phone.tap(phone.field("parent"))
        phone.untilSees("Ресторан «Старе місто»")
        phone.type(R.id.pick_search, "львів")
        phone.until("only that") { !phone.sees("Ресторан «Старе місто»") && phone.sees("Кав’ярня «Львівська»") }
        phone.tap("Кав’ярня «Львівська»")
        phone.until("the parent") { phone.textOf("parent") == "Кав’ярня «Львівська»" }
        for (product in listOf("Крем для рук, 75 мл", "Шампунь, 400 мл")) {
            phone.tap(phone.field("sells"))
            phone.until("products, or to add one") { phone.sees(product) || phone.sees("Add") }
            if (!phone.sees(product)) phone.tap("Add")
            phone.untilSees(product)
            phone.tap(product)
            phone.until("it is chosen") { product in phone.textOf("sells") }
        }
        phone.tap("Save")
        phone.until("back on the card") { phone.shows(R.id.card_name) }
        untilDelivered(phone)
        val saved = hub.show("account", office.hardware)
        assertEquals("Кав’ярня «Львівська»", saved.text("parent"))
        assertTrue(saved.text("roles"), listOf("partner", "supplier").all { it in saved.text("roles") })
        assertTrue(saved.text("sells"), listOf(office.cream, office.shampoo).all { it in saved.text("sells") })

        phone.tap("Edit")
        phone.tap(phone.field("sells"))
        phone.untilSees("Шампунь, 400 мл")
        phone.tap("Шампунь, 400 мл")
        phone.tap(phone.field("parent"))
        phone.untilSees("Not chosen")
        phone.tap("Not chosen")
        phone.tap("Save")
        phone.until("back on the card") { phone.shows(R.id.card_name) }
        untilDelivered(phone)
        val less = hub.show("account", office.hardware)
        assertTrue(less.text("sells"), office.cream in less.text("sells") && office.shampoo !in less.text("sells"))
        assertEquals("", less.text("parent"))
    }

    private fun Phone.textOf(field: String) = (field(field) as android.widget.TextView).text.toString()

    @Test
    fun `filters narrow, and the nearest come first`() {
        val phone = clients()
        phone.tap("VIP")
        phone.until("two") { phone.texts().filter { it in NAMES } == listOf("Аптека «Зоря»", "Ресторан «Старе місто»") }
        phone.tap("With open deals")
        phone.until("three") { phone.texts().count { it in NAMES } == 3 }
        phone.tap("Nearby")
        phone.until("the nearest first") {
            phone.texts().filter { it in NAMES } == listOf(
                "Аптека «Зоря»", "Кав’ярня «Львівська»", "Ресторан «Старе місто»", "Bright Hardware Supply", "Магазин «Продукты 24»",
            )
        }
        assertTrue(phone.sees("300 m"))
    }

    @Test
    fun `the card calls, writes and shows the way through other apps`() {
        val phone = clients()
        phone.tap("Аптека «Зоря»")
        phone.untilSees("Ірина Мельник")
        phone.tap("Call Ірина Мельник")
        phone.tap("Write to Ірина Мельник")
        phone.tap("Map")
        assertEquals(listOf(Intent.ACTION_DIAL, Intent.ACTION_SENDTO, Intent.ACTION_VIEW), phone.outside.map { it.action })
        assertEquals("tel:%2B380671234567", phone.outside[0].data.toString())
        assertEquals("mailto:iryna%40zorya.example", phone.outside[1].data.toString())
        assertTrue(phone.outside[2].data.toString().startsWith("geo:50.4474,30.5226"))
        assertTrue("who must not be called has no button", phone.sees("Do not call"))
        assertFalse(phone.roots().flatMap(phone::all).any { it.isShown && it.contentDescription == "Call Petro Bondar" })
        assertTrue(phone.sees("Still missing: Tax id"))
        assertTrue(phone.sees("Ждут прайс на зиму."))
    }

    @Test
    fun `a contact is planned`() {
        val phone = clients()
        phone.tap("Bright Hardware Supply")
        phone.untilSees("Terrace heaters")
        phone.tap("Plan")
        phone.untilSees("Plan a contact")
        phone.tap("Call")
        phone.tap("Today")
        phone.tap("11:00 AM")
        phone.type(R.id.plan_subject, "Ask about the terrace")
        phone.tap("Save")
        phone.until("back on the card") { phone.shows(R.id.card_name) }
        untilDelivered(phone)
        val planned = hub.list("activity", "subject = \"Ask about the terrace\"").single()
        assertEquals("call", planned.text("kind"))
        assertEquals("2026-11-27T11:00", planned.text("due_at").take(16))
        assertEquals("Olena Koval", planned.text("owner"))
    }

    private companion object {
        /** Until a flow that was just collected hears of changes. */
        const val SUBSCRIBED_MS = 500L
        val NAMES = listOf("Аптека «Зоря»", "Кав’ярня «Львівська»", "Bright Hardware Supply", "Магазин «Продукты 24»", "Ресторан «Старе місто»")
    }
}
