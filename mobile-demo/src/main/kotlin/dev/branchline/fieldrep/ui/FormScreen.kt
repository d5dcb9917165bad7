package dev.branchline.fieldrep.ui

import android.app.AlertDialog
import android.app.DatePickerDialog
import android.content.Intent
import android.os.Bundle
import android.text.InputType
import android.view.View
import android.view.ViewGroup
import android.widget.Button
import android.widget.EditText
import android.widget.Switch
import android.widget.TextView
import dev.branchline.fieldrep.FormField
import dev.branchline.fieldrep.R
import dev.branchline.fieldrep.engine.form
import dev.branchline.fieldrep.engine.save
import dev.branchline.fieldrep.engine.several
import dev.branchline.fieldrep.engine.severalOf
import java.time.LocalDate

/** A form made of the schema: the workspace's own fields come with it, with their labels in the person's language. */
class FormScreen : Screen() {
    private val collection: String get() = intent.getStringExtra(COLLECTION)!!
    private val record: String? get() = intent.getStringExtra(RECORD)
    private val client: String? get() = intent.getStringExtra(CLIENT).takeIf { record == null && collection != "account" }
    private var fields: List<FormField> = emptyList()
    private val read = mutableMapOf<String, () -> String>()
    private val picked = mutableMapOf<String, (id: String, title: String) -> Unit>()
    private val titles = mutableMapOf<String, String>()
    private var saved: Map<String, String> = emptyMap()

    override fun onCreate(state: Bundle?) {
        super.onCreate(state)
        saved = state.texts(TYPED)
        titles += state.texts(CHOSEN)
        show(R.layout.form, getString(TITLES.getValue(collection).let { if (record == null) it.first else it.second }))
        action(R.string.save) { save() }
    }

    override fun refresh() {
        if (fields.isNotEmpty()) return
        work({ it.form(collection, record) }) { found ->
            // The client of a new record is who it was begun at.
            fields = found.filter { it.name != "account" || client == null }
            val box = findViewById<ViewGroup>(R.id.form_fields)!!
            box.removeAllViews()
            fields.forEach { box.addView(view(box, it, saved[it.name] ?: preset(it))) }
        }
    }

    private fun Bundle?.texts(key: String): Map<String, String> =
        this?.getBundle(key)?.let { texts -> texts.keySet().associateWith { texts.getString(it).orEmpty() } } ?: emptyMap()

    private fun preset(field: FormField): String = field.value.ifEmpty { intent.getStringExtra(preset(field.name)).orEmpty() }

    override fun onSaveInstanceState(state: Bundle) {
        super.onSaveInstanceState(state)
        state.putBundle(TYPED, Bundle().apply { read.forEach { (name, value) -> putString(name, value()) } })
        state.putBundle(CHOSEN, Bundle().apply { titles.forEach { (id, title) -> putString(id, title) } })
    }

    private fun changes(): Map<String, String> =
        fields.mapNotNull { field -> read[field.name]?.invoke()?.takeIf { it != field.value }?.let { field.name to it } }.toMap()

    private fun save() {
        calm()
        val values = changes() + listOfNotNull(client?.let { "account" to it })
        work({ it.save(collection, record, values) }) { finish() }
    }

    @Deprecated("the older way of Android before 13")
    override fun onBackPressed() {
        if (changes().isEmpty()) {
            finish()
            return
        }
        AlertDialog.Builder(this)
            .setTitle(R.string.form_unsaved_title)
            .setPositiveButton(R.string.form_unsaved_leave) { _, _ -> finish() }
            .setNegativeButton(R.string.cancel, null)
            .show()
    }

    private fun view(box: ViewGroup, field: FormField, value: String): View = when (field.type) {
        FormField.Type.YES_NO -> yesNo(box, field, value)
        FormField.Type.CHOICE -> choice(box, field, value)
        FormField.Type.CHOICES -> choices(box, field, value)
        FormField.Type.RECORD -> record(box, field, value)
        FormField.Type.RECORDS -> records(box, field, value)
        FormField.Type.DATE -> date(box, field, value)
        else -> text(box, field, value)
    }

    private fun text(box: ViewGroup, field: FormField, value: String): View {
        val row = layoutInflater.inflate(R.layout.form_field, box, false)
        val edit = row.findViewById<EditText>(R.id.field_value)!!
        label(row, field, edit)
        edit.setText(value)
        edit.inputType = when (field.type) {
            FormField.Type.LONG_TEXT -> InputType.TYPE_CLASS_TEXT or InputType.TYPE_TEXT_FLAG_MULTI_LINE or InputType.TYPE_TEXT_FLAG_CAP_SENTENCES
            FormField.Type.NUMBER -> InputType.TYPE_CLASS_NUMBER or InputType.TYPE_NUMBER_FLAG_DECIMAL or InputType.TYPE_NUMBER_FLAG_SIGNED
            FormField.Type.EMAILS -> InputType.TYPE_CLASS_TEXT or InputType.TYPE_TEXT_VARIATION_EMAIL_ADDRESS
            else -> InputType.TYPE_CLASS_TEXT or InputType.TYPE_TEXT_FLAG_CAP_SENTENCES
        }
        val several = field.type in listOf(FormField.Type.SET, FormField.Type.PHONES, FormField.Type.EMAILS)
        row.findViewById<TextView>(R.id.field_hint)!!.showOrHide(
            if (several) getString(R.string.form_separate) else if (field.required) getString(R.string.form_required) else null,
        )
        read[field.name] = { edit.text.toString().trim() }
        return row
    }

    // A label is read with its field, so that TalkBack says both.
    private fun label(row: View, field: FormField, value: View) {
        val label = row.findViewById<TextView>(R.id.field_label)!!
        label.text = field.label
        value.id = View.generateViewId()
        label.labelFor = value.id
        value.tag = field.name
    }

    private fun yesNo(box: ViewGroup, field: FormField, value: String): View {
        val switch = layoutInflater.inflate(R.layout.form_switch, box, false) as Switch
        switch.text = field.label
        switch.tag = field.name
        switch.isChecked = value == YES
        read[field.name] = { if (switch.isChecked) YES else if (field.value.isEmpty()) "" else NO }
        return switch
    }

    private fun choice(box: ViewGroup, field: FormField, value: String): View {
        var chosen = value
        return button(box, field, { chosen }, { field.choices.find { it.value == chosen }?.label ?: chosen }) { say ->
            val none = Choice(getString(R.string.form_none)) { chosen = ""; say() }
            sheet(field.label, field.choices.map { Choice(it.label) { chosen = it.value; say() } } + none)
        }
    }

    private fun choices(box: ViewGroup, field: FormField, value: String): View {
        var chosen = severalOf(value)
        return button(box, field, { several(chosen) }, { chosen.joinToString { one -> field.choices.find { it.value == one }?.label ?: one } }) { say ->
            val ticks = field.choices.map { it.value in chosen }.toBooleanArray()
            AlertDialog.Builder(this)
                .setTitle(field.label)
                .setMultiChoiceItems(field.choices.map { it.label }.toTypedArray(), ticks) { _, at, ticked -> ticks[at] = ticked }
                .setPositiveButton(R.string.done) { _, _ ->
                    // What this version does not know stays.
                    val known = field.choices.map { it.value }
                    chosen = known.filterIndexed { at, _ -> ticks[at] } + chosen.filter { it !in known }
                    say()
                }
                .setNegativeButton(R.string.cancel, null)
                .show()
        }
    }

    private fun record(box: ViewGroup, field: FormField, value: String): View {
        titles += field.titles
        var chosen = value
        return button(box, field, { chosen }, { titles[chosen] ?: chosen }) { say ->
            picked[field.name] = { id, title ->
                titles[id] = title
                chosen = id
                say()
            }
            val none = Choice(getString(R.string.form_none)) { chosen = ""; say() }
            if (chosen.isEmpty()) pick(field) else sheet(field.label, listOf(Choice(getString(R.string.form_another)) { pick(field) }, none))
        }
    }

    private fun records(box: ViewGroup, field: FormField, value: String): View {
        titles += field.titles
        var chosen = severalOf(value)
        return button(box, field, { several(chosen) }, { chosen.joinToString { titles[it] ?: it } }) { say ->
            picked[field.name] = { id, title ->
                titles[id] = title
                chosen = chosen - id + id
                say()
            }
            val less = chosen.map { id -> Choice(titles[id] ?: id, getString(R.string.remove)) { chosen = chosen - id; say() } }
            if (chosen.isEmpty()) pick(field) else sheet(field.label, less + Choice(getString(R.string.add)) { pick(field) })
        }
    }

    private fun pick(field: FormField) {
        val intent = Intent(this, PickScreen::class.java).putExtra(PickScreen.COLLECTION, field.target)
        startActivityForResult(intent.putExtra(PickScreen.FIELD, field.name).putExtra(PickScreen.TITLE, field.label), PICK)
    }

    @Deprecated("the older way of Android before the activity results of AndroidX")
    override fun onActivityResult(request: Int, result: Int, data: Intent?) {
        super.onActivityResult(request, result, data)
        if (request != PICK || result != RESULT_OK || data == null) return
        val field = data.getStringExtra(PickScreen.FIELD) ?: return
        picked[field]?.invoke(data.getStringExtra(PickScreen.RECORD).orEmpty(), data.getStringExtra(PickScreen.TITLE).orEmpty())
    }

    /** A field that is chosen, not typed: what is chosen now in words, and what a touch does. */
    private fun button(box: ViewGroup, field: FormField, value: () -> String, words: () -> String, touched: (say: () -> Unit) -> Unit): View {
        val row = layoutInflater.inflate(R.layout.form_choice, box, false)
        val button = row.findViewById<Button>(R.id.field_value)!!
        label(row, field, button)
        val say = { button.text = words().ifEmpty { getString(R.string.form_none) } }
        say()
        button.setOnClickListener { touched(say) }
        read[field.name] = value
        return row
    }

    private fun date(box: ViewGroup, field: FormField, value: String): View {
        var chosen = value
        return button(box, field, { chosen }, { runCatching { words.day(LocalDate.parse(chosen)) }.getOrDefault(chosen) }) { say ->
            val day = runCatching { LocalDate.parse(chosen) }.getOrElse { LocalDate.now() }
            val dialog = DatePickerDialog(this, { _, year, month, date -> chosen = LocalDate.of(year, month + 1, date).toString(); say() }, day.year, day.monthValue - 1, day.dayOfMonth)
            dialog.setButton(DatePickerDialog.BUTTON_NEUTRAL, getString(R.string.clear)) { _, _ -> chosen = ""; say() }
            dialog.show()
        }
    }

    companion object {
        const val COLLECTION = "collection"
        const val RECORD = "record"
        /** The client to whom a new record belongs. */
        const val CLIENT = "client"
        private const val TYPED = "typed"
        private const val CHOSEN = "chosen"
        private const val PICK = 1
        const val YES = "yes"
        const val NO = "no"

        /** The name under which a first value of a field is given. */
        fun preset(field: String) = "preset.$field"

        private val TITLES = mapOf(
            "account" to (R.string.form_new_client to R.string.form_edit_client),
            "contact" to (R.string.form_new_person to R.string.form_edit_person),
            "opportunity" to (R.string.form_new_deal to R.string.form_edit_deal),
        )
    }
}
