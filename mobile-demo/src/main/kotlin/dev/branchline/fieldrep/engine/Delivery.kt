package dev.branchline.fieldrep.engine

import dev.branchline.Conflict
import dev.branchline.Edit
import dev.branchline.Query
import dev.branchline.fieldrep.Clash
import dev.branchline.fieldrep.Entry
import dev.branchline.fieldrep.Version
import java.io.File
import java.time.Instant

// What waits, what was refused, and what only a person can decide.

/** Records with changes that wait to go up, the newest first. */
fun Territory.waiting(limit: Int): List<Entry> = replica.schema().flatMap { collection ->
    list(Query(collection.name, sort = NEWEST, limit = limit.toUInt())).filter { it.pending }
        .map { it.updated.atMs to Entry(it.collection, it.id, label(it), label(collection.labels), "") }
}.sortedByDescending { it.first }.map { it.second }.take(limit)

/** What was refused and waits for a decision; what was refused together is one entry. */
fun Territory.refused(): List<Entry> {
    val labels = replica.schema().associate { it.name to label(it.labels) }
    return replica.quarantine(false).groupBy { it.transaction }.map { (_, changes) ->
        val first = changes.first()
        val fields = changes.flatMap { it.fields }.map { it.label }.distinct().joinToString(", ")
        val kind = listOf(labels[first.collection].orEmpty(), fields).filter(String::isNotEmpty).joinToString(": ")
        Entry(first.collection, first.record, first.title, kind, first.reason)
    }
}

/** Puts everything that was refused in the way again. */
fun Territory.retryRefused() {
    replica.retry(null)
}

/** Writes everything that was refused to a file; gives the number of changes. */
fun Territory.exportRefused(file: File): Long = replica.exportQuarantine(file.path).toLong()

/** Conflicts that this person has a part in, or that only a person can settle. */
fun Territory.clashes(): List<Clash> =
    replica.conflicts().filter { conflict -> conflict.asks || conflict.values.any { it.by.person == me.id } }.map(::clash)

/** All conflicts of one record. */
fun Territory.clashes(collection: String, id: String): List<Clash> = replica.get(collection, id).conflicts.map(::clash)

private fun clash(conflict: Conflict) = Clash(
    collection = conflict.collection,
    id = conflict.record,
    title = conflict.title,
    field = conflict.field,
    label = conflict.label,
    versions = conflict.values.map { Version(it.value, it.text, it.by.name.orEmpty(), it.device, Instant.ofEpochMilli(it.by.atMs), it.shown) },
)

/** Keeps a version. Writing it settles the conflict, and a seller may write to own records where `resolve` is a manager's. */
fun Territory.keep(clash: Clash, version: Version) {
    val path = clash.field.split('/')
    val edit = if (path.size == 3) Edit.SetCell(path[0], path[1], path[2], version.value) else Edit.Set(clash.field, version.value)
    replica.edit(clash.collection, clash.id, listOf(edit))
}
