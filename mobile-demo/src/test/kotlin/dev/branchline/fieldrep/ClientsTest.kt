package dev.branchline.fieldrep

import android.content.Intent
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
        val NAMES = listOf("Аптека «Зоря»", "Кав’ярня «Львівська»", "Bright Hardware Supply", "Магазин «Продукты 24»", "Ресторан «Старе місто»")
    }
}
