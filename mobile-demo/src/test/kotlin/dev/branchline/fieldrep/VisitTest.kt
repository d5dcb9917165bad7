package dev.branchline.fieldrep

import android.app.Activity
import android.graphics.Bitmap
import dev.branchline.fieldrep.device.PhotoProvider
import dev.branchline.fieldrep.engine.Access
import dev.branchline.fieldrep.engine.checkIn
import dev.branchline.fieldrep.engine.closeDeal
import dev.branchline.fieldrep.engine.order
import dev.branchline.fieldrep.engine.products
import dev.branchline.fieldrep.engine.visit
import dev.branchline.fieldrep.ui.HomeScreen
import java.io.File
import java.time.Duration
import org.junit.Assert.assertEquals
import org.junit.Assert.assertNull
import org.junit.Assert.assertTrue
import org.junit.Test

/** A visit from the door to the outcome. */
class VisitTest : FieldTest() {
    private fun visiting(): Phone = working().apply {
        untilSees("Аптека «Зоря»")
        tap("Аптека «Зоря»")
        untilSees("Ірина Мельник")
        tap("Check in")
        untilSees("Here since 8:40 AM")
    }

    @Test
    fun `note, photo, order and outcome reach head office`() {
        val phone = visiting()
        phone.untilSees("300 m from the client’s address")
        phone.type(R.id.visit_note, "Полка у кассы свободна")
        phone.until("it is saved") { phone.sees("Saved on this phone") }
        phone.photograph()
        phone.until("the photo is shown") { phone.shows(R.id.visit_photo) }
        phone.tap("Add a product")
        phone.untilSees("Крем для рук, 75 мл")
        assertTrue("what is not sold any more is not offered", !phone.sees("снятый"))
        phone.tap("Крем для рук, 75 мл")
        phone.until("the line") { phone.shows(R.id.order_quantity) }
        phone.untilSees("9 of 10 left for you")
        assertTrue("the client's own price", phone.sees("UAH80"))
        phone.tap("One more: Крем для рук, 75 мл")
        phone.until("two of it") { (phone.view(R.id.order_quantity) as android.widget.TextView).text == "2" }
        phone.tap("Add a product")
        phone.type(R.id.products_search, "SH-4")
        phone.until("only that") { phone.sees("Шампунь, 400 мл") && !phone.sees("Крем для рук") }
        phone.tap("Шампунь, 400 мл")
        phone.until("the sum") { phone.texts().any { "305" in it } }
        phone.tap("Check out")
        phone.untilSees("How did it go?")
        phone.tap("Agreed")
        phone.until("back on the card") { !phone.shows(R.id.visit_note) }
        assertNull(app.choices.openVisit)
        untilDelivered(phone)

        val visit = hub.show("activity", office.first)
        assertEquals("Полка у кассы свободна", visit.text("notes"))
        assertEquals("agreed", visit.text("outcome"))
        assertTrue(visit.text("starts_at").startsWith("2026-11-27T08:40"))
        assertTrue(visit.text("location").contains("50.4501"))
        val order = hub.list("opportunity", "name = \"Order: Аптека «Зоря»\"").single()
        assertEquals("305.00 UAH", order.text("amount"))
        assertEquals("Order: Аптека «Зоря»", visit.text("opportunity"))
        val photo = visit.getAsJsonObject("fields")["photo"].asJsonObject
        assertTrue("$photo", photo.toString().contains("image/jpeg"))
        val back = File(home.root, "photo.jpg")
        hub.run("fetch", photo["hash"].asString, "--out", back.path)
        assertTrue(back.length() > 0)
        assertEquals(1, hub.list("activity", "external_id = \"next-${office.first}\"").size)
    }

    @Test
    fun `the place is measured at check-in, not remembered`() {
        app.place = Place(50.5110, 30.7900)
        app.measured = Place(50.4474, 30.5240)
        val phone = visiting()
        phone.untilSees("90 m from the client’s address")
        untilDelivered(phone)
        val stored = hub.show("activity", office.first).text("location")
        assertTrue(stored, stored.contains("50.4474") && stored.contains("30.524"))
    }

    @Test
    fun `where nothing can be measured the visit goes on without a place`() {
        app.measured = null
        val phone = visiting()
        phone.untilSees("place not known")
        untilDelivered(phone)
        assertEquals("", hub.show("activity", office.first).text("location"))
    }

    @Test
    fun `an order beyond the share of the stock says so, orders of other clients count, lost ones do not`() {
        val phone = visiting()
        val territory = app.access.territory()
        val cream = territory.products("", office.pharmacy, app.today, 5).first { it.id == office.cream }
        assertEquals("10", cream.stock!!.left.toPlainString())
        val elsewhere = territory.checkIn(office.coffee, null, "Coffee", app.clock.now())
        territory.order(elsewhere, cream, 8, "Elsewhere", app.clock.now())
        phone.tap("Add a product")
        phone.untilSees("2 of 10 left for you")
        phone.tap("Крем для рук, 75 мл")
        phone.untilSees("1 of 10 left for you")
        territory.order(app.choices.openVisit!!, cream, 3, "", app.clock.now())
        phone.tap("One more: Крем для рук, 75 мл")
        phone.untilSees("3 more than the 10 allotted to you")
        territory.closeDeal(territory.visit(elsewhere).order!!, won = false, reason = "", now = app.clock.now())
        phone.tap("One more: Крем для рук, 75 мл")
        phone.untilSees("4 of 10 left for you")
        assertTrue("nothing is known of what has no share", territory.products("SH-4", office.pharmacy, app.today, 5).single().stock == null)
    }

    @Test
    fun `what was typed is there after the process was killed`() {
        val phone = visiting()
        phone.type(R.id.visit_note, "Просили скидку")
        phone.until("it is saved") { phone.sees("Saved on this phone") }
        phone.tap("Add a product")
        phone.untilSees("Шампунь, 400 мл")
        phone.tap("Шампунь, 400 мл")
        phone.untilSees("Шампунь, 400 мл")
        phone.until("the order is there") { app.access.territory().visit(app.choices.openVisit!!).lines.size == 1 }

        hub.line.cut()
        // The disk as it is at this moment is all that a killed process leaves.
        val folder = File(app.noBackupFilesDir, "replica")
        val left = home.newFolder("left")
        folder.copyRecursively(left, overwrite = true)
        phone.close()
        app.access.close()
        folder.deleteRecursively()
        left.copyRecursively(folder, overwrite = true)
        val again = Access(app, app.vault, app.clock)
        val visit = again.territory().visit(app.choices.openVisit!!)
        assertEquals("Просили скидку", visit.note)
        assertEquals(listOf("Шампунь, 400 мл" to "1"), visit.lines.map { it.name to it.quantity })
        again.close()

        val next = phone().open(HomeScreen::class.java)
        next.untilSees("Visit going on")
        next.tap(R.id.going_on)
        next.untilSees("Просили скидку")
    }

    @Test
    fun `leaving the screen in mid-word saves it`() {
        val phone = visiting()
        phone.type(R.id.visit_note, "Звонил конкур")
        phone.back()
        val id = app.choices.openVisit!!
        phone.until("it is saved") { app.access.territory().visit(id).note == "Звонил конкур" }
        app.pass(Duration.ofMinutes(5))
        assertEquals("the visit goes on", id, app.choices.openVisit)
    }
}

/** Takes a photo with the phone's camera app. */
fun Phone.photograph() {
    tap(R.id.visit_take_photo)
    val picture = Bitmap.createBitmap(1600, 1200, Bitmap.Config.ARGB_8888)
    for (y in 0 until 1200 step 40) for (x in 0 until 1600 step 40) {
        for (dy in 0 until 40) for (dx in 0 until 40) picture.setPixel(x + dx, y + dy, 0xFF000000.toInt() or (x * 255 / 1600 shl 16) or (y * 255 / 1200 shl 8) or 0x60)
    }
    app.contentResolver.openOutputStream(PhotoProvider.URI)!!.use { picture.compress(Bitmap.CompressFormat.JPEG, 80, it) }
    answer(1, Activity.RESULT_OK)
}
