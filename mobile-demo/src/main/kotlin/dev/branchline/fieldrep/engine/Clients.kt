package dev.branchline.fieldrep.engine

import dev.branchline.Query
import dev.branchline.Record
import dev.branchline.RecordState
import dev.branchline.Sort
import dev.branchline.Value
import dev.branchline.fieldrep.Caller
import dev.branchline.fieldrep.Client
import dev.branchline.fieldrep.ClientCard
import dev.branchline.fieldrep.ClientFilter
import dev.branchline.fieldrep.Event
import dev.branchline.fieldrep.Kind
import dev.branchline.fieldrep.Person
import dev.branchline.fieldrep.Photo
import dev.branchline.fieldrep.Place
import dev.branchline.items
import dev.branchline.reference
import dev.branchline.text
import dev.branchline.value
import java.time.Duration
import java.time.Instant
import java.time.LocalDate
import java.time.ZoneId
import java.time.temporal.ChronoUnit

// Clients and their people.

/** Clients whose texts, or whose people's, have words that begin as those of `search`; all of them where it is empty. */
fun Territory.clients(search: String, filter: ClientFilter, near: Place?, limit: Int): List<Client> {
    val found = if (search.isEmpty()) filtered(filter, limit) else searched(search, limit).filter { passes(it, filter) }
    val clients = found.map(::client)
    val from = near?.takeIf { filter == ClientFilter.NEARBY } ?: return clients.take(limit)
    return clients.filter { it.place != null }.sortedBy { from.metresTo(it.place!!) }.take(limit)
}

private fun Territory.filtered(filter: ClientFilter, limit: Int): List<Record> {
    val byName = listOf(Sort("name"))
    return when (filter) {
        ClientFilter.ALL -> list(Query("account", sort = byName, limit = limit.toUInt()))
        ClientFilter.NEARBY -> list(Query("account", "location is not empty", limit = NEARBY_MAX))
        ClientFilter.VIP -> list(Query("account", "vip = yes", byName, limit.toUInt()))
        ClientFilter.DEALS -> withDeals().mapNotNull(::account).sortedBy { it.title }
        ClientFilter.WAITING -> list(Query("account", sort = NEWEST, limit = limit.toUInt())).filter { it.state != RecordState.Clean }
    }
}

private fun Territory.passes(record: Record, filter: ClientFilter): Boolean = when (filter) {
    ClientFilter.ALL -> true
    ClientFilter.NEARBY -> record.place("location") != null
    ClientFilter.VIP -> record.yes("vip")
    ClientFilter.DEALS -> record.id in withDeals()
    ClientFilter.WAITING -> record.state != RecordState.Clean
}

private fun Territory.withDeals(): Set<String> =
    list(Query("opportunity", "$OPEN and account is not empty", limit = DEALS_MAX)).mapNotNull { it.reference("account") }.toSet()

// A client is found by its people, too.
private fun Territory.searched(text: String, limit: Int): List<Record> {
    val digits = text.filter(Char::isDigit)
    if (digits.length >= DIGITS_MIN && text.none(Char::isLetter)) return numbered(digits, limit)
    val hits = replica.search(text, (limit * 2).toUInt())
    val ids = hits.mapNotNull { hit ->
        when (hit.collection) {
            "account" -> hit.record
            "contact" -> replica.get("contact", hit.record).reference("account")
            else -> null
        }
    }
    return ids.distinct().mapNotNull(::account)
}

// Digits are looked for anywhere in a number: people leave out the country.
private fun Territory.numbered(digits: String, limit: Int): List<Record> {
    val like = "phones ~ ${quoted(digits)}"
    val own = list(Query("account", like, limit = limit.toUInt())).map { it.id }
    val people = list(Query("contact", like, limit = limit.toUInt())).mapNotNull { it.reference("account") }
    return (own + people).distinct().mapNotNull(::account)
}

// A client of whom a record speaks need not be held here.
private fun Territory.account(id: String): Record? = runCatching { replica.get("account", id) }.getOrNull()

fun Territory.clientCount(): Long = replica.count(Query("account")).toLong()

internal fun client(record: Record) = Client(
    id = record.id,
    name = record.text("name"),
    city = record.text("city"),
    address = record.text("address"),
    place = record.place("location"),
    phones = record.items("phones"),
    emails = record.items("emails"),
    vip = record.yes("vip"),
    mark = record.mark,
)

fun Territory.card(id: String): ClientCard {
    val record = replica.get("account", id)
    val of = "account = ${quoted(record.id)}"
    val people = list(Query("contact", of, listOf(Sort("last_name")), PEOPLE_MAX)).map(::person)
    val events = list(Query("activity", "$of and (done_at is not empty or kind = note)", listOf(Sort("done_at", descending = true)), EVENTS_MAX))
    val (percent, missing) = completeness(record, people)
    return ClientCard(
        client = client(record),
        notes = record.text("notes"),
        people = people,
        deals = list(Query("opportunity", "$of and $OPEN", NEWEST, DEALS_MAX)).map(::deal),
        timeline = events.map(::event),
        filledPercent = percent,
        missing = missing,
    )
}

private fun event(record: Record) = Event(
    id = record.id,
    kind = Kind.of(record.stored("kind")),
    title = record.text("subject"),
    at = record.at("done_at") ?: Instant.ofEpochMilli(record.created.atMs),
    outcome = record.text("outcome"),
    notes = record.text("notes"),
    photo = record.photo("photo"),
    mark = record.mark,
)

private fun person(record: Record) = Person(
    id = record.id,
    name = listOf(record.text("first_name"), record.text("last_name")).filter(String::isNotEmpty).joinToString(" ").ifEmpty { record.title },
    title = record.text("job_title"),
    phones = record.items("phones"),
    emails = record.items("emails"),
    birthday = record.date("birthday"),
    doNotCall = record.yes("do_not_call"),
    client = record.reference("account"),
)

// What one needs to sell and deliver; each counts the same.
private fun Territory.completeness(record: Record, people: List<Person>): Pair<Int, List<String>> {
    val schema = collection("account")
    val missing = NEEDED.filter { record.value(it) == Value.Empty }.map { name -> label(schema.fields.first { it.name == name }.labels) }
    val all = missing + listOfNotNull(label(collection("contact").labels).takeIf { people.isEmpty() })
    val parts = NEEDED.size + 1
    return (parts - all.size) * 100 / parts to all
}

/** The bytes of a photo, if it is on this phone. */
fun Territory.photo(photo: Photo): ByteArray? =
    if (replica.attachment(photo.hash).here) replica.readAttachment(photo.hash) else null

/** Asks for a photo; it comes with the exchange. */
fun Territory.fetchPhoto(photo: Photo) = replica.want(photo.hash)

/** Who has this number, and what there is to talk about. */
fun Territory.caller(number: String, now: Instant): Caller {
    val digits = number.filter(Char::isDigit)
    val person = byNumber("contact", digits)?.let(::person)
    val client = person?.client?.let { account(it) } ?: byNumber("account", digits)
    val of = client?.let { "account = ${quoted(it.id)}" } ?: return Caller(number, person, null, null, null, null)
    val late = list(Query("activity", "$of and done_at is empty and due_at < ${quoted(now.toString())}", listOf(Sort("due_at")), 1u))
    val last = list(Query("activity", "$of and done_at is not empty", listOf(Sort("done_at", descending = true)), 1u)).firstOrNull()
    return Caller(
        number = number,
        person = person?.let { known -> known.copy(birthday = known.birthday?.takeIf { soon(it, now) }) },
        client = client(client),
        overdue = late.firstOrNull()?.let(::task),
        deal = list(Query("opportunity", "$of and $OPEN", NEWEST, 1u)).firstOrNull()?.let(::deal),
        silentDays = last?.at("done_at")?.let { Duration.between(it, now).toDays().toInt() },
    )
}

// People write numbers in many ways; the last digits are the same in all of them.
private fun Territory.byNumber(collection: String, digits: String): Record? {
    if (digits.length < NUMBER_MIN) return null
    val like = list(Query(collection, "phones ~ ${quoted(digits.takeLast(NUMBER_TAIL))}", limit = NUMBERS_MAX))
    return like.find { record -> record.items("phones").any { same(it.filter(Char::isDigit), digits) } }
}

private fun same(one: String, other: String) = one.takeLast(NUMBER_MIN) == other.takeLast(NUMBER_MIN)

private fun soon(birthday: LocalDate, now: Instant): Boolean {
    val today = now.atZone(ZoneId.systemDefault()).toLocalDate()
    val next = birthday.withYear(today.year).let { if (it < today) it.plusYears(1) else it }
    return ChronoUnit.DAYS.between(today, next) <= BIRTHDAY_DAYS
}

/** Open deals; the filter of all lists of them. */
internal const val OPEN = "(stage != won and stage != lost or stage is empty)"
internal val NEWEST = listOf(Sort("updated_at", descending = true))
private val NEEDED = listOf("phones", "emails", "city", "address", "industry", "tax_id", "location")
private val NEARBY_MAX = 5_000u
private val DEALS_MAX = 1_000u
private val PEOPLE_MAX = 50u
private val EVENTS_MAX = 40u
private val NUMBERS_MAX = 50u
private const val DIGITS_MIN = 4
private const val NUMBER_MIN = 7
private const val NUMBER_TAIL = 4
private const val BIRTHDAY_DAYS = 7L
