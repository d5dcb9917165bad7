package dev.branchline.fieldrep.engine

import dev.branchline.AgendaEntry
import dev.branchline.Query
import dev.branchline.Record
import dev.branchline.Sort
import dev.branchline.Value
import dev.branchline.Write
import dev.branchline.fieldrep.Caller
import dev.branchline.fieldrep.Day
import dev.branchline.fieldrep.Kind
import dev.branchline.fieldrep.Outcome
import dev.branchline.fieldrep.Task
import dev.branchline.reference
import dev.branchline.text
import java.time.DayOfWeek
import java.time.Instant
import java.time.LocalTime
import java.time.ZoneId

// Planned and done activities.

/** The person's day, and what is planned for some days after it. */
fun Territory.day(begin: Instant, end: Instant, ahead: Instant): Day {
    if (!iAmHere()) return Day(emptyList(), emptyList(), emptyList(), emptyList())
    val agenda = replica.myDay(begin.toEpochMilli(), end.toEpochMilli())
    val coming = list(
        Query("activity", planned("due_at >= ${quoted(end.toString())} and due_at < ${quoted(ahead.toString())}"), listOf(Sort("due_at")), LIST_MAX),
    )
    return Day(agenda.late.map(::task), agenda.planned.map(::task), coming.map { task(it) }, agenda.done.map(::task))
}

// Early in a first sync the person's own record has not arrived, and nothing can belong to it yet.
private fun Territory.iAmHere(): Boolean = replica.count(Query("user", "id = ${quoted(me.id)}")) > 0u

private fun Territory.planned(condition: String) =
    "$condition and done_at is empty and owner = ${quoted(me.id)} and kind != note"

private fun task(entry: AgendaEntry): Task = task(entry.activity).copy(
    clientName = entry.client?.name.orEmpty(),
    clientPlace = entry.client?.location?.let(::place),
    due = Instant.ofEpochMilli(entry.atMs).takeIf { entry.activity.at("done_at") == null } ?: entry.activity.at("due_at"),
)

internal fun task(record: Record): Task = Task(
    id = record.id,
    kind = Kind.of(record.stored("kind")),
    subject = record.text("subject"),
    client = record.reference("account"),
    clientName = record.referred("account")?.second.orEmpty(),
    clientPlace = null,
    due = record.at("due_at") ?: record.at("starts_at"),
    remind = record.at("remind_at"),
    done = record.at("done_at"),
    outcome = record.text("outcome"),
    mark = record.mark,
)

/**
 * Ends an activity with its outcome, and plans the next contact that follows from it, both in one transaction. The next
 * one's id follows from this activity: whoever ends it where, twice even, there is one next contact.
 */
fun Territory.complete(id: String, outcome: Outcome, nextSubject: String, now: Instant) {
    val activity = replica.get("activity", id)
    val client = activity.reference("account")
    val kind = outcome.nextKind(Kind.of(activity.stored("kind")))
    val ended = Write.Edit(
        "activity",
        id,
        listOf(
            dev.branchline.Edit.Set("done_at", instantValue(now)),
            dev.branchline.Edit.Set("outcome", Value.Text(outcome.value)),
        ),
    )
    val next = Write.Create(
        "activity",
        plannedValues(client, kind, nextSubject, outcome.next(now)) + ("external_id" to Value.Text("next-${activity.id}")),
        listOf("external_id"),
    )
    replica.transact(listOf(ended, next))
}

/** When the next contact is due: so many days on, in the morning, not on a weekend. */
private fun Outcome.next(now: Instant): Instant {
    val zone = ZoneId.systemDefault()
    var day = now.atZone(zone).toLocalDate().plusDays(nextDays.toLong())
    while (day.dayOfWeek == DayOfWeek.SATURDAY || day.dayOfWeek == DayOfWeek.SUNDAY) day = day.plusDays(1)
    return day.atTime(MORNING).atZone(zone).toInstant()
}

private fun plannedValues(client: String?, kind: Kind, subject: String, due: Instant): Map<String, Value> = mapOf(
    "kind" to Value.Text(kind.value),
    "subject" to textValue(subject),
    "account" to (client?.let { Value.Reference(it) } ?: Value.Empty),
    "due_at" to instantValue(due),
)

fun Territory.plan(client: String, kind: Kind, subject: String, due: Instant): String =
    replica.create("activity", plannedValues(client, kind, subject, due))

/** Notes an incoming call. */
fun Territory.noteCall(caller: Caller, subject: String, now: Instant): String = replica.create(
    "activity",
    mapOf(
        "kind" to Value.Text(Kind.CALL.value),
        "direction" to Value.Text("in"),
        "subject" to textValue(subject),
        "account" to (caller.client?.let { Value.Reference(it.id) } ?: Value.Empty),
        "contact" to (caller.person?.let { Value.Reference(it.id) } ?: Value.Empty),
        "starts_at" to instantValue(now),
        "done_at" to instantValue(now),
    ),
)

/** What is to be reminded of after a moment, the next first. */
fun Territory.reminders(after: Instant, limit: Int): List<Task> {
    if (!iAmHere()) return emptyList()
    val at = quoted(after.toString())
    val due = list(Query("activity", planned("remind_at is empty and due_at > $at"), listOf(Sort("due_at")), limit.toUInt()))
    val asked = list(Query("activity", planned("remind_at > $at"), listOf(Sort("remind_at")), limit.toUInt()))
    return (due + asked).map(::task).sortedBy { it.remindAt }.take(limit)
}

private val LIST_MAX = 100u
private val MORNING = LocalTime.of(10, 0)
