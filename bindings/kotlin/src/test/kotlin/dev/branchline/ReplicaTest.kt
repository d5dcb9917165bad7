package dev.branchline

import dev.branchline.crm.Account
import dev.branchline.crm.create
import dev.branchline.crm.list
import dev.branchline.crm.save
import kotlinx.coroutines.CoroutineStart
import kotlinx.coroutines.asCoroutineDispatcher
import kotlinx.coroutines.async
import kotlinx.coroutines.flow.first
import kotlinx.coroutines.flow.toList
import kotlinx.coroutines.launch
import kotlinx.coroutines.runBlocking
import kotlinx.coroutines.withTimeout
import org.junit.jupiter.api.AfterEach
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertInstanceOf
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.BeforeEach
import org.junit.jupiter.api.Test
import org.junit.jupiter.api.assertThrows
import org.junit.jupiter.api.io.TempDir
import java.io.File
import java.util.concurrent.CountDownLatch
import java.util.concurrent.Executors
import java.util.concurrent.atomic.AtomicInteger
import kotlin.time.Duration.Companion.seconds

class ReplicaTest {
    @TempDir
    lateinit var home: File
    private lateinit var hub: Hub

    @BeforeEach
    fun begin() {
        hub = Hub(File(home, "hub"))
        hub.command("create", "account", "name=Alpha", "city=Kyiv")
        hub.serve()
    }

    @AfterEach
    fun end() = hub.close()

    private suspend fun phone(): Replica = Replica.join(File(home, "phone").path, hub.invite("phone"))

    @Test
    fun `enrols, syncs, and what was typed reaches the hub`(): Unit = runBlocking {
        phone().use { phone ->
            val first = phone.runOnce(60.seconds)
            assertTrue(first.finished && first.pulled > 0u)
            assertEquals("seller", phone.whoAmI().role)
            assertEquals(listOf("Alpha"), phone.list(Query("account")).records.map { it.title })
            val deal = phone.create("opportunity", typed("name" to "Typed on the road", "account" to "name=Alpha", "amount" to "120"))
            val pending = phone.get("opportunity", deal)
            assertEquals(RecordState.Pending, pending.state)
            assertEquals(Value.Money("120.00", "EUR"), pending.value("amount"))
            assertEquals("Alpha", pending.text("account"))
            assertTrue(pending.fields.first { it.name == "amount" }.pending)
            val second = phone.runOnce(60.seconds)
            assertTrue(second.finished && second.outbox == 0uL && second.refused == 0uL)
            assertEquals(RecordState.Clean, phone.get("opportunity", deal).state)
            val rows = hub.command("list", "opportunity", "--where", "amount = \"120 EUR\"").asJsonArray
            assertEquals(listOf("Typed on the road"), rows.map { it.asJsonObject["name"].asString })
        }
    }

    @Test
    fun `closing a replica completes its watches`(): Unit = runBlocking {
        val phone = phone()
        val pages = async { phone.watch(Query("account")).toList() }
        phone.watch(Query("account")).first()
        phone.close()
        assertTrue(withTimeout(10_000) { pages.await() }.size <= 1)
        val closed = assertThrows<ReplicaException.Usage> { runBlocking { phone.whoAmI() } }
        assertEquals("replica_closed", closed.code)
    }

    @Test
    fun `an exchange that is cancelled before a thread is free never begins`(): Unit = runBlocking {
        val threads = Executors.newSingleThreadExecutor()
        val dispatcher = threads.asCoroutineDispatcher()
        Replica.join(File(home, "phone").path, hub.invite("phone"), dispatcher = dispatcher).use { phone ->
            val busy = CountDownLatch(1)
            threads.execute { busy.await() }
            val told = AtomicInteger()
            val exchange = launch(start = CoroutineStart.UNDISPATCHED) { phone.runOnce(60.seconds) { told.incrementAndGet() } }
            exchange.cancel()
            busy.countDown()
            exchange.join()
            assertEquals(0, told.get())
            assertTrue(phone.runOnce(60.seconds).finished)
        }
        dispatcher.close()
    }

    @Test
    fun `a watch tells what changed here and above, and that it has gone up`(): Unit = runBlocking {
        phone().use { phone ->
            val sync = phone.startSync()
            withTimeout(30.seconds.inWholeMilliseconds) { sync.status.first { it.phase == SyncPhase.QUIET } }
            val account = phone.create("account", typed("name" to "Beta"))
            val states = withTimeout(30.seconds.inWholeMilliseconds) {
                phone.watch(Query("account", filter = "name = \"Beta\"")).first { page ->
                    page.records.single().state == RecordState.Clean
                }
            }
            assertEquals(account, states.records.single().id)
            hub.command("edit", "account", account, "city=Lviv")
            withTimeout(30.seconds.inWholeMilliseconds) {
                phone.watch(Query("account")).first { page -> page.records.any { it.text("city") == "Lviv" } }
            }
            assertTrue(sync.stop())
            assertEquals(SyncPhase.STOPPED, withTimeout(10_000) { sync.status.first { it.phase == SyncPhase.STOPPED } }.phase)
        }
    }

    @Test
    fun `the built-in collections have typed fields`(): Unit = runBlocking {
        phone().use { phone ->
            phone.runOnce(60.seconds)
            val card = Account().apply {
                name = "Epsilon"
                employees = 12
                annualRevenue = Value.Money("1054.50", "EUR")
                phones = listOf("+380441234567")
                location = Value.Location(50.45, 30.52)
            }
            val id = phone.create(card)
            val read = phone.list(Query("account", filter = "name = \"Epsilon\""), ::Account).single()
            assertEquals(card.annualRevenue, read.annualRevenue)
            assertEquals(listOf("+380441234567"), read.phones)
            assertEquals(12L, read.employees)
            read.employees = null
            assertEquals(id, phone.save(read))
            assertEquals(null, Account(phone.get("account", id)).employees)
            assertEquals(50.45, Account(phone.get("account", id)).location?.latitude)
        }
    }

    @Test
    fun `several writes are one transaction`(): Unit = runBlocking {
        phone().use { phone ->
            phone.runOnce(60.seconds)
            val (account, contact) = phone.transact {
                val account = create("account", mapOf("name" to text("Gamma")))
                create("contact", mapOf("last_name" to text("Ковальчук"), "account" to account))
            }
            assertEquals(account, phone.get("contact", contact).reference("account"))
            val refused = assertThrows<ReplicaException> {
                runBlocking {
                    phone.transact {
                        create("account", mapOf("name" to text("Delta")))
                        create("account", mapOf("size" to text("7")))
                    }
                }
            }
            assertInstanceOf(ReplicaException.NotFound::class.java, refused)
            assertEquals("unknown_field", refused.code)
            assertTrue(refused.what.contains("size") && refused.toDo.isNotEmpty() && !refused.retryable)
            assertEquals(0, phone.count(Query("account", filter = "name = \"Delta\"")))
        }
    }
}
