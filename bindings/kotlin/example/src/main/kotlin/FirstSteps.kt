import dev.branchline.Query
import dev.branchline.Record
import dev.branchline.RecordState
import dev.branchline.Replica
import dev.branchline.ReplicaException
import dev.branchline.crm.Account
import dev.branchline.crm.list
import dev.branchline.problem
import dev.branchline.typed
import kotlin.system.exitProcess
import kotlin.time.Duration.Companion.minutes

/** Enrols, syncs, writes a deal and delivers it. Arguments: FOLDER CODE. */
suspend fun main(arguments: Array<String>) {
    val (folder, code) = arguments
    try {
        Replica.join(folder, code).use { replica ->
            replica.runOnce(1.minutes) { println("${it.phase} ${it.done} of ${it.total}") }
            println("acting for ${replica.whoAmI().name}")
            for (account in replica.list(Query("account"), ::Account)) println("${account.name} ${account.city}")
            val deal = replica.create(
                "opportunity",
                typed("name" to "First order", "account" to "name=Alpha", "amount" to "99.90 EUR"),
            )
            println(said(replica.get("opportunity", deal)))
            replica.runOnce(1.minutes)
            println(said(replica.get("opportunity", deal)))
        }
    } catch (error: ReplicaException) {
        error.problem().let { println("${it.what} ${it.toDo}") }
        exitProcess(1)
    }
}

private fun said(record: Record): String = when (val state = record.state) {
    RecordState.Clean -> "${record.title}: delivered"
    RecordState.Pending -> "${record.title}: waits to be sent"
    RecordState.Conflict -> "${record.title}: written by several people at a time"
    is RecordState.Refused -> "${record.title}: refused, ${state.reason}"
}
