package dev.branchline.fieldrep.engine

import dev.branchline.CollectionSchema
import dev.branchline.Edit
import dev.branchline.FieldKind
import dev.branchline.FieldSchema
import dev.branchline.Labels
import dev.branchline.Value
import dev.branchline.fieldrep.FormField
import dev.branchline.fieldrep.Stage
import dev.branchline.text
import dev.branchline.value

// Forms made of the schema, so that a workspace's own fields need no new app.

internal fun Territory.collection(name: String): CollectionSchema = replica.schema().first { it.name == name }

internal fun Territory.label(labels: Labels): String = labels.text(language)

/** The fields of a form: those that a rep fills most come first, then the others in the schema's order. */
fun Territory.form(collection: String, record: String?): List<FormField> {
    val held = record?.let { replica.get(collection, it) }
    val first = FIRST[collection].orEmpty()
    val fields = collection(collection).fields.filter { it.name !in SYSTEM }
    val sorted = first.mapNotNull { name -> fields.find { it.name == name } } + fields.filter { it.name !in first }
    return sorted.mapNotNull { field ->
        val type = type(field) ?: return@mapNotNull null
        FormField(
            name = field.name,
            label = label(field.labels),
            type = type,
            required = field.required,
            choices = field.choices.map { Stage(it.value, label(it.labels)) },
            value = held?.value(field.name)?.let(::written).orEmpty(),
        )
    }
}

private fun type(field: FieldSchema): FormField.Type? = when (field.kind) {
    FieldKind.TEXT -> FormField.Type.TEXT
    FieldKind.LONG_TEXT -> FormField.Type.LONG_TEXT
    FieldKind.INTEGER, FieldKind.DECIMAL -> FormField.Type.NUMBER
    FieldKind.MONEY -> FormField.Type.MONEY
    FieldKind.BOOLEAN -> FormField.Type.YES_NO
    FieldKind.DATE -> FormField.Type.DATE
    FieldKind.CHOICE -> FormField.Type.CHOICE
    FieldKind.TEXT_SET -> when (field.name) {
        "phones" -> FormField.Type.PHONES
        "emails" -> FormField.Type.EMAILS
        else -> FormField.Type.SET
    }
    // These are chosen or measured, not typed.
    FieldKind.INSTANT, FieldKind.REFERENCE, FieldKind.CHOICE_SET, FieldKind.REFERENCE_SET, FieldKind.LINES,
    FieldKind.COUNTER, FieldKind.ATTACHMENT, FieldKind.LOCATION,
    -> null
}

/** A value as a person types it. */
private fun written(value: Value): String = when (value) {
    is Value.Text -> value.text
    is Value.Integer -> value.number.toString()
    is Value.Decimal -> value.number
    is Value.Money -> "${value.amount} ${value.currency}"
    is Value.Boolean -> if (value.yes) "yes" else "no"
    is Value.Date -> value.day
    is Value.Set -> value.items.joinToString("; ") { it.value }
    else -> ""
}

/** Writes what was typed, in one change; gives the record's id. */
fun Territory.save(collection: String, record: String?, values: Map<String, String>): String {
    val written = values.mapValues { (_, text) -> typed(text) }
    if (record == null) return replica.create(collection, written)
    if (written.isNotEmpty()) replica.edit(collection, record, written.map { (field, value) -> Edit.Set(field, value) })
    return record
}

private val SYSTEM = setOf("branch", "team", "owner", "external_id")
private val FIRST = mapOf(
    "account" to listOf("name", "phones", "emails", "city", "address", "industry", "vip", "notes", "tax_id"),
    "contact" to listOf("first_name", "last_name", "job_title", "phones", "emails", "birthday", "do_not_call", "notes"),
    "opportunity" to listOf("name", "amount", "stage", "next_step", "expected_on", "notes"),
)
