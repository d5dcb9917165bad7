package dev.branchline.fieldrep.engine

import dev.branchline.BlockingReplica
import dev.branchline.Config
import dev.branchline.Hints
import dev.branchline.Query
import dev.branchline.Replica
import dev.branchline.ReplicaException
import dev.branchline.Sort
import dev.branchline.Sync
import dev.branchline.SyncPhase
import dev.branchline.SyncStatus
import dev.branchline.code
import dev.branchline.fieldrep.LineState
import dev.branchline.fieldrep.LineState.Phase
import dev.branchline.fieldrep.Trouble
import dev.branchline.problem
import java.io.File
import java.time.Instant
import kotlin.time.Duration.Companion.seconds
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.Job
import kotlinx.coroutines.SupervisorJob
import kotlinx.coroutines.cancel
import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.flow.MutableStateFlow
import kotlinx.coroutines.flow.StateFlow
import kotlinx.coroutines.flow.asStateFlow
import kotlinx.coroutines.flow.distinctUntilChanged
import kotlinx.coroutines.flow.drop
import kotlinx.coroutines.flow.map
import kotlinx.coroutines.flow.merge
import kotlinx.coroutines.launch
import kotlinx.coroutines.runBlocking

/**
 * The rep's territory: the replica on this phone, as the screens ask for it. What is here keeps the link and tells where it
 * stands; what is read and written lies beside it, by subject. Every function blocks, so none belongs on the main thread.
 */
class Territory private constructor(internal val engine: Replica, internal val language: String) : AutoCloseable {
    private val scope = CoroutineScope(SupervisorJob() + Dispatchers.IO)
    private val state = MutableStateFlow(QUIET)
    private var sync: Sync? = null
    private var following: Job? = null

    internal val replica: BlockingReplica get() = engine.blocking
    internal val me: dev.branchline.Person by lazy { replica.whoAmI() }

    /** Where the link stands, and what waits. */
    val line: StateFlow<LineState> = state.asStateFlow()

    /** Something that a list shows has changed, here or by the link. */
    val changes: Flow<Unit>
        get() = merge(
            merge(*WATCHED.map { collection -> engine.watch(newest(collection)).drop(1).map { } }.toTypedArray()),
            line.map { listOf(it.waiting, it.refused, it.conflicts) }.distinctUntilChanged().drop(1).map { },
        )

    fun myName(): String = replica.whoAmI().name

    /** Keeps the link from now on; where it waits for a better line, tries again at once. */
    @Synchronized
    fun exchange() {
        val running = sync?.status?.value?.phase
        if (running != null && running !in listOf(SyncPhase.OFFLINE, SyncPhase.STOPPED, SyncPhase.ENDED)) return
        stopExchange()
        val begun = runBlocking { engine.startSync() }
        sync = begun
        // A state that comes while the territory is being closed has nobody to be told to.
        following = scope.launch { begun.status.collect { runCatching { note(it) } } }
    }

    /** Lets the link end; what has arrived stays, and the next exchange goes on from there. */
    @Synchronized
    fun stopExchange() {
        val running = sync ?: return
        sync = null
        runBlocking { running.stop() }
        following?.cancel()
        note(running.status.value)
    }

    /** One exchange within so many seconds, for the system's scheduler. Whether another one is needed. */
    fun runOnce(seconds: Int): Boolean = try {
        val done = runBlocking { engine.runOnce(seconds.seconds, ::note) }
        !done.finished
    } catch (failure: ReplicaException) {
        if (failure.code == REVOKED) state.value = state.value.copy(phase = Phase.REVOKED)
        failure.problem().retryable
    }

    /** Has a [runOnce] that goes on stop cleanly. */
    fun interrupt() = replica.interrupt()

    /** Hands over what a device whose access has ended had not sent. How many changes are left. */
    fun handOver(seconds: Int): Int {
        stopExchange()
        try {
            runBlocking { engine.runOnce(seconds.seconds) }
        } catch (failure: ReplicaException) {
            // That it is revoked is the answer expected; what was taken has left the outbox.
            if (failure.code != REVOKED) throw failure
        }
        return replica.counts().outbox.toInt()
    }

    /** Says what the line costs and how the battery is; the engine decides what waits. */
    fun hints(metered: Boolean, lowBattery: Boolean) = replica.setHints(Hints(metered, lowBattery))

    override fun close() {
        scope.cancel()
        engine.close()
    }

    private fun note(status: SyncStatus) {
        val phase = if (revoked(status)) Phase.REVOKED else when (status.phase) {
            SyncPhase.CONNECTING -> Phase.CONNECTING
            SyncPhase.FIRST_SYNC -> Phase.FETCHING
            SyncPhase.EXCHANGING -> Phase.EXCHANGING
            SyncPhase.OFFLINE, SyncPhase.ENDED -> Phase.WAITING
            SyncPhase.QUIET, SyncPhase.PAUSED, SyncPhase.STOPPED -> Phase.IDLE
        }
        // Reading all conflicts while a first sync runs would slow it down; nothing can be in conflict yet.
        val conflicts = if (phase == Phase.FETCHING) 0 else clashes().size
        state.value = LineState(
            phase = phase,
            done = status.done.toLong(),
            total = status.total.toLong(),
            waitSeconds = (status.retryInMs?.toLong() ?: 0L) / 1000,
            lastSuccess = status.lastSuccessMs?.let(Instant::ofEpochMilli),
            trouble = status.problem?.let { Trouble(it.what, it.toDo, it.retryable, it.code) },
            waiting = (status.outbox + status.attachments).toInt(),
            refused = status.quarantine.toInt(),
            conflicts = conflicts,
        )
    }

    // Head office says it when one comes with nothing; from one who brings something it takes that first, for review.
    private fun revoked(status: SyncStatus): Boolean =
        status.problem?.code == REVOKED || status.quarantine > 0u && replica.quarantine(false).any { it.code == REVOKED }

    private fun newest(collection: String) = Query(collection, sort = listOf(Sort("updated_at", descending = true)), limit = NEWEST)

    companion object {
        private val QUIET = LineState(Phase.IDLE, 0, 0, 0, null, null, 0, 0, 0)
        /** The one refusal after which a phone is erased; a hub that has forgotten it may need what it holds. */
        private const val REVOKED = "link_revoked"
        private val WATCHED = listOf("account", "activity", "opportunity", "contact")

        /** A change shows among the newest records of its collection. */
        private val NEWEST = 40u

        fun open(folder: File, key: ByteArray, language: String): Territory =
            Territory(runBlocking { Replica.open(folder.path, Config(language), Key(key)) }, language)

        fun join(folder: File, key: ByteArray, language: String, code: String): Territory =
            Territory(runBlocking { Replica.join(folder.path, code, Config(language), Key(key)) }, language)
    }
}

/** What went wrong in words; the engine's own where it was the engine. */
fun trouble(failure: Throwable): Trouble = when (failure) {
    is ReplicaException -> failure.problem().let { Trouble(it.what, it.toDo, it.retryable, it.code) }
    else -> Trouble(failure.localizedMessage ?: failure.toString(), "", retryable = false, code = "")
}
