package dev.branchline.fieldrep

import java.io.File
import javax.xml.parsers.DocumentBuilderFactory
import org.junit.Assert.assertEquals
import org.junit.Assert.assertTrue
import org.junit.Test
import org.w3c.dom.Element

/** Everything that a person reads lies in the resources, in three languages. */
class WordsTest {
    private val main = File(System.getProperty("fieldrep.dir"), "src/main")
    private val languages = listOf("values", "values-ru", "values-uk")

    /** Key to quantity to text; a plain string has the quantity "". */
    private fun strings(folder: String): Map<String, Map<String, String>> {
        val root = DocumentBuilderFactory.newInstance().newDocumentBuilder().parse(File(main, "res/$folder/strings.xml")).documentElement
        val nodes = root.childNodes
        return (0 until nodes.length).mapNotNull { nodes.item(it) as? Element }.filter { it.getAttribute("translatable") != "false" }.associate { node ->
            val items = node.getElementsByTagName("item")
            val texts = if (node.tagName == "string") {
                mapOf("" to node.textContent)
            } else {
                (0 until items.length).map { items.item(it) as Element }.associate { it.getAttribute("quantity") to it.textContent }
            }
            node.getAttribute("name") to texts
        }
    }

    private fun arguments(text: String) = Regex("%\\d\\$[sd]").findAll(text).map { it.value }.toSet()

    private fun sources(ending: String) = main.walk().filter { it.isFile && it.name.endsWith(ending) }.toList().also { assertTrue("$ending", it.size > 5) }

    private fun none(found: List<String>) = assertTrue("\n" + found.joinToString("\n"), found.isEmpty())

    @Test
    fun `every key is there in every language`() {
        val keys = strings("values").keys
        assertTrue("the reader finds the keys", keys.size > 200)
        for (folder in languages.drop(1)) assertEquals(folder, keys, strings(folder).keys)
    }

    @Test
    fun `plurals have the forms of their language`() {
        val forms = mapOf("values" to setOf("one", "other"), "values-ru" to setOf("one", "few", "many", "other"), "values-uk" to setOf("one", "few", "many", "other"))
        for ((folder, wanted) in forms) {
            for ((key, texts) in strings(folder).filterValues { "" !in it }) assertEquals("$folder/$key", wanted, texts.keys)
        }
    }

    @Test
    fun `translations take the same arguments and are translated`() {
        val english = strings("values")
        val found = mutableListOf<String>()
        for (folder in languages.drop(1)) {
            for ((key, texts) in strings(folder)) {
                val wanted = english.getValue(key).values.map(::arguments).reduce { a, b -> a + b }
                texts.values.filter { arguments(it) != wanted }.forEach { found += "$folder/$key: $it" }
                val untouched = texts.values.any { it.length > 3 && it in english.getValue(key).values && it.any(Char::isLetter) && arguments(it).isEmpty() }
                if (untouched) found += "$folder/$key is as in English"
            }
        }
        none(found)
    }

    @Test
    fun `no key is left over`() {
        val used = sources(".kt").plus(sources(".xml").filter { "/values" !in it.path }).joinToString("\n") { it.readText() }
        none(strings("values").keys.filter { key -> !Regex("(R\\.(string|plurals)\\.|@string/)$key\\b").containsMatchIn(used) })
    }

    @Test
    fun `layouts hold no text of their own`() {
        val text = Regex("android:(text|hint|contentDescription|title|label)=\"([^@?\"][^\"]*)\"")
        none(sources(".xml").flatMap { file -> text.findAll(file.readText()).map { "${file.name}: ${it.value}" } }.filterNot { Regex("text=\"\\d\"").containsMatchIn(it) })
    }

    @Test
    fun `code holds no text for people`() {
        // A literal with a letter and a blank, or with a letter outside ASCII, is most likely meant to be read.
        val literal = Regex("\"((?:[^\"\\\\$]|\\\\.|\\$\\{[^}]*}|\\$\\w+)*)\"")
        val found = sources(".kt").flatMap { file ->
            file.readLines().mapIndexedNotNull { n, line ->
                val code = line.substringBefore(" // ").trim()
                if (code.startsWith("*") || code.startsWith("/") || code.startsWith("@") || QUIET.any { it in code }) return@mapIndexedNotNull null
                literal.findAll(code).map { it.groupValues[1].replace(Regex("\\$\\{[^}]*}|\\$\\w+"), "") }
                    .find { text -> text.any { it.isLetter() && it.code > 127 } || Regex("[A-Za-z]{2,} [A-Za-z]{2,}").containsMatchIn(text) }
                    ?.let { "${file.name}:${n + 1}: \"$it\"" }
            }
        }
        none(found)
    }

    @Test
    fun `what is drawn and said comes from the app's own package`() {
        none(sources(".kt").filter { Regex("import (androidx|java\\.net|javax\\.net|okhttp|android\\.net\\.http)").containsMatchIn(it.readText()) }.map { "${it.name}: no network code in the app, no AndroidX" })
    }

    @Test
    fun `only the engine's room knows the engine`() {
        val engine = Regex("import dev\\.branchline\\.(?!fieldrep)")
        none(sources(".kt").filter { "/engine/" !in it.path && it.name != "Models.kt" && engine.containsMatchIn(it.readText()) }.map { it.name })
    }

    private companion object {
        /** Conditions of the engine, faults of the program. */
        val QUIET = listOf("Query(", "planned(", "check(", "require(", "error(", "OPEN =", "\"\$of", "list(", "done_at")
    }
}
