package dev.branchline.fieldrep.engine

import dev.branchline.Edit
import dev.branchline.Query
import dev.branchline.Record
import dev.branchline.Sort
import dev.branchline.Value
import dev.branchline.Write
import dev.branchline.fieldrep.Kind
import dev.branchline.fieldrep.Money
import dev.branchline.fieldrep.OrderLine
import dev.branchline.fieldrep.Place
import dev.branchline.fieldrep.Product
import dev.branchline.fieldrep.Visit
import dev.branchline.fieldrep.total
import dev.branchline.reference
import dev.branchline.text
import dev.branchline.value
import java.io.File
import java.math.BigDecimal
import java.time.Instant
import java.time.LocalDate
import java.time.ZoneId

// Visits, and the orders that are taken on them.

/** Begins a visit: the planned activity if there is one, else a new one. */
fun Territory.checkIn(client: String, task: String?, subject: String, place: Place?, now: Instant): String {
    val values = listOfNotNull(
        "kind" to Value.Text(Kind.VISIT.value),
        "starts_at" to instantValue(now),
        place?.let { "location" to Value.Location(it.latitude, it.longitude) },
    ).toMap()
    if (task != null && replica.get("activity", task).at("done_at") == null) {
        replica.edit("activity", task, values.map { (field, value) -> Edit.Set(field, value) })
        return task
    }
    return replica.create("activity", values + mapOf("subject" to textValue(subject), "account" to Value.Reference(client)))
}

fun Territory.visit(id: String): Visit {
    val record = replica.get("activity", id)
    val client = record.referred("account")
    val order = record.reference("opportunity")
    return Visit(
        id = record.id,
        client = client?.first.orEmpty(),
        clientName = client?.second.orEmpty(),
        clientPlace = client?.let { runCatching { replica.get("account", it.first) }.getOrNull()?.place("location") },
        since = record.at("starts_at") ?: Instant.ofEpochMilli(record.created.atMs),
        place = record.place("location"),
        note = record.text("notes"),
        photo = record.photo("photo"),
        order = order,
        lines = order?.let { lines(replica.get("opportunity", it)) }.orEmpty(),
    )
}

fun Territory.saveNote(visit: String, note: String) =
    replica.edit("activity", visit, listOf(Edit.Set("notes", textValue(note))))

fun Territory.savePhoto(visit: String, file: File) {
    replica.attachTo("activity", visit, "photo", file.path, "image/jpeg", null)
}

/**
 * Orders more or less of a product. The order is a deal of the visit, made with its first line; a product has one line, so
 * that two who order it at once change one quantity. The deal's amount follows its lines.
 */
fun Territory.order(visit: String, product: Product, change: Int, name: String, now: Instant) {
    val activity = replica.get("activity", visit)
    val order = activity.reference("opportunity")?.let { replica.get("opportunity", it) }
    val lines = order?.let(::lines).orEmpty()
    val before = lines.find { it.id == product.id }?.quantity?.toBigDecimalOrNull() ?: BigDecimal.ZERO
    val quantity = before + BigDecimal(change)
    val after = lines.filter { it.id != product.id } +
        if (quantity.signum() > 0) listOf(OrderLine(product.id, product.id, product.name, quantity.toPlainString(), product.price)) else emptyList()
    val amount = total(after).singleOrNull()?.let { Value.Money(it.amount, it.currency) } ?: Value.Empty
    if (order == null) begin(activity, product, quantity, name, amount, now) else change(order, product, quantity, amount)
}

private fun Territory.begin(activity: Record, product: Product, quantity: BigDecimal, name: String, amount: Value, now: Instant) {
    val today = now.atZone(ZoneId.systemDefault()).toLocalDate()
    val line = dev.branchline.Line(product.id, cells(product, quantity))
    val deal = Write.Create(
        "opportunity",
        mapOf(
            "name" to textValue(name),
            "account" to activity.value("account"),
            "stage" to Value.Text("proposal"),
            "opened_on" to Value.Date(today.toString()),
            "amount" to amount,
            "lines" to Value.Lines(listOf(line)),
        ),
        emptyList(),
    )
    replica.transact(listOf(deal, Write.Edit("activity", activity.id, listOf(Edit.Set("opportunity", Value.Created(0u))))))
}

private fun Territory.change(order: Record, product: Product, quantity: BigDecimal, amount: Value) {
    val line = if (quantity.signum() > 0) {
        cells(product, quantity).map { (column, value) -> Edit.SetCell("lines", product.id, column, value) }
    } else {
        listOf(Edit.RemoveLine("lines", product.id))
    }
    replica.edit("opportunity", order.id, line + Edit.Set("amount", amount))
}

private fun cells(product: Product, quantity: BigDecimal): Map<String, Value> = listOfNotNull(
    "product" to Value.Reference(product.id),
    "quantity" to Value.Decimal(quantity.toPlainString()),
    product.price?.let { "unit_price" to Value.Money(it.amount, it.currency) },
).toMap()

/** Products on sale, at the prices of one client. */
fun Territory.products(search: String, client: String, limit: Int): List<Product> {
    val found = if (search.isEmpty()) {
        list(Query("product", sort = listOf(Sort("name")), limit = limit.toUInt()))
    } else {
        replica.search(search, limit.toUInt()).filter { it.collection == "product" }.map { replica.get("product", it.record) }
    }
    val prices = prices(client)
    return found.filter { it.value("active") != Value.Boolean(false) }.map { record ->
        Product(record.id, record.text("name"), record.text("sku"), record.text("unit"), prices[record.id] ?: record.money("list_price"))
    }
}

// The prices of the client's own list that hold today and from one piece on.
private fun Territory.prices(client: String): Map<String, Money> {
    if (client.isEmpty()) return emptyMap()
    val terms = list(Query("account_branch", "account = ${quoted(client)} and price_list is not empty", limit = 1u))
    val priceList = terms.firstOrNull()?.reference("price_list") ?: return emptyMap()
    val today = LocalDate.now()
    return list(Query("price_entry", "price_list = ${quoted(priceList)}", limit = PRICES_MAX))
        .filter { entry ->
            val from = (entry.value("quantity_min") as? Value.Decimal)?.number?.toBigDecimalOrNull() ?: BigDecimal.ONE
            from <= BigDecimal.ONE && entry.date("valid_from")?.let { it <= today } != false && entry.date("valid_to")?.let { it >= today } != false
        }
        .mapNotNull { entry -> entry.reference("product")?.let { product -> entry.money("price")?.let { product to it } } }
        .toMap()
}

private val PRICES_MAX = 5_000u
