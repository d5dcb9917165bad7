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
import dev.branchline.fieldrep.Stock
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

/** Begins a visit: the planned activity if there is one, else a new one. Its place follows once it is measured. */
fun Territory.checkIn(client: String, task: String?, subject: String, now: Instant): String {
    val values = mapOf("kind" to Value.Text(Kind.VISIT.value), "starts_at" to instantValue(now))
    if (task != null && replica.get("activity", task).at("done_at") == null) {
        replica.edit("activity", task, values.map { (field, value) -> Edit.Set(field, value) })
        return task
    }
    return replica.create("activity", values + mapOf("subject" to textValue(subject), "account" to Value.Reference(client)))
}

fun Territory.savePlace(visit: String, place: Place) =
    replica.edit("activity", visit, listOf(Edit.Set("location", Value.Location(place.latitude, place.longitude))))

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

/** Takes a photo in; its file, which nothing encrypts, goes. */
fun Territory.savePhoto(visit: String, file: File) {
    replica.attachTo("activity", visit, "photo", file.path, "image/jpeg", null)
    file.delete()
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
fun Territory.products(search: String, client: String, today: LocalDate, limit: Int): List<Product> {
    val found = if (search.isEmpty()) {
        list(Query("product", sort = listOf(Sort("name")), limit = limit.toUInt()))
    } else {
        replica.search(search, limit.toUInt()).filter { it.collection == "product" }.map { replica.get("product", it.record) }
    }
    val prices = prices(client, today)
    val stock = stock(today)
    return found.filter { it.value("active") != Value.Boolean(false) }.map { record ->
        val price = prices[record.id] ?: record.money("list_price")
        Product(record.id, record.text("name"), record.text("sku"), record.text("unit"), price, stock[record.id])
    }
}

/**
 * What is left of the stock that head office has allotted to this person, by product: the plans of stock that hold today, less
 * what the person's orders of the same time have taken. Nobody else's orders count against it, so it is known without a line.
 */
fun Territory.stock(today: LocalDate): Map<String, Stock> {
    val shares = list(Query("quota", "metric = \"stock\" and person = ${quoted(me.id)}", limit = SHARES_MAX)).filter { share ->
        share.date("starts_on")?.let { it <= today } != false && share.date("ends_on")?.let { it >= today } != false
    }
    if (shares.isEmpty()) return emptyMap()
    val first = shares.minOf(::since)
    val orders = list(Query("opportunity", "owner = ${quoted(me.id)} and stage != \"lost\" and opened_on >= $first", limit = ORDERS_MAX))
    return shares.groupBy { it.reference("product") }.mapNotNull { (product, shares) ->
        val allotted = shares.sumOf { (it.value("count") as? Value.Integer)?.number ?: 0L }.toBigDecimal()
        val since = shares.minOf(::since)
        val taken = orders.filter { order -> order.date("opened_on")?.let { it >= since } == true }
            .flatMap(::lines).filter { it.product == product }.mapNotNull { it.quantity.toBigDecimalOrNull() }
        product?.let { it to Stock(allotted, allotted - taken.fold(BigDecimal.ZERO, BigDecimal::add)) }
    }.toMap()
}

private fun since(share: Record): LocalDate = share.date("starts_on") ?: LocalDate.ofEpochDay(0)

// The prices of the client's own list that hold today and from one piece on.
private fun Territory.prices(client: String, today: LocalDate): Map<String, Money> {
    if (client.isEmpty()) return emptyMap()
    val terms = list(Query("account_branch", "account = ${quoted(client)} and price_list is not empty", limit = 1u))
    val priceList = terms.firstOrNull()?.reference("price_list") ?: return emptyMap()
    return list(Query("price_entry", "price_list = ${quoted(priceList)}", limit = PRICES_MAX))
        .filter { entry ->
            val from = (entry.value("quantity_min") as? Value.Decimal)?.number?.toBigDecimalOrNull() ?: BigDecimal.ONE
            from <= BigDecimal.ONE && entry.date("valid_from")?.let { it <= today } != false && entry.date("valid_to")?.let { it >= today } != false
        }
        .mapNotNull { entry -> entry.reference("product")?.let { product -> entry.money("price")?.let { product to it } } }
        .toMap()
}

private val PRICES_MAX = 5_000u
private val SHARES_MAX = 1_000u
private val ORDERS_MAX = 5_000u
