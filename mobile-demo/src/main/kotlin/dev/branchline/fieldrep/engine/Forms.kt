package dev.branchline.fieldrep.engine

import dev.branchline.CollectionSchema
import dev.branchline.Edit
import dev.branchline.FieldKind
import dev.branchline.FieldSchema
import dev.branchline.Labels
import dev.branchline.Query
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
            target = field.target.orEmpty(),
            titles = held?.value(field.name)?.let(::titles).orEmpty(),
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
    FieldKind.CHOICE_SET -> FormField.Type.CHOICES
    FieldKind.REFERENCE -> FormField.Type.RECORD
    FieldKind.REFERENCE_SET -> FormField.Type.RECORDS
    // These are measured, counted or taken, not typed.
    FieldKind.INSTANT, FieldKind.LINES, FieldKind.COUNTER, FieldKind.ATTACHMENT, FieldKind.LOCATION -> null
}

/** A value as a person types it. */
private fun written(value: Value): String = when (value) {
    is Value.Text -> value.text
    is Value.Integer -> value.number.toString()
    is Value.Decimal -> value.number
    is Value.Money -> "${value.amount} ${value.currency}"
    is Value.Boolean -> if (value.yes) "yes" else "no"
    is Value.Date -> value.day
    is Value.Set -> several(value.items.map { it.value })
    is Value.Reference -> value.id
    else -> ""
}

private fun titles(value: Value): Map<String, String> = when (value) {
    is Value.Reference -> mapOf(value.id to value.label.orEmpty())
    is Value.Set -> value.items.associate { it.value to it.label.orEmpty() }
    else -> emptyMap()
}

/** Several values as one types them, and back. */
fun several(values: List<String>): String = values.joinToString("; ")

fun severalOf(text: String): List<String> = text.split(';').map(String::trim).filter(String::isNotEmpty)

/** The records of a collection that fit what is typed, by id and title. */
fun Territory.pick(collection: String, search: String, limit: Int): List<Pair<String, String>> = if (search.isEmpty()) {
    list(Query(collection, limit = limit.toUInt())).map { it.id to it.title }
} else {
    // Other collections have hits, too.
    replica.search(search, PICKED_FROM).filter { it.collection == collection }.take(limit).map { it.record to it.title }
}

/** Writes what was typed, in one change; gives the record's id. */
fun Territory.save(collection: String, record: String?, values: Map<String, String>): String {
    val written = values.mapValues { (_, text) -> typed(text) }
    if (record == null) return replica.create(collection, written)
    if (written.isNotEmpty()) replica.edit(collection, record, written.map { (field, value) -> Edit.Set(field, value) })
    return record
}

private val PICKED_FROM = 500u
private val SYSTEM = setOf("branch", "team", "owner", "external_id")
private val FIRST = mapOf(
    "account" to listOf("name", "phones", "emails", "city", "address", "industry", "vip", "notes", "tax_id"),
    "contact" to listOf("first_name", "last_name", "job_title", "phones", "emails", "birthday", "do_not_call", "notes"),
    "opportunity" to listOf("name", "amount", "stage", "next_step", "expected_on", "notes"),
)
