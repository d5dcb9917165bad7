package dev.branchline.fieldrep

import dev.branchline.fieldrep.engine.Access
import dev.branchline.fieldrep.ui.HomeScreen
import org.junit.After
import org.junit.Rule
import org.junit.rules.TemporaryFolder
import org.junit.runner.RunWith
import org.robolectric.RobolectricTestRunner
import org.robolectric.RuntimeEnvironment
import org.robolectric.annotation.Config

/** A test with head office, a phone and its person. */
@RunWith(RobolectricTestRunner::class)
@Config(sdk = [35], application = TestFieldRep::class, qualifiers = PHONE)
abstract class FieldTest {
    @get:Rule
    val home = TemporaryFolder()
    private val used = mutableListOf<AutoCloseable>()

    val app: TestFieldRep get() = RuntimeEnvironment.getApplication() as TestFieldRep
    val hub: Hub by lazy { Hub(home.root).also { used += it } }
    val office: Office by lazy { Office(hub) }

    fun phone(qualifiers: String = ""): Phone = Phone(qualifiers).also { used += it }

    /** A phone that has joined and holds the whole territory, on its first screen. */
    fun working(qualifiers: String = ""): Phone {
        office
        app.access.join(hub.invite())
        app.access.territory().runOnce(60)
        return phone(qualifiers).open(HomeScreen::class.java)
    }

    @After
    fun putAway() {
        used.filterIsInstance<Phone>().forEach(Phone::close)
        runCatching { app.access.close() }
        used.filterIsInstance<Hub>().forEach(Hub::close)
    }

    fun untilDelivered(phone: Phone) = phone.until("all is delivered") {
        app.access.state != Access.State.OPEN || app.access.territory().run { replica.counts().outbox == 0uL && line.value.let { it.waiting == 0 && it.lastSuccess != null } }
    }
}

const val PHONE = "en-w411dp-h891dp-notnight-xhdpi"
