package dev.branchline

import com.google.gson.JsonArray
import com.google.gson.JsonElement
import com.google.gson.JsonObject
import com.google.gson.JsonParser
import kotlinx.coroutines.runBlocking
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertFalse
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Assertions.fail
import org.junit.jupiter.api.Assumptions.assumeTrue
import org.junit.jupiter.api.DynamicTest
import org.junit.jupiter.api.TestFactory
import java.io.File
import java.nio.file.Files
import java.util.concurrent.TimeUnit
import java.util.concurrent.atomic.AtomicInteger
import kotlin.concurrent.thread
import kotlin.time.Duration.Companion.milliseconds

/** Runs the catalogue of scenarios that every binding runs: `bindings/scenarios.json`. */
class ScenariosTest {
    @TestFactory
    fun catalogue(): List<DynamicTest> {
        val file = File(System.getProperty("branchline.scenarios"))
        return JsonParser.parseString(file.readText()).asJsonArray.map { it.asJsonObject }.map { scenario ->
            DynamicTest.dynamicTest(scenario["name"].asString) {
                Stage(Files.createTempDirectory("branchline").toFile()).use { stage ->
                    scenario["steps"].asJsonArray.forEach { stage.step(it.asJsonObject) }
                }
            }
        }
    }
}

/** A hub and its phones for one scenario. */
private class Stage(private val home: File) : AutoCloseable {
    private val hub = Hub(File(home, "hub"))
    private val phones = mutableMapOf<String, Replica>()
    private val saved = mutableMapOf<String, String>()
    private val mounts = mutableListOf<File>()

    init {
        hub.serve()
    }

    override fun close() {
        phones.values.forEach { it.close() }
        hub.close()
        mounts.forEach { run("umount", "--lazy", it.path) }
        home.deleteRecursively()
    }

    fun step(step: JsonObject) {
        val fails = step["fails"]?.asJsonObject
        try {
            runBlocking { act(step) }
        } catch (error: ReplicaException) {
            if (fails == null) throw AssertionError("$step: ${error.what} (${error.code})", error)
            assertEquals(fails["kind"].asString, error.javaClass.simpleName, "$step: ${error.code}")
            fails["code"]?.let { assertEquals(it.asString, error.code, "$step") }
            fails["retryable"]?.let { assertEquals(it.asBoolean, error.retryable, "$step") }
            assertTrue(error.what.isNotEmpty() && error.toDo.isNotEmpty(), "$step: an error says what and what to do")
            return
        }
        if (fails != null) fail<Unit>("$step did not fail")
    }

    private suspend fun act(step: JsonObject) {
        val expect = step["expect"]
        when (val what = step.text("do")) {
            "hub" -> {
                val answer = hub.command(*step["run"].asJsonArray.map { filled(it.asString) }.toTypedArray())
                step["save"]?.let { saved[it.asString] = answer.asJsonObject["id"].asString }
            }
            "hub_kill" -> hub.kill()
            "hub_serve" -> hub.serve()
            "hub_has" -> {
                val rows = hub.command("list", step.text("collection"), "--where", step.text("where")).asJsonArray
                assertEquals(strings(expect).sorted(), rows.map { it.asJsonObject[step.text("field")].asString }.sorted(), "$step")
            }
            "hub_review" -> assertEquals(expect.asInt, hub.command("review", "list").asJsonArray.size(), "$step")
            "import" -> import(step)
            "join" -> join(step)
            "open" -> phones[step.text("replica")] = Replica.open(folder(step).path, keys = key(step["key"]))
            "open_with_one_of" -> phones[step.text("replica")] = step["keys"].asJsonArray.firstNotNullOf { open(step, it) }
            "rekey" -> phone(step).rekey(key(step["key"])!!)
            "encrypt" -> Replica.encrypt(folder(step).path, key(step["key"])!!)
            "decrypt" -> Replica.decrypt(folder(step).path, key(step["key"])!!)
            "unreadable" -> unreadable(step)
            "kill_in_rekey" -> killIn("rekeying", "RekeyingKt", step, strings(step["keys"]))
            "close" -> phone(step).close()
            "damage" -> damage(step)
            "is_damaged_still" -> assertEquals(saved["damage"], File(folder(step), DATABASE).readBytes().contentHashCode().toString())
            "kill_in_sync" -> killIn("syncing", "SyncingKt", step)
            "fill_disk" -> fillDisk(step)
            "free_disk" -> File(folder(step), FILLER).delete()
            "watch_storm" -> watchStorm(step)
            "throwing_watch" -> throwingWatch(step)
            "threads" -> threads(step)
            "same_digest" -> {
                val above = hub.command("status").asJsonObject["digest"].asString
                assertEquals(above, phone(step).counts().digest, "$step")
            }
            else -> if (!records(what, step, expect)) exchanges(what, step, expect)
        }
    }

    private suspend fun records(what: String, step: JsonObject, expect: JsonElement?): Boolean {
        val collection = step["collection"]?.asString.orEmpty()
        val record = step["record"]?.let { filled(it.asString) }.orEmpty()
        when (what) {
            "create" -> {
                val id = phone(step).create(collection, values(step))
                step["save"]?.let { saved[it.asString] = id }
            }
            "create_until_full" -> repeat(10_000) { phone(step).create(collection, typed("name" to "Filler $it")) }
            "edit" -> phone(step).set(collection, record, values(step))
            "archive" -> phone(step).archive(collection, record)
            "restore" -> phone(step).restore(collection, record)
            "undo" -> phone(step).undo(collection, record, filled(step.text("change")))
            "get" -> {
                val found = phone(step).get(collection, record)
                expect!!.asJsonObject["state"]?.let { assertEquals(it.asString, found.state.word(), "$step") }
                expect.asJsonObject["texts"]?.asJsonObject?.entrySet()?.forEach { (field, text) ->
                    assertEquals(text.asString, found.text(field), "$step: $field")
                }
            }
            "history" -> {
                val changes = phone(step).history(collection, record)
                assertEquals(expect!!.asJsonObject["changes"].asInt, changes.size, "$step")
                step["save_last"]?.let { saved[it.asString] = changes.last().id }
            }
            "count" -> assertEquals(expect?.asLong ?: -1L, phone(step).count(Query(collection)), "$step")
            "search" -> assertEquals(strings(expect!!), phone(step).search(step.text("text")).map { it.title }, "$step")
            "pages" -> pages(collection, step, expect)
            "conflicts" -> {
                val open = phone(step).conflicts()
                assertEquals(expect!!.asJsonArray.size(), open.size, "$step")
                open.zip(expect.asJsonArray.map { it.asJsonObject }).forEach { (conflict, expected) ->
                    assertEquals(expected["field"].asString, conflict.field)
                    assertEquals(expected["asks"].asBoolean, conflict.asks)
                    assertEquals(strings(expected["values"]), conflict.values.map { (it.value as Value.Text).text }.sorted())
                    assertEquals(1, conflict.values.count { it.shown })
                }
            }
            "resolve" -> {
                val conflict = phone(step).conflicts().first { it.field == step.text("field") }
                phone(step).resolve(conflict.collection, conflict.record, conflict.field, Value.Text(step.text("keep")))
            }
            "quarantine" -> {
                val waiting = phone(step).quarantine()
                assertEquals(expect!!.asJsonObject["count"].asInt, waiting.size, "$step")
                expect.asJsonObject["code"]?.let { code ->
                    assertTrue(waiting.all { it.code == code.asString && it.reason.isNotEmpty() }, "$step: $waiting")
                }
            }
            "export" -> {
                val file = File(home, "refused.json")
                assertEquals(expect!!.asLong, phone(step).exportQuarantine(file.path), "$step")
                assertEquals(expect.asInt, JsonParser.parseString(file.readText()).asJsonObject["changes"].asJsonArray.size())
            }
            "retry" -> {
                val tried = phone(step).retry()
                assertEquals(expect!!.asJsonObject["tried"].asInt, tried.size, "$step")
                assertEquals(expect.asJsonObject["problems"].asInt, tried.count { it.problem != null }, "$step: $tried")
            }
            else -> return false
        }
        return true
    }

    private suspend fun exchanges(what: String, step: JsonObject, expect: JsonElement?) {
        when (what) {
            "run" -> exchange(step, expect)
            "run_until_finished" -> {
                val deadline = step["deadline_ms"].asLong.milliseconds
                assertTrue((1..100).any { phone(step).runOnce(deadline).finished }, "$step never finishes")
            }
            "hints" -> phone(step).setHints(Hints(metered = step["metered"].asBoolean))
            "attach" -> {
                val file = File(home, "photo.jpg").apply { writeBytes(ByteArray(step["bytes"].asInt) { (it % 251).toByte() }) }
                val told = mutableListOf<Long>()
                val record = filled(step.text("record"))
                val attached = phone(step).attachTo(step.text("collection"), record, step.text("field"), file.path, "image/jpeg") { done, _ ->
                    told += done
                }
                assertEquals(file.length(), told.last(), "$step")
                saved[step.text("save")] = attached.hash
            }
            "fetch" -> {
                val (hash, out) = filled(step.text("hash")) to File(home, "fetched.jpg")
                phone(step).fetch(hash, 30_000.milliseconds)
                assertTrue(phone(step).attachment(hash).here, "$step")
                val expected = ByteArray(step["bytes"].asInt) { (it % 251).toByte() }
                assertTrue(phone(step).readAttachment(hash).contentEquals(expected), "$step")
                phone(step).saveAttachment(hash, out.path)
                assertTrue(out.readBytes().contentEquals(expected), "$step")
            }
            "verify" -> assertEquals(expect!!.asJsonObject["sound"].asBoolean, phone(step).verify().sound, "$step")
            else -> error("no scenario may do `$what`")
        }
    }

    private suspend fun exchange(step: JsonObject, expect: JsonElement?) {
        val deadline = (step["deadline_ms"]?.asLong ?: 60_000).milliseconds
        val told = mutableListOf<SyncStatus>()
        val done = phone(step).runOnce(deadline) { told += it }
        val expected = expect?.asJsonObject ?: return
        val numbers = mapOf("outbox" to done.outbox, "refused" to done.refused, "attachments" to done.attachments)
        numbers.forEach { (name, got) -> expected[name]?.let { assertEquals(it.asLong.toULong(), got, "$step: $done") } }
        expected["finished"]?.let { assertEquals(it.asBoolean, done.finished, "$step: $done") }
        expected["pulled_at_least"]?.let { assertTrue(done.pulled >= it.asLong.toULong(), "$step: $done") }
        if (expected["progress"]?.asBoolean == true) {
            val steps = told.filter { it.phase == SyncPhase.FIRST_SYNC }.map { it.done }
            assertTrue(steps.isNotEmpty() && steps == steps.sorted(), "$step: $steps")
            assertTrue(told.all { it.done <= it.total }, "$step")
        }
    }

    private suspend fun pages(collection: String, step: JsonObject, expect: JsonElement?) {
        val by = step["sort"]?.asString.orEmpty()
        val sort = when {
            by.isEmpty() -> emptyList()
            by.startsWith("-") -> listOf(Sort(by.drop(1), descending = true))
            else -> listOf(Sort(by))
        }
        val pages = mutableListOf<List<String>>()
        var next: String? = null
        do {
            val query = Query(collection, step["filter"]?.asString, sort, step["limit"].asInt.toUInt(), next)
            val page = phone(step).list(query)
            pages += page.records.map { it.title }
            next = page.next
        } while (next != null)
        assertEquals(expect?.asJsonArray?.map(::strings), pages, "$step")
    }

    private fun import(step: JsonObject) {
        val file = File(home, "rows.csv")
        val rows = (1..step["rows"].asInt).joinToString("\n") { "A$it,Company $it,City ${it % 97}" }
        file.writeText("external_id,name,city\n$rows\n")
        hub.command("import", file.path, "--collection", step.text("collection"))
    }

    private suspend fun join(step: JsonObject) {
        val folder = folder(step)
        step["disk_bytes"]?.let {
            assumeTrue(System.getProperty("user.name") == "root", "a small disk can be mounted by root only")
            folder.mkdirs()
            run("mount", "-t", "tmpfs", "-o", "size=${it.asLong}", "none", folder.path)
            mounts += folder
        }
        val name = step["as"]?.asString ?: step.text("replica")
        val options = step["options"]?.let(::strings).orEmpty().toTypedArray()
        val code = step["code"]?.asString ?: hub.invite(name, *options)
        phones[step.text("replica")] = Replica.join(folder.path, code, keys = key(step["key"]))
    }

    private fun damage(step: JsonObject) {
        val file = File(folder(step), DATABASE)
        val bytes = file.readBytes()
        bytes.fill(0x55, 0, 4096)
        file.writeBytes(bytes)
        saved["damage"] = bytes.contentHashCode().toString()
    }

    private fun key(number: JsonElement?): KeyProvider? = number?.let { Numbered(it.asInt) }

    private suspend fun open(step: JsonObject, key: JsonElement): Replica? = try {
        Replica.open(folder(step).path, keys = key(key))
    } catch (error: ReplicaException.Locked) {
        assertEquals("key_wrong", error.code, "$step")
        null
    }

    private fun unreadable(step: JsonObject) {
        val files = folder(step).walk().filter { it.isFile }.toList()
        assertTrue(files.isNotEmpty(), "$step")
        val photo = ByteArray(1000) { (it % 251).toByte() }.toString(Charsets.ISO_8859_1)
        for (file in files) {
            val bytes = file.readBytes().toString(Charsets.ISO_8859_1)
            assertFalse(step.text("text") in bytes || photo in bytes, "$step: ${file.name}")
        }
    }

    /** Starts a process of the tests that says a word once it is at its work, and kills it then. */
    private fun killIn(word: String, main: String, step: JsonObject, more: List<String> = emptyList()) {
        val java = File(System.getProperty("java.home"), "bin/java").path
        val line = listOf(java, "-cp", System.getProperty("java.class.path"), "dev.branchline.$main", folder(step).path) + more
        val process = ProcessBuilder(line).redirectError(ProcessBuilder.Redirect.INHERIT).start()
        assertEquals(word, process.inputReader().readLine(), "$step")
        process.destroyForcibly().waitFor(30, TimeUnit.SECONDS)
    }

    private fun fillDisk(step: JsonObject) {
        val block = ByteArray(64 * 1024)
        try {
            File(folder(step), FILLER).outputStream().use { while (true) it.write(block) }
        } catch (full: java.io.IOException) {
            return
        }
    }

    private fun watchStorm(step: JsonObject) {
        val (collection, writes) = step.text("collection") to step["writes"].asInt
        val sizes = java.util.Collections.synchronizedList(mutableListOf<Int>())
        val query = Query(collection, limit = (writes + 1).toUInt())
        phone(step).blocking.watch(query, pages { sizes += it.records.size }).use { watch ->
            repeat(writes) { phone(step).blocking.create(collection, typed("name" to "Company $it")) }
            eventually("$step: the last result arrives") { sizes.lastOrNull() == writes }
            assertEquals(sizes.sorted(), sizes, "$step: no result comes after a newer one")
            assertTrue(sizes.size <= writes + 1, "$step")
            watch.stop()
            val told = sizes.size
            phone(step).blocking.create(collection, typed("name" to "Unheard"))
            Thread.sleep(400)
            assertEquals(told, sizes.size, "$step: a stopped watch is silent")
        }
    }

    private fun throwingWatch(step: JsonObject) {
        val collection = step.text("collection")
        val thrown = AtomicInteger()
        val heard = AtomicInteger()
        val log = java.util.Collections.synchronizedList(mutableListOf<String>())
        setLog(LogLevel.WARNING, object : LogListener {
            override fun line(level: LogLevel, part: String, text: String) {
                log += text
                throw IllegalStateException("the log listener throws, too")
            }
        })
        val throwing = phone(step).blocking.watch(Query(collection), pages {
            thrown.incrementAndGet()
            error("thrown on purpose")
        })
        val calm = phone(step).blocking.watch(Query(collection), pages { heard.set(it.records.size) })
        repeat(step["writes"].asInt) { n ->
            phone(step).blocking.create(collection, typed("name" to "Company $n"))
            eventually("$step: both go on") { heard.get() == n + 1 && thrown.get() > n }
        }
        assertTrue(log.any { it.contains("thrown on purpose") }, "$step: $log")
        setLog(LogLevel.ERROR, null)
        throwing.close()
        calm.close()
    }

    private fun threads(step: JsonObject) {
        val collection = step.text("collection")
        val failures = java.util.Collections.synchronizedList(mutableListOf<Throwable>())
        val workers = (1..step["threads"].asInt).map { worker ->
            thread {
                try {
                    repeat(step["writes"].asInt) { n ->
                        val id = phone(step).blocking.create(collection, typed("name" to "Company $worker-$n"))
                        phone(step).blocking.get(collection, id)
                        phone(step).blocking.search("company", 5u)
                    }
                } catch (failure: Throwable) {
                    failures += failure
                }
            }
        }
        workers.forEach { it.join() }
        assertEquals(emptyList<Throwable>(), failures, "$step")
    }

    private fun pages(heard: (Page) -> Unit) = object : PageListener {
        override fun changed(page: Page) = heard(page)
        override fun failed(problem: Problem) = error(problem.what)
    }

    private fun phone(step: JsonObject) = phones.getValue(step.text("replica"))

    private fun folder(step: JsonObject) = File(home, step.text("replica"))

    private fun values(step: JsonObject): Map<String, Value> =
        step["values"].asJsonObject.entrySet().associate { (field, text) -> field to Value.Typed(filled(text.asString)) }

    private fun filled(text: String) = if (text.startsWith("$")) saved.getValue(text.drop(1)) else text
}

private const val DATABASE = "branchline.db"
private const val FILLER = "filler"

private fun JsonObject.text(name: String): String = this[name].asString

private fun strings(array: JsonElement): List<String> = (array as JsonArray).map { it.asString }

private fun RecordState.word(): String = when (this) {
    RecordState.Clean -> "clean"
    RecordState.Pending -> "pending"
    RecordState.Conflict -> "conflict"
    is RecordState.Refused -> "refused"
}

private fun run(vararg line: String) {
    val process = ProcessBuilder(*line).redirectErrorStream(true).start()
    val said = process.inputReader().readText()
    check(process.waitFor() == 0) { "${line.toList()}: $said" }
}

internal fun eventually(what: String, holds: () -> Boolean) {
    val until = System.nanoTime() + TimeUnit.SECONDS.toNanos(30)
    while (!holds()) {
        check(System.nanoTime() < until) { what }
        Thread.sleep(5)
    }
}
