package dev.branchline.fieldrep

import dev.branchline.Value
import java.math.BigDecimal
import java.time.Instant
import java.time.LocalDate
import kotlin.math.asin
import kotlin.math.cos
import kotlin.math.sin
import kotlin.math.sqrt

/** A place on earth, in degrees. */
data class Place(val latitude: Double, val longitude: Double) {
    /** The way along a great circle. */
    fun metresTo(other: Place): Double {
        val north = Math.toRadians(other.latitude - latitude)
        val east = Math.toRadians(other.longitude - longitude)
        val half = sin(north / 2).let { it * it } +
            cos(Math.toRadians(latitude)) * cos(Math.toRadians(other.latitude)) * sin(east / 2).let { it * it }
        return 2 * EARTH_METRES * asin(sqrt(half))
    }

    private companion object {
        const val EARTH_METRES = 6_371_000.0
    }
}

/** What a record is marked with. */
enum class Mark { NONE, WAITING, REFUSED, CONFLICT }

/** The kinds of an activity, as the schema has them. */
enum class Kind(val value: String) {
    CALL("call"), MEETING("meeting"), TASK("task"), VISIT("visit"), EMAIL("email"), NOTE("note");

    companion object {
        fun of(value: String?): Kind = entries.find { it.value == value } ?: TASK
    }
}

/** How a contact went, and after how many days the next one is due. */
enum class Outcome(val value: String, val nextDays: Int) {
    AGREED("agreed", 14), THINKING("thinking", 7), CALL_BACK("call_back", 2), NOBODY("nobody", 1), NOT_INTERESTED("not_interested", 90);

    /** What the next contact is: one calls where one was asked to or met nobody, else one goes there again. */
    fun nextKind(now: Kind): Kind = if (this == CALL_BACK || now == Kind.CALL) Kind.CALL else Kind.VISIT

    companion object {
        fun of(value: String?): Outcome? = entries.find { it.value == value }
    }
}

/** A planned or done activity. */
data class Task(
    val id: String,
    val kind: Kind,
    val subject: String,
    val client: String?,
    val clientName: String,
    val clientPlace: Place?,
    val due: Instant?,
    val remind: Instant?,
    val done: Instant?,
    val outcome: String,
    val mark: Mark,
) {
    val remindAt: Instant? get() = remind ?: due
}

/** A person's day, and what comes after it. */
data class Day(val late: List<Task>, val planned: List<Task>, val coming: List<Task>, val done: List<Task>)

/** A client in a list. */
data class Client(
    val id: String,
    val name: String,
    val city: String,
    val address: String,
    val place: Place?,
    val phones: List<String>,
    val emails: List<String>,
    val vip: Boolean,
    val mark: Mark,
)

/** Which clients to list. */
enum class ClientFilter { ALL, NEARBY, DEALS, VIP, WAITING }

/** A contact person. */
data class Person(
    val id: String,
    val name: String,
    val title: String,
    val phones: List<String>,
    val emails: List<String>,
    val birthday: LocalDate?,
    val doNotCall: Boolean,
    val client: String?,
)

/** A stage of deals, with its words in the phone's language. */
data class Stage(val value: String, val label: String) {
    val open: Boolean get() = value != WON && value != LOST

    companion object {
        const val WON = "won"
        const val LOST = "lost"
    }
}

/** A sum of money as the engine writes it: exact amount and currency. */
data class Money(val amount: String, val currency: String)

/** A deal. */
data class Deal(
    val id: String,
    val name: String,
    val client: String?,
    val clientName: String,
    val stage: Stage,
    val amount: Money?,
    val nextStep: String,
    val expected: LocalDate?,
    val lostReason: String,
    val lines: List<OrderLine>,
    val mark: Mark,
)

/** The deals of one stage. */
data class StageDeals(val stage: Stage, val deals: List<Deal>, val total: List<Money>)

/** An event in a client's timeline. */
data class Event(val id: String, val kind: Kind, val title: String, val at: Instant?, val outcome: String, val notes: String, val photo: Photo?, val mark: Mark)

/** An attached picture. */
data class Photo(val hash: String, val name: String, val at: Instant?)

/** All that the card of a client shows. */
data class ClientCard(
    val client: Client,
    val notes: String,
    val people: List<Person>,
    val deals: List<Deal>,
    val timeline: List<Event>,
    val filledPercent: Int,
    val missing: List<String>,
)

/** What can be ordered, at the price for one client, and the person's share of its stock where there is one. */
data class Product(val id: String, val name: String, val sku: String, val unit: String, val price: Money?, val stock: Stock? = null)

/** What head office has allotted to this person of a product, and what is left of it after all orders. */
data class Stock(val allotted: BigDecimal, val left: BigDecimal) {
    val over: Boolean get() = left.signum() < 0
}

/** A line of an order. */
data class OrderLine(val id: String, val product: String?, val name: String, val quantity: String, val price: Money?)

/** A visit that is going on. */
data class Visit(
    val id: String,
    val client: String,
    val clientName: String,
    val clientPlace: Place?,
    val since: Instant,
    val place: Place?,
    val note: String,
    val photo: Photo?,
    val order: String?,
    val lines: List<OrderLine>,
)

/** A record that stands in one of the lists of the line's page. */
data class Entry(val collection: String, val id: String, val title: String, val kind: String, val reason: String)

/** A field of which there are several versions. */
data class Clash(val collection: String, val id: String, val title: String, val field: String, val label: String, val versions: List<Version>)

/** One version: the engine's value and its words, and who wrote it. */
data class Version(val value: Value, val text: String, val by: String, val device: String, val at: Instant, val shown: Boolean)

/** Where the exchange with head office stands. */
data class LineState(
    val phase: Phase,
    val done: Long,
    val total: Long,
    val waitSeconds: Long,
    val lastSuccess: Instant?,
    val trouble: Trouble?,
    val waiting: Int,
    val refused: Int,
    val conflicts: Int,
) {
    enum class Phase { IDLE, CONNECTING, FETCHING, EXCHANGING, WAITING, REVOKED }
}

/** What went wrong, and what to do about it; the engine's own words. */
data class Trouble(val what: String, val advice: String, val retryable: Boolean, val code: String)

/** A field of a form. */
data class FormField(
    val name: String,
    val label: String,
    val type: Type,
    val required: Boolean,
    val choices: List<Stage>,
    /** As a person types it; records by their ids, several of them with semicolons between. */
    val value: String,
    /** The collection whose records are chosen from. */
    val target: String,
    /** The titles of the records that are chosen now, by their ids. */
    val titles: Map<String, String>,
) {
    enum class Type { TEXT, LONG_TEXT, NUMBER, MONEY, YES_NO, DATE, CHOICE, CHOICES, RECORD, RECORDS, SET, PHONES, EMAILS }
}

/** Who is on the phone, and what to talk about. */
data class Caller(
    val number: String,
    val person: Person?,
    val client: Client?,
    val overdue: Task?,
    val deal: Deal?,
    val silentDays: Int?,
)
