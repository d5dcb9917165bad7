package dev.branchline.fieldrep.engine

import dev.branchline.Attachment
import dev.branchline.Query
import dev.branchline.Record
import dev.branchline.RecordState
import dev.branchline.Value
import dev.branchline.fieldrep.Mark
import dev.branchline.fieldrep.Money
import dev.branchline.fieldrep.Photo
import dev.branchline.fieldrep.Place
import dev.branchline.instant
import dev.branchline.text
import dev.branchline.value
import java.time.Instant
import java.time.LocalDate

// From the engine's values to the app's.

internal fun Record.at(field: String): Instant? = instant(field)?.let(Instant::ofEpochMilli)

internal fun Record.place(field: String): Place? = place(value(field))

internal fun place(value: Value): Place? = (value as? Value.Location)?.let { Place(it.latitude, it.longitude) }

internal fun Record.money(field: String): Money? = money(value(field))

internal fun money(value: Value?): Money? = (value as? Value.Money)?.let { Money(it.amount, it.currency) }

internal fun Record.yes(field: String): Boolean = (value(field) as? Value.Boolean)?.yes == true

internal fun Record.date(field: String): LocalDate? = (value(field) as? Value.Date)?.let { LocalDate.parse(it.day) }

/** A stored text or choice, not its label. */
internal fun Record.stored(field: String): String = (value(field) as? Value.Text)?.text.orEmpty()

/** The id of a referred record and its title. */
internal fun Record.referred(field: String): Pair<String, String>? =
    (value(field) as? Value.Reference)?.let { it.id to it.label.orEmpty() }

internal fun Record.photo(field: String): Photo? = (value(field) as? Value.Attachment)?.file?.let { photo(it) }

private fun Record.photo(file: Attachment) = Photo(file.hash, file.name, at("done_at") ?: at("starts_at"))

internal val Record.mark: Mark
    get() = when (state) {
        is RecordState.Refused -> Mark.REFUSED
        RecordState.Conflict -> Mark.CONFLICT
        RecordState.Pending -> Mark.WAITING
        RecordState.Clean -> Mark.NONE
    }

/** All records of a query up to its limit. */
internal fun Territory.list(query: Query): List<Record> = replica.list(query).records

/** A text inside a condition. */
internal fun quoted(text: String): String = "\"${text.replace("\\", "\\\\").replace("\"", "\\\"")}\""

internal fun instantValue(at: Instant): Value = Value.Instant(at.toEpochMilli())

internal fun typed(text: String): Value = if (text.isEmpty()) Value.Empty else Value.Typed(text)

internal fun textValue(text: String): Value = if (text.isEmpty()) Value.Empty else Value.Text(text)

internal fun label(record: Record): String = record.text("name").ifEmpty { record.title }
