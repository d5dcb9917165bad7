package dev.branchline

import kotlinx.coroutines.CancellationException
import kotlinx.coroutines.CoroutineDispatcher
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.Job
import kotlinx.coroutines.NonCancellable
import kotlinx.coroutines.async
import kotlinx.coroutines.channels.Channel
import kotlinx.coroutines.channels.awaitClose
import kotlinx.coroutines.coroutineScope
import kotlinx.coroutines.ensureActive
import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.flow.buffer
import kotlinx.coroutines.flow.callbackFlow
import kotlinx.coroutines.flow.flowOn
import kotlinx.coroutines.job
import kotlinx.coroutines.withContext
import kotlinx.coroutines.withTimeoutOrNull
import kotlin.time.Duration
import kotlin.time.Duration.Companion.milliseconds
import kotlin.time.Duration.Companion.minutes

/**
 * A replica: one folder of the app, with everything that its person may hold, readable and writable without a network.
 *
 * Every suspending function does its work on [dispatcher], so all of them may be called from the main thread. Every failure
 * is a [ReplicaException] with [code], [what], [place], [toDo] and [retryable]. Several coroutines may use one replica at a
 * time. Open one per folder and process, keep it while the app runs, and [close] it in the end; whoever calls it afterwards
 * gets a [ReplicaException.Usage] with the code `replica_closed`.
 *
 * @property blocking the same calls without coroutines, for worker threads and Java.
 */
class Replica private constructor(
    val blocking: BlockingReplica,
    private val dispatcher: CoroutineDispatcher,
) : AutoCloseable {
    private val open = Job()

    companion object {
        /** Opens the replica in a folder, an encrypted one with its [keys]; see [BlockingReplica.open]. */
        suspend fun open(
            path: String,
            config: Config = Config(),
            keys: KeyProvider? = null,
            dispatcher: CoroutineDispatcher = Dispatchers.IO,
        ): Replica = withContext(dispatcher) { Replica(BlockingReplica.open(path, config, keys), dispatcher) }

        /**
         * Enrols: makes a folder a replica under the upstream that gave this invitation code; see [BlockingReplica.join].
         * It holds nothing until its first exchange: [startSync] or [runOnce].
         */
        suspend fun join(
            path: String,
            code: String,
            config: Config = Config(),
            keys: KeyProvider? = null,
            dispatcher: CoroutineDispatcher = Dispatchers.IO,
        ): Replica = withContext(dispatcher) { Replica(BlockingReplica.join(path, code, config, keys), dispatcher) }

        /** Encrypts the plain replica in a folder that nobody has open; see [encryptFolder]. */
        suspend fun encrypt(path: String, keys: KeyProvider, config: Config = Config()) =
            withContext(Dispatchers.IO) { encryptFolder(path, config, keys) }

        /** Decrypts the encrypted replica in a folder that nobody has open; see [decryptFolder]. */
        suspend fun decrypt(path: String, keys: KeyProvider, config: Config = Config()) =
            withContext(Dispatchers.IO) { decryptFolder(path, config, keys) }

        /** Makes a folder the hub of a new workspace; see [BlockingReplica.found]. */
        suspend fun found(
            path: String,
            name: String,
            ownerEmail: String? = null,
            currency: String = "EUR",
            language: String = "en",
            config: Config = Config(),
            keys: KeyProvider? = null,
            dispatcher: CoroutineDispatcher = Dispatchers.IO,
        ): Replica = withContext(dispatcher) {
            Replica(BlockingReplica.found(path, name, ownerEmail, currency, language, config, keys), dispatcher)
        }
    }

    // What it is.

    /** The person that it acts for. */
    suspend fun whoAmI(): Person = io { whoAmI() }

    /** What of the workspace it was granted. */
    suspend fun scopes(): List<Scope> = io { scopes() }

    /** The workspace, and this replica's place in it. */
    suspend fun workspace(): Workspace = io { workspace() }

    /** The collections with their fields and labels in three languages: what forms are built from. */
    suspend fun schema(): List<CollectionSchema> = io { schema() }

    /** The replica in numbers; reads all that is held. */
    suspend fun counts(): Counts = io { counts() }

    /** Checks the folder against itself, and mends with [repair] what can be mended. */
    suspend fun verify(repair: Boolean = false): Health = io { verify(repair) }

    /** Whether the folder is encrypted. */
    suspend fun isEncrypted(): Boolean = io { isEncrypted() }

    /** Has another key open the folder from now on. Keep both keys until it has returned; see [BlockingReplica.rekey]. */
    suspend fun rekey(keys: KeyProvider) = io { rekey(keys) }

    // Records. `record` is an id, a unique prefix of one, `FIELD=VALUE`, or a natural key.

    /** Makes a record and gives its id. */
    suspend fun create(collection: String, values: Map<String, Value>): String = io { create(collection, values) }

    /** Edits a record. */
    suspend fun edit(collection: String, record: String, edits: List<Edit>) = io { edit(collection, record, edits) }

    /** Puts these values into the fields of a record. */
    suspend fun set(collection: String, record: String, values: Map<String, Value>) =
        edit(collection, record, values.map { (field, value) -> Edit.Set(field, value) })

    /** Archives a record: it leaves lists and search, and keeps its history. */
    suspend fun archive(collection: String, record: String) = io { archive(collection, record) }

    /** Brings an archived record back. */
    suspend fun restore(collection: String, record: String) = io { restore(collection, record) }

    /** Takes back one [Change] of a record by a new one. */
    suspend fun undo(collection: String, record: String, change: String) = io { undo(collection, record, change) }

    /** Several writes in one transaction: all become visible together, or none does. Gives the id of each one's record. */
    suspend fun transact(writes: List<Write>): List<String> = io { transact(writes) }

    /** Several writes in one transaction, put together by [build]. Gives the id of each one's record. */
    suspend fun transact(build: Transaction.() -> Unit): List<String> = transact(Transaction().apply(build).writes)

    /** One record with its open conflicts and what of it waits to go up. */
    suspend fun get(collection: String, record: String): Record = io { get(collection, record) }

    /** A part of a list. */
    suspend fun list(query: Query): Page = io { list(query) }

    /** How many records a query asks for; its limit does not count. */
    suspend fun count(query: Query): Long = io { count(query) }.toLong()

    /** Full-text search: records with words that begin like those of [text], in any case. */
    suspend fun search(text: String, limit: Int = 20): List<Hit> = io { search(text, limit.toUInt()) }

    /** Every change of a record, oldest first. */
    suspend fun history(collection: String, record: String): List<Change> = io { history(collection, record) }

    /** Turns a lead into an account, a contact and a deal, once. */
    suspend fun convertLead(lead: String): Converted = io { convertLead(lead) }

    /**
     * The result of a query, now and whenever it has changed, whoever changed it. Slow collectors get the newest result,
     * not all of them. It completes when the replica is closed.
     */
    fun watch(query: Query): Flow<Page> = callbackFlow {
        val watch = blocking.watch(query, object : PageListener {
            override fun changed(page: Page) {
                trySend(page)
            }

            // The watch goes on; the next result that can be read arrives.
            override fun failed(problem: Problem) = Unit
        })
        val closing = open.invokeOnCompletion { close() }
        awaitClose {
            closing.dispose()
            watch.stop()
            watch.close()
        }
    }.buffer(Channel.CONFLATED).flowOn(dispatcher)

    // Conflicts and what was refused.

    /** Every open conflict of every record held. */
    suspend fun conflicts(): List<Conflict> = io { conflicts() }

    /** Settles a conflict in favour of one of its values. */
    suspend fun resolve(conflict: Conflict, keep: ConflictValue) =
        resolve(conflict.collection, conflict.record, conflict.field, keep.value)

    /** Settles a conflict of a field in favour of one of its values. */
    suspend fun resolve(collection: String, record: String, field: String, keep: Value) =
        io { resolve(collection, record, field, keep) }

    /** The changes that the upstream refused; with [settled], also those that somebody has dealt with. */
    suspend fun quarantine(settled: Boolean = false): List<RefusedChange> = io { quarantine(settled) }

    /** Puts refused changes in the way again: the transaction of one, or all that wait. */
    suspend fun retry(id: ULong? = null): List<Retried> = io { retry(id) }

    /** Writes everything that was refused to a JSON file and gives the number of changes. */
    suspend fun exportQuarantine(file: String): Long = io { exportQuarantine(file) }.toLong()

    // Attachments.

    /** Takes a file in, for an attachment value of a record. */
    suspend fun attach(
        path: String,
        media: String,
        name: String? = null,
        progress: ((done: Long, total: Long) -> Unit)? = null,
    ): Attachment = io { attach(path, media, name, progress?.let(::listener)) }

    /** Takes a file in and puts it into a field of a record. */
    suspend fun attachTo(
        collection: String,
        record: String,
        field: String,
        path: String,
        media: String,
        progress: ((done: Long, total: Long) -> Unit)? = null,
    ): Attachment = io { attachTo(collection, record, field, path, media, progress?.let(::listener)) }

    /** What is known of an attachment here. */
    suspend fun attachment(hash: String): AttachmentState = io { attachment(hash) }

    /** Asks for an attachment: it comes with the next exchange, or with the one that runs. */
    suspend fun want(hash: String) = io { want(hash) }

    /** The bytes of an attachment that is here; for large ones there is [saveAttachment]. */
    suspend fun readAttachment(hash: String): ByteArray = io { readAttachment(hash) }

    /** Copies an attachment that is here into a new file, which is not encrypted. */
    suspend fun saveAttachment(hash: String, path: String) = io { saveAttachment(hash, path) }

    /** Brings an attachment here; [progress] hears the bytes that have arrived. */
    suspend fun fetch(
        hash: String,
        deadline: Duration = 10.minutes,
        progress: ((received: Long) -> Unit)? = null,
    ): Unit = interruptible {
        val told = progress?.let { listener { done, _ -> it(done) } }
        blocking.fetch(hash, deadline.inWholeMilliseconds.toULong(), told)
    }

    // Sync.

    /** Keeps the upstream link in the background until the handle is stopped or the replica closed. */
    suspend fun startSync(): Sync = withContext(dispatcher) { Sync.start(blocking, dispatcher) }

    /**
     * One exchange, for work that the system schedules (WorkManager, JobScheduler): until nothing waits at either end, or
     * stopped cleanly at the [deadline], so that the next call goes on from there. When the coroutine is cancelled it stops
     * cleanly, too. [onStatus] comes from a worker thread.
     */
    suspend fun runOnce(deadline: Duration, onStatus: ((SyncStatus) -> Unit)? = null): Exchange = interruptible {
        val listener = onStatus?.let {
            object : SyncListener {
                override fun changed(status: SyncStatus) = it(status)
            }
        }
        blocking.runOnce(deadline.inWholeMilliseconds.toULong(), listener)
    }

    /** Says what the device knows of its line and battery: while one of them is short, attachments wait. */
    suspend fun setHints(hints: Hints) = io { setHints(hints) }

    /** Cuts the line by hand, or restores it. */
    suspend fun setPaused(paused: Boolean) = io { setPaused(paused) }

    // Reports.

    /** A report over everything held here: `funnel`, `pipeline`, `activity`. */
    suspend fun report(request: ReportRequest): Report = io { report(request) }

    /** A report as an SVG chart. */
    suspend fun reportChart(request: ReportRequest): String = io { reportChart(request) }

    /** The person's day, from [beginMs] until before [endMs], in milliseconds since 1970. */
    suspend fun myDay(beginMs: Long, endMs: Long): Agenda = io { myDay(beginMs, endMs) }

    /**
     * Closes it: watches complete, exchanges stop cleanly, calls that run finish. It does not wait for them. Closing twice
     * is no error.
     */
    override fun close() {
        blocking.shut()
        open.complete()
    }

    private suspend fun <T> io(call: BlockingReplica.() -> T): T = withContext(dispatcher) { blocking.call() }

    // A long call that ends early, and cleanly, when whoever waits for it no longer does.
    private suspend fun <T> interruptible(call: () -> T): T = coroutineScope {
        val waiting = coroutineContext.job
        val work = async(dispatcher + NonCancellable) {
            waiting.ensureActive()
            call()
        }
        try {
            work.await()
        } catch (cancelled: CancellationException) {
            // A call hears an interrupt only once it has begun.
            withContext(NonCancellable) {
                do blocking.interrupt() while (withTimeoutOrNull(100.milliseconds) { work.join() } == null)
            }
            throw cancelled
        }
    }
}

private fun listener(progress: (Long, Long) -> Unit) = object : ProgressListener {
    override fun moved(done: ULong, total: ULong) = progress(done.toLong(), total.toLong())
}
