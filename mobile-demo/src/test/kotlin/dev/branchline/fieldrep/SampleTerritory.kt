package dev.branchline.fieldrep

import dev.branchline.fieldrep.engine.Territory
import java.io.File
import java.time.Instant
import java.time.LocalDate
import kotlinx.coroutines.flow.*

class SampleTerritory : Territory {
    val st = listOf("new" to "Новая", "qualified" to "Квалификация", "proposal" to "Предложение", "negotiation" to "Переговоры", "won" to "Выиграна", "lost" to "Проиграна").map { Stage(it.first, it.second) }
    override val changes = MutableSharedFlow<Unit>()
    override val line = MutableStateFlow(LineState(LineState.Phase.IDLE, 0, 0, 0, Instant.parse("2026-11-27T08:20:00Z"), null, 3, 0, 0))
    override fun myName() = "Олена Коваль"
    override fun stages() = st
    val now = Instant.parse("2026-11-27T08:40:00Z")
    val cs = listOf(
        Client("c1", "Аптека «Зоря»", "Київ", "вул. Хрещатик, 22", Place(50.4474, 30.5226), listOf("+380442781122"), listOf("zorya@example.ua"), true, Mark.NONE),
        Client("c2", "Кав’ярня «Львівська»", "Київ", "вул. Ярославів Вал, 13", Place(50.4519, 30.5101), listOf("+380671112233"), listOf(), false, Mark.WAITING),
        Client("c3", "Bright Hardware Supply", "Kyiv", "14 Podilska Street", Place(50.4663, 30.5156), listOf(), listOf("info@bright.example"), false, Mark.NONE),
        Client("c4", "Магазин «Продукты 24»", "Бровари", "", Place(50.511, 30.79), listOf(), listOf(), false, Mark.CONFLICT),
        Client("c5", "Ресторан «Старе місто»", "Київ", "Андріївський узвіз, 8", Place(50.4602, 30.517), listOf("+380501234567"), listOf(), true, Mark.NONE),
    )
    fun t(id: String, k: Kind, s: String, c: Int, at: String, m: Mark = Mark.NONE, done: String? = null, o: String = "") =
        Task(id, k, s, cs[c].id, cs[c].name, cs[c].place, Instant.parse(at), null, done?.let(Instant::parse), o, m)
    override fun openTasks(until: Instant, limit: Int) = listOf(
        t("t1", Kind.CALL, "Перезвонить по договору", 3, "2026-11-26T09:00:00Z"),
        t("t2", Kind.VISIT, "Обсудить полку и новый заказ", 0, "2026-11-27T09:00:00Z", Mark.WAITING),
        t("t3", Kind.VISIT, "Autumn promotion", 2, "2026-11-27T10:30:00Z"),
        t("t4", Kind.CALL, "Уточнить поставку", 1, "2026-11-27T11:00:00Z"),
        t("t5", Kind.VISIT, "Показать новинки", 4, "2026-11-27T13:00:00Z"),
        t("t6", Kind.MEETING, "Договор на 2027", 0, "2026-12-01T13:00:00Z"),
    )
    override fun doneTasks(from: Instant) = listOf(t("t7", Kind.VISIT, "Визит", 1, "2026-11-27T07:00:00Z", Mark.WAITING, "2026-11-27T07:40:00Z", "agreed"))
    override fun task(id: String) = openTasks(now, 9).first { it.id == id }
    override fun complete(id: String, outcome: Outcome, nextSubject: String, now: Instant) {}
    override fun plan(client: String, kind: Kind, subject: String, due: Instant) = "x"
    override fun noteCall(caller: Caller, subject: String, now: Instant) = "x"
    override fun reminders(after: Instant, limit: Int) = listOf<Task>()
    override fun clients(search: String, filter: ClientFilter, near: Place?, limit: Int) = cs.filter { search.lowercase() in it.name.lowercase() }
    override fun clientCount() = 1204L
    override fun card(id: String) = ClientCard(cs[0], "Заказ по вторникам. Витрина у входа наша.", listOf(
        Person("p1", "Ірина Мельник", "Закупки", listOf("+380671234567"), listOf("i@zorya.ua"), null, false, "c1"),
        Person("p2", "Petro Bondar", "Owner", listOf("+380671234568"), listOf(), null, true, "c1")),
        st.take(2).map { deal("d1").copy(stage = it) }, listOf(
            Event("e1", Kind.VISIT, "Визит: Аптека «Зоря»", now.minusSeconds(90000), "agreed", "Договорились о полке у кассы. Ждут прайс на зиму.", null, Mark.WAITING),
            Event("e2", Kind.CALL, "Звонок", now.minusSeconds(900000), "call_back", "", null, Mark.NONE)), 60, listOf("Почта", "ИНН"))
    override fun deals(stage: Stage) = StageDeals(stage, if (stage.value == "proposal") listOf() else listOf(deal("d1").copy(stage = stage), deal("d2").copy(stage = stage, name = "Winter assortment", mark = Mark.NONE, nextStep = "")), listOf(Money("125000", "UAH")))
    override fun deal(id: String) = Deal(id, "Зимний ассортимент", "c1", "Аптека «Зоря»", st[1], Money("64500.00", "UAH"), "Отправить прайс до пятницы", LocalDate.parse("2026-12-15"), "", listOf(), Mark.WAITING)
    override fun editDeal(id: String, amount: String?, nextStep: String?, stage: Stage?) {}
    override fun closeDeal(id: String, won: Boolean, reason: String, now: Instant) {}
    override fun form(collection: String, record: String?) = listOf(
        FormField("name", "Название", FormField.Type.TEXT, true, listOf(), "Аптека «Зоря»"),
        FormField("phones", "Телефоны", FormField.Type.PHONES, false, listOf(), "+380442781122"),
        FormField("city", "Город", FormField.Type.TEXT, false, listOf(), "Київ"),
        FormField("industry", "Отрасль", FormField.Type.CHOICE, false, listOf(Stage("medical", "Медицина")), "medical"),
        FormField("vip", "VIP", FormField.Type.YES_NO, false, listOf(), "yes"),
        FormField("left_on", "Ушёл", FormField.Type.DATE, false, listOf(), ""),
        FormField("notes", "Заметки", FormField.Type.LONG_TEXT, false, listOf(), ""))
    override fun save(collection: String, record: String?, values: Map<String, String>) = "x"
    override fun checkIn(client: String, task: String?, subject: String, place: Place?, now: Instant) = "v"
    override fun visit(id: String) = Visit("v", "c1", "Аптека «Зоря»", cs[0].place, now.minusSeconds(600), Place(50.4478, 30.523), "Полка у кассы свободна.", null, "d", listOf(
        OrderLine("1", "p", "Крем для рук, 75 мл", "12", Money("89.50", "UAH")), OrderLine("2", "p2", "Шампунь 400 мл", "6", Money("145", "UAH"))))
    override fun saveNote(visit: String, note: String) {}
    override fun savePhoto(visit: String, file: File) {}
    override fun order(visit: String, product: Product, change: Int, name: String, now: Instant) {}
    override fun products(search: String, client: String, limit: Int) = listOf(Product("p", "Крем для рук, 75 мл", "CR-75", "шт", Money("89.50", "UAH")), Product("p2", "Шампунь 400 мл", "SH-400", "шт", null))
    override fun photo(photo: Photo): File? = null
    override fun fetchPhoto(photo: Photo) {}
    override fun waiting(limit: Int) = listOf(Entry("account", "c2", "Кав’ярня «Львівська»", "Клиенты", ""), Entry("activity", "t2", "Обсудить полку и новый заказ", "Дела", ""))
    override fun refused() = listOf(Entry("opportunity", "d1", "Зимний ассортимент", "Сделки", "Роль «seller» не может менять чужие сделки."))
    override fun conflicts() = listOf(Clash("opportunity", "d1", "Зимний ассортимент", "stage", "Этап", listOf(
        Version(0, "Переговоры", "Олена Коваль", "phone", now.minusSeconds(3000), true), Version(1, "Проиграна", "Head office", "hub", now.minusSeconds(5000), false))))
    override fun conflicts(collection: String, id: String) = conflicts()
    override fun keep(clash: Clash, version: Version) {}
    override fun retryRefused() {}
    override fun exportRefused(file: File) = 1L
    override fun caller(number: String) = Caller(number, card("").people[0], cs[0], openTasks(now, 9)[0], deal("d"), 34)
    override fun exchange() {}
    override fun stopExchange() {}
    override fun runOnce(seconds: Int) = false
    override fun handOver(seconds: Int) = 2
    override fun hints(metered: Boolean, lowBattery: Boolean) {}
    override fun close() {}
}
