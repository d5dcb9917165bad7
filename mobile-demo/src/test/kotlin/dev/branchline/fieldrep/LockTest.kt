package dev.branchline.fieldrep

import dev.branchline.fieldrep.engine.Access
import dev.branchline.fieldrep.engine.clients
import dev.branchline.fieldrep.engine.editDeal
import dev.branchline.fieldrep.ui.HomeScreen
import java.io.File
import java.time.Duration
import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
import org.junit.Assert.assertTrue
import org.junit.Test

/** The PIN, and what happens after the access has ended. */
class LockTest : FieldTest() {
    private fun Phone.pin(digits: String) {
        digits.forEach { tap(it.toString()) }
        tap(R.id.key_done)
    }

    private fun locked(): Phone {
        val phone = working()
        phone.tap(R.id.tab_line)
        phone.untilSees("Set a PIN")
        phone.tap("Set a PIN")
        phone.pin("2580")
        assertTrue(phone.sees("The same PIN once more"))
        phone.pin("2580")
        phone.untilSees("Change the PIN")
        phone.close()
        app.pass(Duration.ofMinutes(10))
        app.access.left()
        app.pass(Duration.ofMinutes(10))
        app.access.cameBack()
        return phone().open(HomeScreen::class.java).apply { untilSees("Enter your PIN") }
    }

    @Test
    fun `nothing is seen without the PIN, and waiting grows after wrong ones`() {
        val phone = locked()
        assertFalse(phone.sees("Аптека"))
        phone.pin("1111")
        assertTrue(phone.sees("Wrong PIN. 4 tries left."))
        repeat(4) { phone.pin("1111") }
        assertTrue(phone.sees("Wait 0:30"))
        phone.pin("2580")
        assertEquals("the right one is not taken either", Access.State.LOCKED, app.access.state)
        app.pass(Duration.ofSeconds(31))
        phone.until("the keys are back") { repeat(70) { phone.settle() }; phone.view(R.id.key_1).isEnabled }
        phone.pin("1111")
        assertTrue("twice as long", phone.sees("Wait 1:00"))
        app.pass(Duration.ofSeconds(61))
        phone.until("the keys are back") { repeat(70) { phone.settle() }; phone.view(R.id.key_1).isEnabled }
        phone.pin("2580")
        phone.untilSees("Аптека «Зоря»")
    }

    @Test
    fun `two different PINs set none`() {
        val phone = working()
        phone.tap(R.id.tab_line)
        phone.untilSees("Set a PIN")
        phone.tap("Set a PIN")
        phone.pin("2580")
        phone.pin("2581")
        assertTrue(phone.sees("These differ. Once more from the start."))
        phone.back()
        phone.untilSees("Set a PIN")
        assertFalse(app.access.hasPin)
    }

    @Test
    fun `the exchange goes on behind the lock`() {
        val phone = locked()
        hub.create("account", "name=Новая пекарня")
        phone.until("what head office has typed") { app.access.territory().clients("пекарня", ClientFilter.ALL, null, 5).size == 1 }
        assertTrue(phone.sees("Enter your PIN"))
    }

    @Test
    fun `after a revocation unsent work is handed over, then all is erased`() {
        val phone = working()
        phone.until("the line is up") { app.access.territory().line.value.lastSuccess != null }
        hub.line.cut()
        app.access.territory().editDeal(office.terrace, null, "Typed before the end", null)
        hub.revoke()
        phone.tap(R.id.tab_line)
        phone.untilSees("1 change waits to be sent")
        hub.line.restore()
        phone.tap("Exchange now")
        phone.untilSees("Your access has ended", seconds = 60)
        phone.untilSees("All that you had entered has been handed over", seconds = 60)
        val review = hub.ask("review", "list").toString()
        assertTrue(review, "Typed before the end" in review)
        assertFalse(File(app.noBackupFilesDir, "replica").exists())
        assertFalse("the key is gone", File(app.noBackupFilesDir, "store.key").exists())
        assertEquals(Access.State.NONE, app.access.state)
        phone.tap("Join again")
        phone.untilSees("Your territory, in your pocket")
    }

    @Test
    fun `nothing is erased while unsent work cannot be handed over`() {
        val phone = working()
        phone.until("the line is up") { app.access.territory().line.value.lastSuccess != null }
        hub.line.cut()
        app.access.territory().editDeal(office.terrace, null, "Not handed over yet", null)
        app.access.revoked()
        phone.close()
        val again = phone().open(HomeScreen::class.java)
        again.untilSees("Your access has ended")
        again.until("what is in the way") { again.shows(R.id.trouble_what) }
        assertTrue(File(app.noBackupFilesDir, "replica").exists())
    }
}
