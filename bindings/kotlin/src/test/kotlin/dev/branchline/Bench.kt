package dev.branchline

import java.io.File
import kotlin.system.exitProcess

// The Kotlin side of the benchmark's rows about phones. Each run is a process of its own: it does one thing and prints what
// that took as one JSON object. The other side, in Rust, does the same: `tests/src/bench/phone.rs`.

fun main(arguments: Array<String>) {
    val figures = when (arguments[0]) {
        "calls" -> calls(arguments[1])
        "open" -> coldOpen(arguments[1])
        "typing" -> typing(arguments[1], arguments.drop(2))
        "sync" -> firstSync(arguments[1], arguments[2])
        else -> exitProcess(2)
    }
    println(figures.entries.joinToString(",", "{", "}") { (name, value) -> "\"$name\":$value" })
    exitProcess(0)
}

/** One record and a page of fifty, once the virtual machine has compiled what it calls: medians in microseconds. */
private fun calls(folder: String): Map<String, Any> = BlockingReplica.open(folder, Config(), null).use { replica ->
    val ids = replica.list(Query("account", limit = RECORDS.toUInt())).records.map { it.id }
    val page = Query("account", filter = "city = \"Lviv\"", sort = listOf(Sort("name")), limit = 50u)
    val one = { n: Int -> replica.get("account", ids[n % ids.size]) }
    val fifty = { _: Int -> check(replica.list(page).records.size == 50) }
    repeat(WARM) { one(it) }
    repeat(WARM / 10) { fifty(it) }
    mapOf("record" to median(RECORDS, one), "page" to median(RECORDS / 10, fifty), "version" to median(RECORDS) { version() })
}

/** A new process opens the folder and lists a page: milliseconds of each. */
private fun coldOpen(folder: String): Map<String, Any> {
    val library = millis { version() }
    lateinit var replica: BlockingReplica
    val open = millis { replica = BlockingReplica.open(folder, Config(), null) }
    val page = millis { check(replica.list(Query("account", sort = listOf(Sort("name")), limit = 50u)).records.size == 50) }
    return mapOf("library" to library, "open" to open, "page" to page)
}

/** Each text typed letter by letter, searched at each: milliseconds of every keystroke. */
private fun typing(folder: String, texts: List<String>): Map<String, Any> = BlockingReplica.open(folder, Config(), null).use { replica ->
    val strokes = texts.flatMap { text -> (1..text.length).map { text.take(it) } }
    strokes.take(strokes.size / 10).forEach { replica.search(it, HITS) }
    val times = strokes.map { text -> millis { check(replica.search(text, HITS).isNotEmpty()) { "nothing found: $text" } } }
    mapOf("times" to times.joinToString(",", "[", "]"))
}

/** Enrols and syncs for the first time: seconds, and how much memory that took at its height. */
private fun firstSync(folder: String, code: String): Map<String, Any> =
    BlockingReplica.join(folder, code, Config(), null).use { replica ->
        System.gc()
        val before = memory("VmRSS")
        // Peaks are counted from here on.
        File("/proc/self/clear_refs").writeText("5")
        lateinit var done: Exchange
        val seconds = millis { done = replica.runOnce(600_000u, null) } / 1_000
        check(done.finished) { "$done" }
        mapOf("seconds" to seconds, "pulled" to done.pulled, "grown" to memory("VmHWM") - before)
    }

/** Bytes of memory as the kernel counts them. */
private fun memory(name: String): Long =
    File("/proc/self/status").readLines().first { it.startsWith("$name:") }.filter(Char::isDigit).toLong() * 1024

private fun median(times: Int, work: (Int) -> Any): Double =
    (0 until times).map { n -> millis { work(n) } }.sorted()[times / 2] * 1_000

private inline fun millis(work: () -> Unit): Double {
    val start = System.nanoTime()
    work()
    return (System.nanoTime() - start) / 1e6
}

private const val RECORDS = 1_000
private const val WARM = 5_000
private const val HITS = 20u
