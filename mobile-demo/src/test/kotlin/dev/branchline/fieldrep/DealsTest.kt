package dev.branchline.fieldrep

import org.junit.Assert.assertEquals
import org.junit.Assert.assertTrue
import org.junit.Test

/** Deals by stage, and what is done to one. */
class DealsTest : FieldTest() {
    private fun deals(): Phone = working().apply {
        tap(R.id.tab_deals)
        untilSees("Terrace heaters")
    }

    /** What can be read between the edges of the screen. */
    private fun Phone.inSight() = roots().flatMap(::all).filterIsInstance<android.widget.TextView>().filter {
        val at = IntArray(2).also(it::getLocationInWindow)
        it.isShown && at[0] >= 0 && at[0] + it.width <= activity.window.decorView.width
    }.map { it.text.toString() }

    @Test
    fun `columns are swept, one stage after the other`() {
        val phone = deals()
        fun comes(what: String) = phone.until("$what comes into sight") { what in phone.inSight() }
        comes("Terrace heaters")
        phone.swipe(phone.view(R.id.deals_columns), byX = -0.6f)
        comes("Полка у кассы")
        assertTrue("Terrace heaters" !in phone.inSight())
        phone.swipe(phone.view(R.id.deals_columns), byX = 0.6f)
        comes("Terrace heaters")
        phone.swipe(phone.view(R.id.deals_columns), byX = 0.6f)
        comes("Terrace heaters")
    }

    @Test
    fun `an empty column is swept away like any other`() {
        val phone = deals()
        val columns = phone.view(R.id.deals_columns) as dev.branchline.fieldrep.view.Columns
        phone.tap("Proposal")
        phone.until("the empty column") { columns.shown == 2 && phone.inSight().any { "No deal at this stage" in it } }
        phone.swipe(columns, byX = 0.6f)
        phone.until("the column before it") { columns.shown == 1 && "Полка у кассы" in phone.inSight() }
        phone.tap("Proposal")
        phone.until("the empty column again") { columns.shown == 2 }
        phone.swipe(columns, byX = -0.6f)
        phone.until("the column after it") { columns.shown == 3 && "Зимний ассортимент" in phone.inSight() }
    }

    @Test
    fun `amount, next step and stage are changed, and marked until they are delivered`() {
        val phone = deals()
        phone.until("the line is up") { app.access.territory().line.value.lastSuccess != null }
        hub.line.cut()
        phone.tap("Terrace heaters")
        phone.until("the amount") { phone.sees("98000") }
        phone.clear(R.id.deal_amount)
        phone.type("101500.50")
        phone.clear(R.id.deal_next_step)
        phone.type("Send the offer")
        phone.tap("Save")
        phone.untilSees("Waiting to be sent")
        phone.untilSees("Next: Send the offer")
        phone.tap("Terrace heaters")
        phone.until("its stages") { phone.sees("Proposal") }
        phone.tap("Proposal")
        phone.until("the stage is chosen") { phone.roots().flatMap(phone::all).any { (it as? android.widget.TextView)?.text == "Proposal" && it.isSelected } }
        hub.line.restore()
        app.access.territory().exchange()
        untilDelivered(phone)
        val deal = hub.show("opportunity", office.terrace)
        assertEquals("101500.50 UAH", deal.text("amount"))
        assertEquals("Send the offer", deal.text("next_step"))
        assertEquals("proposal", deal.text("stage"))
    }

    @Test
    fun `won and lost are said with day and reason`() {
        val phone = deals()
        phone.tap("Terrace heaters")
        phone.untilSees("Won")
        phone.tap(R.id.deal_win)
        phone.untilSees("1 deal · UAH31,500")
        phone.tap("Новое меню")
        phone.until("the deal") { phone.shows(R.id.deal_lose) }
        phone.tap(R.id.deal_lose)
        phone.untilSees("Why was it lost?")
        phone.tap("Went to a competitor")
        phone.until("back on the columns") { phone.shows(R.id.deals_columns) }
        untilDelivered(phone)
        val won = hub.show("opportunity", office.terrace)
        assertEquals("won" to "2026-11-27", won.text("stage") to won.text("closed_on"))
        val lost = hub.show("opportunity", office.menu)
        assertEquals("lost" to "Went to a competitor", lost.text("stage") to lost.text("lost_reason"))
    }

    @Test
    fun `a sum that is none is refused in words, and stays typed`() {
        val phone = deals()
        phone.tap("Terrace heaters")
        phone.until("the amount") { phone.sees("98000") }
        phone.clear(R.id.deal_amount)
        phone.type("a lot")
        phone.tap("Save")
        phone.until("what is wrong") { phone.shows(R.id.trouble_what) }
        assertTrue(phone.sees("a lot"))
        assertEquals("98000.00 UAH", hub.show("opportunity", office.terrace).text("amount"))
    }
}

/** Empties a field as a person would: to its end, then backwards. */
fun Phone.clear(id: Int) {
    val field = view(id) as android.widget.EditText
    tap(field)
    press(android.view.KeyEvent.KEYCODE_MOVE_END)
    repeat(field.text.length) { press(android.view.KeyEvent.KEYCODE_DEL) }
}
