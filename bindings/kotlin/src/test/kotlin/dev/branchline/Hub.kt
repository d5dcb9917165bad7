package dev.branchline

import com.google.gson.JsonElement
import com.google.gson.JsonParser
import java.io.File
import java.util.concurrent.TimeUnit

/** A real hub: a folder, and `branchline serve` on it as a process of its own. Killed, not asked, when closed. */
class Hub(val folder: File) : AutoCloseable {
    private var process: Process? = null

    init {
        command("init", "--name", "Kestrel", "--owner", "owner@kestrel.example", "--currency", "EUR")
    }

    fun serve() {
        val line = listOf(BINARY, "--data", folder.path, "serve", "--listen", listen)
        val started = ProcessBuilder(line).redirectError(ProcessBuilder.Redirect.DISCARD).start()
        val first = started.inputReader().readLine().orEmpty()
        check(first.startsWith("listening on http")) { "the hub does not listen: $first" }
        // Codes hold the address: the hub comes back where it was.
        listen = first.substringAfter("//").substringBefore('/').trim()
        process = started
    }

    fun kill() {
        process?.destroyForcibly()?.waitFor()
        process = null
    }

    /** Runs `branchline` on the hub's folder and gives its JSON document. */
    fun command(vararg arguments: String): JsonElement = command(folder, *arguments)

    fun invite(name: String, vararg options: String): String =
        command("invite", "--as", "device", "--name", name, *options).asJsonObject["code"].asString

    override fun close() = kill()

    private var listen = "127.0.0.1:0"

    companion object {
        private val BINARY: String = System.getProperty("branchline.bin")

        fun command(folder: File, vararg arguments: String): JsonElement {
            val line = listOf(BINARY, "--data", folder.path, "--json") + arguments
            val process = ProcessBuilder(line).redirectErrorStream(false).start()
            val out = process.inputReader().readText()
            val err = process.errorReader().readText()
            check(process.waitFor(120, TimeUnit.SECONDS)) { "$line goes on for ever" }
            // 3: done, and something waits for a person.
            check(process.exitValue() in setOf(0, 3)) { "$line ended with ${process.exitValue()}: $out$err" }
            return JsonParser.parseString(out)
        }
    }
}
