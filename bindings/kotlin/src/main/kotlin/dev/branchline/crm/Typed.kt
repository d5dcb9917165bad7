package dev.branchline.crm

import dev.branchline.Attachment
import dev.branchline.Item
import dev.branchline.Line
import dev.branchline.Page
import dev.branchline.Query
import dev.branchline.Record
import dev.branchline.Replica
import dev.branchline.Value
import dev.branchline.value
import java.math.BigDecimal
import kotlin.properties.ReadWriteProperty
import kotlin.reflect.KProperty

/**
 * A record of a built-in collection with typed fields: read from a [Record], or new. A field that was set here reads as it
 * was set, and is written by [save] or [create]; null leaves it empty. The workspace's own fields are in the record itself.
 */
abstract class Typed internal constructor(private val collection: String, private val source: Record?) {
    private val written = linkedMapOf<String, Value>()

    /** The name of the collection. */
    fun collectionName(): String = collection

    /** The record that this was read from. */
    fun record(): Record? = source

    /** The fields that were set here. */
    fun changes(): Map<String, Value> = written.toMap()

    protected fun text(field: String) = Property(field, { (it as? Value.Text)?.text }, { Value.Text(it) })
    protected fun integer(field: String) = Property(field, { (it as? Value.Integer)?.number }, { Value.Integer(it) })
    protected fun decimal(field: String) =
        Property(field, { (it as? Value.Decimal)?.number?.let(::BigDecimal) }, { Value.Decimal(it.toPlainString()) })
    protected fun money(field: String) = Property(field, { it as? Value.Money }, { it })
    protected fun boolean(field: String) = Property(field, { (it as? Value.Boolean)?.yes }, { Value.Boolean(it) })
    protected fun date(field: String) = Property(field, { (it as? Value.Date)?.day }, { Value.Date(it) })
    protected fun instant(field: String) = Property(field, { (it as? Value.Instant)?.ms }, { Value.Instant(it) })
    protected fun reference(field: String) = Property(field, { (it as? Value.Reference)?.id }, { Value.Reference(it) })
    protected fun items(field: String) =
        Property(field, { (it as? Value.Set)?.items?.map(Item::value) }, { items -> Value.Set(items.map { Item(it) }) })
    protected fun lines(field: String) = Property(field, { (it as? Value.Lines)?.lines }, { Value.Lines(it) })
    protected fun attachment(field: String) =
        Property(field, { (it as? Value.Attachment)?.file }, { file: Attachment -> Value.Attachment(file) })
    protected fun location(field: String) = Property(field, { it as? Value.Location }, { it })

    /** A field of a record. */
    protected inner class Property<T : Any>(
        private val field: String,
        private val read: (Value) -> T?,
        private val write: (T) -> Value,
    ) : ReadWriteProperty<Typed, T?> {
        override fun getValue(thisRef: Typed, property: KProperty<*>): T? =
            (written[field] ?: source?.value(field))?.let(read)

        override fun setValue(thisRef: Typed, property: KProperty<*>, value: T?) {
            written[field] = value?.let(write) ?: Value.Empty
        }
    }
}

/** Makes the record that this describes and gives its id. */
suspend fun Replica.create(card: Typed): String = create(card.collectionName(), card.changes())

/** Writes what was set: to the record that it was read from, or as a new one. Gives the record's id. */
suspend fun Replica.save(card: Typed): String {
    val record = card.record() ?: return create(card)
    if (card.changes().isNotEmpty()) set(card.collectionName(), record.id, card.changes())
    return record.id
}

/** The records of a page with typed fields: `page.typed(::Account)`. */
fun <T : Typed> Page.typed(read: (Record) -> T): List<T> = records.map(read)

/** A part of a list with typed fields: `replica.list(Query("account"), ::Account)`. */
suspend fun <T : Typed> Replica.list(query: Query, read: (Record) -> T): List<T> = list(query).typed(read)
