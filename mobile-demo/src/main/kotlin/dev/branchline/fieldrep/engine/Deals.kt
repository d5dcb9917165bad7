package dev.branchline.fieldrep.engine

import dev.branchline.Edit
import dev.branchline.Query
import dev.branchline.Record
import dev.branchline.Value
import dev.branchline.fieldrep.Deal
import dev.branchline.fieldrep.Money
import dev.branchline.fieldrep.OrderLine
import dev.branchline.fieldrep.Stage
import dev.branchline.fieldrep.StageDeals
import dev.branchline.text
import dev.branchline.value
import java.math.BigDecimal
import java.time.Instant
import java.time.ZoneId

// Deals and their stages.

/** The stages in the order of the schema. */
fun Territory.stages(): List<Stage> =
    collection("opportunity").fields.first { it.name == "stage" }.choices.map { Stage(it.value, label(it.labels)) }

fun Territory.deals(stage: Stage): StageDeals {
    val deals = list(Query("opportunity", "stage = ${quoted(stage.value)}", NEWEST, COLUMN_MAX)).map(::deal)
    return StageDeals(stage, deals, sums(deals.mapNotNull { it.amount }))
}

/** Sums by currency. */
fun sums(amounts: List<Money>): List<Money> = amounts.groupBy { it.currency }.map { (currency, part) ->
    Money(part.fold(BigDecimal.ZERO) { all, one -> all + BigDecimal(one.amount) }.toPlainString(), currency)
}

fun Territory.deal(id: String): Deal = deal(replica.get("opportunity", id))

internal fun deal(record: Record) = Deal(
    id = record.id,
    name = record.text("name"),
    client = record.referred("account")?.first,
    clientName = record.referred("account")?.second.orEmpty(),
    stage = Stage(record.stored("stage"), record.text("stage")),
    amount = record.money("amount"),
    nextStep = record.text("next_step"),
    expected = record.date("expected_on"),
    lostReason = record.text("lost_reason"),
    lines = lines(record),
    mark = record.mark,
)

internal fun lines(record: Record): List<OrderLine> =
    (record.value("lines") as? Value.Lines)?.lines.orEmpty().map { line ->
        val product = line.cells["product"] as? Value.Reference
        OrderLine(
            id = line.id,
            product = product?.id,
            name = product?.label ?: (line.cells["description"] as? Value.Text)?.text.orEmpty(),
            quantity = (line.cells["quantity"] as? Value.Decimal)?.number.orEmpty(),
            price = money(line.cells["unit_price"]),
        )
    }

/** Changes what was typed; what is null stays. */
fun Territory.editDeal(id: String, amount: String?, nextStep: String?, stage: Stage?) {
    val edits = listOfNotNull(
        amount?.let { Edit.Set("amount", typed(it)) },
        nextStep?.let { Edit.Set("next_step", textValue(it)) },
        stage?.let { Edit.Set("stage", Value.Text(it.value)) },
    )
    if (edits.isNotEmpty()) replica.edit("opportunity", id, edits)
}

fun Territory.closeDeal(id: String, won: Boolean, reason: String, now: Instant) {
    val day = now.atZone(ZoneId.systemDefault()).toLocalDate()
    replica.edit(
        "opportunity",
        id,
        listOf(
            Edit.Set("stage", Value.Text(if (won) Stage.WON else Stage.LOST)),
            Edit.Set("closed_on", Value.Date(day.toString())),
            Edit.Set("lost_reason", textValue(reason)),
        ),
    )
}

private val COLUMN_MAX = 200u
