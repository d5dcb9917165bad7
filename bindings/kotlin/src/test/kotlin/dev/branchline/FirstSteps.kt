package dev.branchline

import kotlin.time.Duration.Companion.minutes

/** Enrols, syncs, writes a deal and delivers it; gives the deal's state after each of the two. */
suspend fun firstSteps(folder: String, code: String): List<RecordState> =
    Replica.join(folder, code).use { replica ->
        replica.runOnce(1.minutes) { println("${it.phase} ${it.done} of ${it.total}") }
        println("acting for ${replica.whoAmI().name}")
        for (account in replica.list(Query("account")).records) {
            println("${account.title} ${account.text("city")}")
        }
        val deal = replica.create(
            "opportunity",
            typed("name" to "First order", "account" to "name=Alpha", "amount" to "99.90 EUR"),
        )
        val typed = replica.get("opportunity", deal).state
        replica.runOnce(1.minutes)
        listOf(typed, replica.get("opportunity", deal).state)
    }
