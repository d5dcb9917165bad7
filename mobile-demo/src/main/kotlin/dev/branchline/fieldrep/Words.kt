package dev.branchline.fieldrep

import android.content.Context
import android.text.format.DateFormat
import java.math.BigDecimal
import java.text.NumberFormat
import java.time.Duration
import java.time.Instant
import java.time.LocalDate
import java.time.ZoneId
import java.time.format.DateTimeFormatter
import java.util.Currency
import java.util.Locale

/** Moments, ways and sums in the words of the phone's language. */
class Words(private val context: Context) {
    private val resources = context.resources
    private val locale: Locale = resources.configuration.locales[0]
    private val zone: ZoneId get() = ZoneId.systemDefault()

    private fun pattern(skeleton: String) =
        DateTimeFormatter.ofPattern(DateFormat.getBestDateTimePattern(locale, skeleton), locale)

    fun time(at: Instant): String = pattern(if (DateFormat.is24HourFormat(context)) "Hm" else "hm").format(at.atZone(zone))

    fun day(day: LocalDate): String {
        val skeleton = if (day.year == LocalDate.now(zone).year) "dMMM" else "dMMMy"
        return pattern(skeleton).format(day)
    }

    fun longDay(day: LocalDate): String = pattern("EEEEdMMMM").format(day).replaceFirstChar { it.titlecase(locale) }

    fun shortDay(day: LocalDate): String = pattern("EEEd").format(day)

    /** The hour of today, else the day. */
    fun moment(at: Instant, now: Instant): String {
        val day = at.atZone(zone).toLocalDate()
        return if (day == now.atZone(zone).toLocalDate()) time(at) else day(day)
    }

    fun momentInFull(at: Instant, now: Instant): String {
        val day = at.atZone(zone).toLocalDate()
        return if (day == now.atZone(zone).toLocalDate()) time(at) else "${day(day)}, ${time(at)}"
    }

    fun distance(metres: Double): String = when {
        metres < 950 -> resources.getString(R.string.distance_m, number((metres / 10).toLong() * 10, 0))
        metres < 9_950 -> resources.getString(R.string.distance_km, number(metres / 1000, 1))
        else -> resources.getString(R.string.distance_km, number(metres / 1000, 0))
    }

    /** What is left of a share, or by how much it is exceeded. */
    fun stock(of: Stock): String {
        val left = number(of.left.abs(), QUANTITY_DIGITS)
        return resources.getString(if (of.over) R.string.visit_stock_over else R.string.visit_stock, left, number(of.allotted, QUANTITY_DIGITS))
    }

    fun duration(of: Duration): String {
        val seconds = of.seconds.coerceAtLeast(0)
        return String.format(locale, "%d:%02d", seconds / 60, seconds % 60)
    }

    fun count(value: Long): String = NumberFormat.getIntegerInstance(locale).format(value)

    fun percent(value: Int): String = NumberFormat.getPercentInstance(locale).format(value / 100.0)

    private fun number(value: Number, digits: Int): String =
        NumberFormat.getInstance(locale).apply { maximumFractionDigits = digits }.format(value)

    /** A sum without empty cents. */
    fun money(money: Money): String {
        val amount = money.amount.toBigDecimalOrNull() ?: return "${money.amount} ${money.currency}"
        val whole = amount.stripTrailingZeros().scale() <= 0
        val format = NumberFormat.getCurrencyInstance(locale)
        // A currency that this system does not know is shown by its code.
        runCatching { format.currency = Currency.getInstance(money.currency) }
            .onFailure { return "${number(amount, 2)} ${money.currency}" }
        val digits = if (whole) 0 else format.currency?.defaultFractionDigits ?: 2
        format.minimumFractionDigits = digits
        format.maximumFractionDigits = digits
        return format.format(amount)
    }

    fun sums(sums: List<Money>): String = sums.joinToString(" + ") { money(it) }

    fun kind(kind: Kind): String = resources.getString(
        when (kind) {
            Kind.CALL -> R.string.kind_call
            Kind.MEETING -> R.string.kind_meeting
            Kind.TASK -> R.string.kind_task
            Kind.VISIT -> R.string.kind_visit
            Kind.EMAIL -> R.string.kind_email
            Kind.NOTE -> R.string.kind_note
        },
    )

    /** A known outcome in words; anything else as somebody has typed it. */
    fun outcome(value: String): String = Outcome.of(value)?.let(::outcome) ?: value

    fun outcome(outcome: Outcome): String = resources.getString(
        when (outcome) {
            Outcome.AGREED -> R.string.outcome_agreed
            Outcome.THINKING -> R.string.outcome_thinking
            Outcome.CALL_BACK -> R.string.outcome_call_back
            Outcome.NOBODY -> R.string.outcome_nobody
            Outcome.NOT_INTERESTED -> R.string.outcome_not_interested
        },
    )

    fun mark(mark: Mark): String? = when (mark) {
        Mark.NONE -> null
        Mark.WAITING -> resources.getString(R.string.mark_waiting)
        Mark.REFUSED -> resources.getString(R.string.mark_refused)
        Mark.CONFLICT -> resources.getString(R.string.mark_conflict)
    }

    private companion object {
        const val QUANTITY_DIGITS = 3
    }
}

/** The sum of some lines, by currency. */
fun total(lines: List<OrderLine>): List<Money> = lines.filter { it.price != null }.groupBy { it.price!!.currency }
    .map { (currency, part) ->
        val sum = part.fold(BigDecimal.ZERO) { all, line ->
            all + BigDecimal(line.price!!.amount) * (line.quantity.toBigDecimalOrNull() ?: BigDecimal.ZERO)
        }
        Money(sum.toPlainString(), currency)
    }
