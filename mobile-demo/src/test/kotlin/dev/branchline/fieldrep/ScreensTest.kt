package dev.branchline.fieldrep

import android.app.Activity
import android.content.Intent
import android.view.View
import android.view.ViewGroup
import android.widget.AdapterView
import android.widget.EditText
import android.widget.ImageView
import android.widget.TextView
import dev.branchline.fieldrep.engine.checkIn
import dev.branchline.fieldrep.engine.editDeal
import dev.branchline.fieldrep.engine.order
import dev.branchline.fieldrep.engine.products
import dev.branchline.fieldrep.engine.saveNote
import dev.branchline.fieldrep.engine.stages
import dev.branchline.fieldrep.ui.CallerScreen
import dev.branchline.fieldrep.ui.ClientScreen
import dev.branchline.fieldrep.ui.ConflictScreen
import dev.branchline.fieldrep.ui.DealScreen
import dev.branchline.fieldrep.ui.FormScreen
import dev.branchline.fieldrep.ui.HomeScreen
import dev.branchline.fieldrep.ui.JoinScreen
import dev.branchline.fieldrep.ui.LockScreen
import dev.branchline.fieldrep.ui.PickScreen
import dev.branchline.fieldrep.ui.PlanScreen
import dev.branchline.fieldrep.ui.ProductScreen
import dev.branchline.fieldrep.ui.RevokedScreen
import dev.branchline.fieldrep.ui.VisitScreen
import org.junit.Assert.assertTrue
import org.junit.Test
import org.robolectric.RuntimeEnvironment

/**
 * Every screen in three languages, light and dark, upright and on its side, and with large letters. Each is written to
 * `target/screenshots` and looked over: what can be touched is large enough and says what it is, and no text is cut.
 */
class ScreensTest : FieldTest() {
    private val found = mutableListOf<String>()

    @Test
    fun english() = tour("en", listOf("notnight", "night"))

    @Test
    fun russian() = tour("ru", listOf("notnight", "night"))

    @Test
    fun ukrainian() = tour("uk", listOf("notnight", "night"))

    private fun tour(language: String, nights: List<String>) {
        val looks = nights.map { Look("$language-w411dp-h891dp-$it-xhdpi", "$language-${if (it == "night") "dark" else "light"}") } +
            Look("$language-w891dp-h411dp-land-notnight-xhdpi", "$language-landscape") +
            Look("$language-w411dp-h891dp-notnight-xhdpi", "$language-large", 1.7f)
        looks.forEach { it.with { screen(qualifiers, name, "welcome", JoinScreen::class.java) { it.shows(R.id.join_go) } } }
        val visit = prepare()
        looks.forEach { it.with { all(qualifiers, name, visit) } }
        app.access.revoked()
        looks.forEach { it.with { screen(qualifiers, name, "revoked", RevokedScreen::class.java) { it.shows(R.id.trouble_what) || it.shows(R.id.revoked_again) } } }
        assertTrue(found.distinct().joinToString("\n", "\n"), found.isEmpty())
    }

    private class Look(val qualifiers: String, val name: String, val letters: Float = 1f) {
        fun with(see: Look.() -> Unit) {
            RuntimeEnvironment.setQualifiers(qualifiers)
            RuntimeEnvironment.setFontScale(letters)
            see()
            RuntimeEnvironment.setFontScale(1f)
        }
    }

    /** A territory with something of everything: a visit that goes on, work that waits, a conflict, something refused. */
    private fun prepare(): String {
        office
        app.access.join(hub.invite())
        val territory = app.access.territory()
        territory.runOnce(60)
        val stages = territory.stages().associateBy { it.value }
        territory.editDeal(office.winter, null, null, stages.getValue("won"))
        hub.edit("opportunity", office.winter, "stage=lost")
        territory.editDeal(office.menu, null, "Показать новинки", null)
        hub.edit("opportunity", office.menu, "owner=head@kestrel.example")
        territory.runOnce(60)
        hub.line.cut()
        territory.editDeal(office.terrace, "101500", null, null)
        val visit = territory.checkIn(office.pharmacy, office.first, "", app.clock.now())
        territory.saveNote(visit, "Полка у кассы свободна. Ждут прайс на зиму.")
        territory.products("", office.pharmacy, app.today, 5).take(2).forEach { territory.order(visit, it, 6, "Заказ", app.clock.now()) }
        app.choices.openVisit = visit
        return visit
    }

    private fun all(qualifiers: String, name: String, visit: String) {
        screen(qualifiers, name, "today", HomeScreen::class.java) { it.shows(R.id.task_complete) }
        screen(qualifiers, name, "outcome", HomeScreen::class.java, act = { it.tap(R.id.task_complete) }) { it.shows(R.id.sheet_title) }
        screen(qualifiers, name, "clients", HomeScreen::class.java, HomeScreen.CURRENT to 1) { it.sees("Bright Hardware Supply") }
        screen(qualifiers, name, "nobody", HomeScreen::class.java, HomeScreen.CURRENT to 1, act = { it.type(R.id.clients_search, "qqq") }) { it.shows(R.id.empty_title) }
        screen(qualifiers, name, "deals", HomeScreen::class.java, HomeScreen.CURRENT to 2) { it.sees("Terrace heaters") && it.sees(QUALIFIED.getValue(name.take(2))) }
        screen(qualifiers, name, "line", HomeScreen::class.java, HomeScreen.CURRENT to 3) { it.shows(R.id.line_waits) }
        screen(qualifiers, name, "client", ClientScreen::class.java, ClientScreen.CLIENT to office.pharmacy) { it.sees("Ірина Мельник") }
        screen(qualifiers, name, "form", FormScreen::class.java, FormScreen.COLLECTION to "account", FormScreen.RECORD to office.pharmacy) { it.sees("Аптека «Зоря»") }
        screen(qualifiers, name, "pick", PickScreen::class.java, PickScreen.COLLECTION to "account", PickScreen.TITLE to "Parent account") { it.sees("Bright Hardware Supply") }
        screen(qualifiers, name, "plan", PlanScreen::class.java, PlanScreen.CLIENT to office.pharmacy) { it.sees("Аптека «Зоря»") }
        screen(qualifiers, name, "visit", VisitScreen::class.java, VisitScreen.VISIT to visit) { it.sees("Полка у кассы") }
        screen(qualifiers, name, "products", ProductScreen::class.java, ProductScreen.CLIENT to office.pharmacy) { it.sees("Шампунь") }
        screen(qualifiers, name, "deal", DealScreen::class.java, DealScreen.DEAL to office.terrace) { it.sees("101500") }
        screen(qualifiers, name, "conflict", ConflictScreen::class.java, ConflictScreen.COLLECTION to "opportunity", ConflictScreen.RECORD to office.winter) { it.shows(R.id.value_keep) }
        screen(qualifiers, name, "lock", LockScreen::class.java, LockScreen.CHOOSE to true) { true }
        screen(qualifiers, name, "caller", CallerScreen::class.java, CallerScreen.NUMBER to "+380671234567") { it.sees("Ірина Мельник") }
        screen(qualifiers, name, "join", JoinScreen::class.java) { it.shows(R.id.join_start) }
    }

    private fun screen(
        qualifiers: String,
        name: String,
        screen: String,
        activity: Class<out Activity>,
        vararg extras: Pair<String, Any>,
        act: (Phone) -> Unit = {},
        seen: (Phone) -> Boolean,
    ) {
        val phone = Phone(qualifiers)
        val intent = Intent(app, activity)
        extras.forEach { (key, value) ->
            when (value) {
                is Int -> intent.putExtra(key, value)
                is Boolean -> intent.putExtra(key, value)
                else -> intent.putExtra(key, value.toString())
            }
        }
        phone.open(activity, intent)
        phone.until("$screen in $qualifiers") { phone.texts().isNotEmpty() && ready(phone) }
        act(phone)
        phone.until("$screen in $qualifiers") { seen(phone) }
        phone.screenshot("$name-$screen")
        look(phone, "$name-$screen")
        phone.close()
    }

    private fun ready(phone: Phone) = phone.activity !is HomeScreen || phone.activity.intent.hasExtra(HomeScreen.CURRENT) || phone.shows(R.id.task_complete)

    private fun look(phone: Phone, where: String) {
        val density = phone.activity.resources.displayMetrics.density
        for (root in phone.roots()) for (view in phone.all(root)) {
            if (!view.isShown || view.width == 0 || !within(view)) continue
            if (view.isClickable || view is EditText) {
                val (wide, high) = view.width / density to view.height / density
                if (wide < TOUCH_DP || high < TOUCH_DP) found += "$where: ${name(view)} is ${wide.toInt()} × ${high.toInt()} dp"
                if (!says(phone, view)) found += "$where: ${name(view)} says nothing to TalkBack"
            }
            if (view is ImageView && !view.isClickable && view.isImportantForAccessibility && view.contentDescription.isNullOrEmpty() && !told(view)) {
                found += "$where: ${name(view)} is a picture without words"
            }
            if (view is TextView && cut(view)) found += "$where: “${view.text}” is cut"
        }
    }

    // What is scrolled out of sight is looked at when it is scrolled in.
    private fun within(view: View) = android.graphics.Rect().let { view.getGlobalVisibleRect(it) && it.width() >= view.width && it.height() >= view.height }

    private fun says(phone: Phone, view: View): Boolean =
        view is AdapterView<*> || view.javaClass.name.contains("PopupWindow") ||
            view.id == android.R.id.content || !view.contentDescription.isNullOrEmpty() ||
            (view as? TextView)?.let { it.text.isNotEmpty() || !it.hint.isNullOrEmpty() || labelled(phone, it) } == true ||
            (view as? ViewGroup)?.let { group -> phone.all(group).drop(1).any { it.isShown && ((it as? TextView)?.text?.isNotEmpty() == true || !it.contentDescription.isNullOrEmpty()) } } == true ||
            (view.parent as? View)?.id == android.R.id.content

    private fun labelled(phone: Phone, field: View) = phone.roots().flatMap(phone::all).any { it.labelFor == field.id }

    // A picture inside something that is said as a whole.
    private fun told(view: View): Boolean = generateSequence(view.parent as? View) { it.parent as? View }.any { !it.contentDescription.isNullOrEmpty() && it.id != View.NO_ID && it !is AdapterView<*> && it.isClickable }

    private fun cut(view: TextView): Boolean {
        val layout = view.layout ?: return false
        if (view is EditText || view.ellipsize != null || view.maxLines < Int.MAX_VALUE) return false
        return layout.height > view.height - view.compoundPaddingTop - view.compoundPaddingBottom + 2
    }

    private fun name(view: View) = runCatching { view.resources.getResourceEntryName(view.id) }.getOrElse { view.javaClass.simpleName } + " “${(view as? TextView)?.text ?: ""}”"

    private companion object {
        const val TOUCH_DP = 47.5f

        /** A word of the engine in each language. */
        val QUALIFIED = mapOf("en" to "Qualified", "ru" to "Квалификация", "uk" to "Кваліфікація")
    }
}
