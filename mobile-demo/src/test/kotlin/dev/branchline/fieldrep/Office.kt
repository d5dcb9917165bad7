package dev.branchline.fieldrep

/** What head office has in its books before a rep's day: a small territory that people would know again. */
class Office(val hub: Hub) {
    private fun client(vararg values: String) = hub.create("account", *values)

    val pharmacy = client(
        "name=Аптека «Зоря»", "city=Київ", "address=вул. Хрещатик, 22", "location=50.4474,30.5226",
        "phones=+380442781122", "emails=zorya@example.ua", "vip=yes", "industry=medical",
        "notes=Заказ по вторникам. Витрина у входа наша.",
    )
    val coffee = client("name=Кав’ярня «Львівська»", "city=Київ", "address=вул. Ярославів Вал, 13", "location=50.4519,30.5101", "phones=+380671112233")
    val hardware = client("name=Bright Hardware Supply", "city=Kyiv", "address=14 Podilska Street", "location=50.4663,30.4986", "emails=info@bright.example")
    val shop = client("name=Магазин «Продукты 24»", "city=Бровари", "location=50.5110,30.7900")
    val restaurant = client("name=Ресторан «Старе місто»", "city=Київ", "address=Андріївський узвіз, 8", "location=50.4602,30.5370", "phones=+380501234567", "vip=yes")

    val buyer = hub.create(
        "contact", "first_name=Ірина", "last_name=Мельник", "job_title=Закупівлі", "account=$pharmacy",
        "phones=+380671234567", "emails=iryna@zorya.example", "birthday=1985-11-30", OWNER,
    )
    val silent = hub.create("contact", "first_name=Petro", "last_name=Bondar", "account=$pharmacy", "phones=+380671234568", "do_not_call=yes", OWNER)

    private val priceList = hub.create("price_list", "code=vip", "name=VIP", "currency=UAH")
    val cream = hub.create("product", "sku=CR-75", "name=Крем для рук, 75 мл", "unit=шт", "list_price=89.50 UAH")
    val shampoo = hub.create("product", "sku=SH-400", "name=Шампунь, 400 мл", "unit=шт", "list_price=145 UAH")

    init {
        hub.create("product", "sku=OLD-1", "name=Крем снятый с продажи", "active=no")
        hub.create(
            "quota", "name=Ноябрь: крем", "metric=stock", "product=$cream", "person=${Hub.REP}", "count=10", "starts_on=2026-11-01",
            "ends_on=2026-11-30", OWNER,
        )
        hub.create("price_entry", "price_list=$priceList", "product=$cream", "price=80 UAH")
        hub.create("account_branch", "account=$pharmacy", "price_list=$priceList", OWNER)
    }

    val winter = deal("Зимний ассортимент", pharmacy, "negotiation", "64500", "next_step=Отправить прайс до пятницы", "expected_on=2026-12-15")
    val shelf = deal("Полка у кассы", pharmacy, "qualified", "12000")
    val terrace = deal("Terrace heaters", hardware, "new", "98000", "next_step=Measure the terrace")
    val menu = deal("Новое меню", restaurant, "new", "31500", "expected_on=2026-12-20")

    private fun deal(name: String, client: String, stage: String, amount: String, vararg more: String) =
        hub.create("opportunity", "name=$name", "account=$client", "stage=$stage", "amount=$amount UAH", OWNER, *more)

    val late = task("call", "Перезвонить по договору", shop, "2026-11-26T09:00:00Z")
    val first = task("visit", "Обсудить полку и новый заказ", pharmacy, "2026-11-27T09:00:00Z")
    val second = task("visit", "Autumn promotion", hardware, "2026-11-27T10:30:00Z")
    val third = task("call", "Уточнить поставку", coffee, "2026-11-27T11:00:00Z")
    val fourth = task("visit", "Показать новинки", restaurant, "2026-11-27T13:00:00Z")
    val coming = task("meeting", "Договор на 2027", pharmacy, "2026-12-01T13:00:00Z")

    private fun task(kind: String, subject: String, client: String, due: String) =
        hub.create("activity", "kind=$kind", "subject=$subject", "account=$client", "due_at=$due", OWNER)

    init {
        hub.create(
            "activity", "kind=visit", "subject=Визит", "account=$pharmacy", "starts_at=2026-10-20T08:00:00Z", "done_at=2026-10-20T08:40:00Z",
            "outcome=thinking", "notes=Ждут прайс на зиму.", OWNER,
        )
    }

    private companion object {
        const val OWNER = "owner=${Hub.REP}"
    }
}
