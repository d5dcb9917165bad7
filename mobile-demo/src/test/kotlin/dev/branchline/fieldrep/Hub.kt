package dev.branchline.fieldrep

import com.google.gson.JsonArray
import com.google.gson.JsonElement
import com.google.gson.JsonObject
import com.google.gson.JsonParser
import java.io.File
import java.util.concurrent.TimeUnit

/** Head office: a real `branchline` process on a folder of its own, asked by real commands. */
class Hub(home: File, language: String = "en") : AutoCloseable {
    private val folder = File(home, "hub")
    private var server: Process? = null
    val line: Line

    init {
        run("init", "--name", "Kestrel", "--owner", "head@kestrel.example", "--currency", "UAH", "--language", language)
        run("create", "branch", "code=kyiv", "name=Kyiv")
        run("users", "add", "Olena Koval", "--email", REP, "--role", "seller", "--branch", "kyiv")
        line = Line()
        serve()
    }

    /** Listens; devices reach it through [line] alone. */
    fun serve() {
        val started = command("serve", "--listen", "127.0.0.1:0", "--public-url", "http://127.0.0.1:${line.port}", "--until-eof")
            .redirectError(ProcessBuilder.Redirect.DISCARD).start()
        server = started
        val first = started.inputStream.bufferedReader().readLine() ?: error("the hub does not listen")
        line.to(Regex(":(\\d+)\\D*$").find(first)!!.groupValues[1].toInt())
    }

    /** An invitation for the rep's phone. */
    fun invite(device: String = "phone"): String = ask("invite", "--as", "device", "--name", device, "--user", REP).asJsonObject["code"].asString

    fun revoke(device: String = "phone") = ask("devices", "revoke", device)

    fun create(collection: String, vararg values: String): String = ask("create", collection, *values).asJsonObject["id"].asString

    fun edit(collection: String, record: String, vararg values: String) = ask("edit", collection, record, *values)

    fun list(collection: String, where: String? = null): List<JsonObject> =
        (ask(*listOfNotNull("list", collection, where?.let { "--where" }, where).toTypedArray()) as JsonArray).map { it.asJsonObject }

    fun show(collection: String, record: String): JsonObject = ask("show", collection, record).asJsonObject

    fun ask(vararg words: String): JsonElement = JsonParser.parseString(run(*words))

    private fun command(vararg words: String): ProcessBuilder =
        ProcessBuilder(listOf(PROGRAM, "--data", folder.path, "--json") + words)

    fun run(vararg words: String, allowed: Set<Int> = setOf(0, 3)): String {
        val errors = File.createTempFile("branchline", "err")
        val process = command(*words).redirectError(errors).redirectInput(File("/dev/null")).start()
        val said = process.inputStream.bufferedReader().readText()
        check(process.waitFor(60, TimeUnit.SECONDS)) { "${words.toList()} does not end" }
        check(process.exitValue() in allowed) { "${words.toList()} ended with ${process.exitValue()}: $said${errors.readText()}" }
        errors.delete()
        return said
    }

    override fun close() {
        line.close()
        server?.destroyForcibly()?.waitFor()
    }

    companion object {
        const val REP = "olena@kestrel.example"
        private val PROGRAM = System.getProperty("branchline.program")
    }
}

/** A field's text in a record that the command line has shown. */
fun JsonObject.text(field: String): String {
    val fields = if (has("fields")) getAsJsonObject("fields") else this
    val value = fields[field] ?: return ""
    return when {
        value.isJsonNull -> ""
        value.isJsonObject && value.asJsonObject.has("label") -> value.asJsonObject["label"].let { if (it.isJsonNull) "" else it.asString }
        value.isJsonObject && value.asJsonObject.has("value") -> value.asJsonObject.let { "${it["value"].asString} ${it["currency"].asString}" }
        value.isJsonPrimitive -> value.asString
        else -> value.toString()
    }
}
