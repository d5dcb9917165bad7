package dev.branchline

/** Field values as a person types them, in the forms of the command line: `"amount" to "99.90 USD"`. */
fun typed(vararg fields: Pair<String, String>): Map<String, Value> =
    fields.associate { (field, text) -> field to Value.Typed(text) }

/** A text value. */
fun text(text: String): Value = Value.Text(text)

/** A reference to a record. */
fun reference(record: String): Value = Value.Reference(record)

/** A moment, in milliseconds since 1970. */
fun instant(ms: Long): Value = Value.Instant(ms)

/** A set of texts, stored values of choices, or ids of records. */
fun set(vararg items: String): Value = Value.Set(items.map { Item(it) })

/** The value of a field; [Value.Empty] where it has none. */
fun Record.value(field: String): Value = fields.firstOrNull { it.name == field }?.value ?: Value.Empty

/** What people read in a field; empty where it has no value. */
fun Record.text(field: String): String = fields.firstOrNull { it.name == field }?.text.orEmpty()

/** The id of the record that a reference field points to. */
fun Record.reference(field: String): String? = (value(field) as? Value.Reference)?.id

/** The moment of an instant field, in milliseconds since 1970. */
fun Record.instant(field: String): Long? = (value(field) as? Value.Instant)?.ms

/** The items of a set field. */
fun Record.items(field: String): List<String> = (value(field) as? Value.Set)?.items.orEmpty().map { it.value }

/** The label in a language, `en`, `ru` or `uk`; else the English one. */
fun Labels.text(language: String): String = when (language) {
    "ru" -> ru.ifEmpty { en }
    "uk" -> uk.ifEmpty { en }
    else -> en
}

/** Writes of one transaction, in their order. */
class Transaction internal constructor() {
    internal val writes = mutableListOf<Write>()

    /** Makes a record; what is given back refers to it in later writes. With [key] fields, the same again makes it once. */
    fun create(collection: String, values: Map<String, Value>, key: List<String> = emptyList()): Value =
        Value.Created(add(Write.Create(collection, values, key)))

    /** Edits a record. */
    fun edit(collection: String, record: String, edits: List<Edit>) {
        add(Write.Edit(collection, record, edits))
    }

    /** Puts these values into the fields of a record. */
    fun set(collection: String, record: String, values: Map<String, Value>) =
        edit(collection, record, values.map { (field, value) -> Edit.Set(field, value) })

    /** Archives a record, or brings it back. */
    fun archive(collection: String, record: String, archived: Boolean = true) {
        add(Write.Archive(collection, record, archived))
    }

    /** Takes back one change of a record. */
    fun undo(collection: String, record: String, change: String) {
        add(Write.Undo(collection, record, change))
    }

    private fun add(write: Write): UInt {
        writes += write
        return (writes.size - 1).toUInt()
    }
}
