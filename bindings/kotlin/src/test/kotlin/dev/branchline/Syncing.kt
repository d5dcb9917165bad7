package dev.branchline

import kotlin.system.exitProcess

/** A process that syncs a folder and says so once records arrive, to be killed. */
fun main(arguments: Array<String>) {
    val replica = BlockingReplica.open(arguments[0], Config(), null)
    replica.runOnce(120_000u, object : SyncListener {
        override fun changed(status: SyncStatus) {
            if (status.phase == SyncPhase.FIRST_SYNC) {
                println("syncing")
                System.out.flush()
                // The one who kills is quicker than what is left.
                Thread.sleep(60_000)
            }
        }
    })
    exitProcess(1)
}
