package dev.branchline.fieldrep

import android.content.Intent
import dev.branchline.fieldrep.ui.*
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.RobolectricTestRunner
import org.robolectric.annotation.Config
import java.io.File

@RunWith(RobolectricTestRunner::class)
@Config(sdk = [35], application = TestFieldRep::class)
class PreviewTest {
    fun shots(q: String, name: String) {
        dev.branchline.fieldrep.engine.sample = { SampleTerritory() }
        fun shot(n: String, c: Class<out android.app.Activity>, vararg extras: Pair<String, String>, act: (Phone) -> Unit = {}) {
            val phone = Phone(q)
            if (c == JoinScreen::class.java) File(phone.app.noBackupFilesDir, "replica").deleteRecursively() else File(phone.app.noBackupFilesDir, "replica").mkdirs()
            phone.app.access.apply { if (c != JoinScreen::class.java && state == dev.branchline.fieldrep.engine.Access.State.OPEN) vault(phone) }
            val i = Intent(phone.app, c)
            extras.forEach { (k, v) -> if (k == "tab") i.putExtra(k, v.toInt()) else if (k == "choose") i.putExtra(k, true) else i.putExtra(k, v) }
            phone.open(c, i)
            repeat(60) { phone.settle(); Thread.sleep(4) }
            act(phone)
            repeat(20) { phone.settle(); Thread.sleep(4) }
            phone.screenshot("$name-$n")
            phone.close()
        }
        shot("join", JoinScreen::class.java)
        shot("today", HomeScreen::class.java)
        shot("outcome", HomeScreen::class.java) { it.tap(R.id.task_complete) }
        shot("clients", HomeScreen::class.java, "tab" to "1")
        shot("deals", HomeScreen::class.java, "tab" to "2")
        shot("line", HomeScreen::class.java, "tab" to "3")
        shot("client", ClientScreen::class.java, "client" to "c1")
        shot("form", FormScreen::class.java, "collection" to "account", "record" to "c1")
        shot("plan", PlanScreen::class.java, "client" to "c1")
        shot("visit", VisitScreen::class.java, "visit" to "v")
        shot("products", ProductScreen::class.java, "client" to "c1")
        shot("deal", DealScreen::class.java, "deal" to "d1")
        shot("conflict", ConflictScreen::class.java, "collection" to "opportunity", "record" to "d1")
        shot("lock", LockScreen::class.java, "choose" to "1")
        shot("revoked", RevokedScreen::class.java)
        shot("caller", CallerScreen::class.java, "number" to "+380671234567")
    }
    fun vault(phone: Phone) { phone.app.vault.makeStoreKey() }
    @Test fun light() = shots("ru-w411dp-h891dp-notnight-xhdpi", "ru-light")
    @Test fun dark() = shots("uk-w411dp-h891dp-night-xhdpi", "uk-dark")
    @Test fun land() = shots("en-w891dp-h411dp-land-notnight-xhdpi", "en-land")
}
