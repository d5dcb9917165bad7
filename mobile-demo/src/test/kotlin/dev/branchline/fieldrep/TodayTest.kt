package dev.branchline.fieldrep

import dev.branchline.fieldrep.view.SwipeRow
import org.junit.Assert.assertEquals
import org.junit.Assert.assertTrue
import org.junit.Test

/** The day as a person sees it. */
class TodayTest : FieldTest() {
    @Test
    fun `what is overdue stands on top, the rest in its order, with the ways between`() {
        val phone = working()
        phone.untilSees("Аптека «Зоря»")
        val order = listOf("Overdue", "Магазин «Продукты 24»", "Today", "Аптека «Зоря»", "Bright Hardware Supply", "Кав’ярня «Львівська»", "Ресторан «Старе місто»")
        val seen = phone.texts()
        assertEquals(order, seen.filter { it in order }.take(order.size))
        assertTrue(phone.sees("5 to do · 1 overdue"))
        assertTrue("the first way is from here", phone.sees("300 m on from the stop before"))
    }

    @Test
    fun `a sweep completes, and the next contact follows from the outcome`() {
        val phone = working()
        phone.untilSees("Bright Hardware Supply")
        phone.swipe(phone.row("Bright Hardware Supply"), byX = 0.8f)
        phone.untilSees("How did it go?")
        phone.tap("Thinking it over")
        phone.untilSees("4 to do · 1 overdue")
        untilDelivered(phone)
        val done = hub.show("activity", office.second)
        assertEquals("thinking", done.text("outcome"))
        assertTrue(done.text("done_at").startsWith("2026-11-27T08:40"))
        val next = hub.list("activity", "external_id = \"next-${office.second}\"").single()
        assertEquals("visit", next.text("kind"))
        assertEquals("Bright Hardware Supply", next.text("account"))
        assertTrue("a week on, at ten", next.text("due_at").startsWith("2026-12-04"))
    }

    @Test
    fun `a touch beside the choices completes nothing`() {
        val phone = working()
        phone.untilSees("Bright Hardware Supply")
        phone.swipe(phone.row("Bright Hardware Supply"), byX = 0.8f)
        phone.untilSees("How did it go?")
        phone.back()
        phone.until("the choices are gone") { !phone.sees("How did it go?") }
        assertTrue(phone.sees("5 to do · 1 overdue"))
        assertEquals("", hub.show("activity", office.second).text("done_at"))
    }

    @Test
    fun `a short sweep falls back`() {
        val phone = working()
        phone.untilSees("Bright Hardware Supply")
        phone.swipe(phone.row("Bright Hardware Supply"), byX = 0.25f)
        assertEquals(false, phone.sees("How did it go?"))
    }
}

/** The row of today's list that names a client. */
fun Phone.row(client: String): SwipeRow = roots().flatMap(::all).filterIsInstance<SwipeRow>().first { row ->
    row.isShown && all(row).any { (it as? android.widget.TextView)?.text?.toString() == client }
}
