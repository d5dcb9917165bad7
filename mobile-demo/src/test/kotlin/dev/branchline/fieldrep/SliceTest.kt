package dev.branchline.fieldrep

import android.content.ClipData
import android.content.ClipboardManager
import android.graphics.Bitmap
import android.provider.MediaStore
import com.google.zxing.BarcodeFormat
import com.google.zxing.qrcode.QRCodeWriter
import dev.branchline.fieldrep.device.PhotoProvider
import dev.branchline.fieldrep.device.service
import dev.branchline.fieldrep.ui.HomeScreen
import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
import org.junit.Assert.assertTrue
import org.junit.Test

/** From the code to a delivered edit: the shortest way through the app. */
class SliceTest : FieldTest() {
    @Test
    fun `a code is pasted, the territory arrives, an edit reaches head office`() {
        office
        app.service<ClipboardManager>().setPrimaryClip(ClipData.newPlainText(null, hub.invite()))
        val phone = phone().open(HomeScreen::class.java)
        phone.untilSees("Your territory, in your pocket")
        phone.tap("Paste")
        phone.tap("Join")
        phone.untilSees("Your territory is here", seconds = 60)
        phone.tap("Start working")
        phone.tap(R.id.tab_clients)
        phone.untilSees("5 clients")
        phone.type(R.id.clients_search, "аптека")
        phone.until("one client") { phone.sees("Аптека «Зоря»") && !phone.sees("Bright Hardware Supply") }
        phone.tap("Аптека «Зоря»")
        phone.untilSees("Ірина Мельник")
        assertTrue(phone.sees("Зимний ассортимент"))
        phone.tap("Edit")
        phone.untilSees("Client’s card")
        val city = phone.field("city")
        phone.tap(city)
        phone.type(", центр")
        phone.tap("Save")
        phone.until("the card with the new city") { phone.shows(R.id.card_name) && phone.sees("Київ, центр") }
        phone.back()
        phone.tap(R.id.tab_line)
        phone.untilSees("All is delivered")
        assertEquals("Київ, центр", hub.show("account", office.pharmacy).text("city"))
    }

    @Test
    fun `without a line the edit waits, and says so`() {
        val phone = working()
        phone.until("the line is up") { app.access.territory().line.value.lastSuccess != null }
        hub.line.cut()
        phone.tap(R.id.tab_clients)
        phone.untilSees("5 clients")
        phone.tap("Bright Hardware Supply")
        phone.untilSees("Terrace heaters")
        phone.tap("Edit")
        phone.untilSees("Client’s card")
        phone.tap(phone.field("phones"))
        phone.type("+380440001122")
        phone.tap("Save")
        phone.untilSees("Waiting to be sent")
        phone.back()
        phone.tap(R.id.tab_line)
        phone.untilSees("1 change waits to be sent")
        phone.untilSees("Bright Hardware Supply")
        assertFalse(hub.show("account", office.hardware).text("phones").contains("380440001122"))
        hub.line.restore()
        phone.tap("Exchange now")
        phone.untilSees("All is delivered")
        assertTrue(hub.show("account", office.hardware).text("phones").contains("380440001122"))
    }

    @Test
    fun `a code is read from a picture`() {
        office
        val code = hub.invite()
        val phone = phone().open(HomeScreen::class.java)
        phone.untilSees("Your territory, in your pocket")
        phone.tap("Scan")
        val asked = phone.outside.single()
        assertEquals(MediaStore.ACTION_IMAGE_CAPTURE, asked.action)
        app.contentResolver.openOutputStream(PhotoProvider.URI)!!.use { picture(code).compress(Bitmap.CompressFormat.JPEG, 85, it) }
        phone.answer(1, android.app.Activity.RESULT_OK)
        phone.untilSees(code)
        phone.tap("Join")
        phone.untilSees("Your territory is here", seconds = 60)
    }

    @Test
    fun `a wrong code is refused in words, and another one can be tried`() {
        val phone = phone().open(HomeScreen::class.java)
        phone.untilSees("Your territory, in your pocket")
        phone.type(R.id.join_code, "this is no code")
        phone.tap("Join")
        phone.until("what went wrong") { phone.shows(R.id.trouble_what) }
        assertTrue(phone.sees("Join"))
        assertEquals(dev.branchline.fieldrep.engine.Access.State.NONE, app.access.state)
    }

    private fun picture(code: String): Bitmap {
        val side = 900
        val bits = QRCodeWriter().encode(code, BarcodeFormat.QR_CODE, side, side)
        val picture = Bitmap.createBitmap(1200, 1600, Bitmap.Config.ARGB_8888)
        picture.eraseColor(0xFFB0A898.toInt())
        for (y in 0 until side) for (x in 0 until side) picture.setPixel(x + 150, y + 350, if (bits[x, y]) 0xFF101010.toInt() else 0xFFF4F0E8.toInt())
        return picture
    }
}
