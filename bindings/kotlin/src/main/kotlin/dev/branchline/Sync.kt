package dev.branchline

import kotlinx.coroutines.CoroutineDispatcher
import kotlinx.coroutines.flow.MutableStateFlow
import kotlinx.coroutines.flow.StateFlow
import kotlinx.coroutines.flow.asStateFlow
import kotlinx.coroutines.withContext
import kotlin.time.Duration
import kotlin.time.Duration.Companion.seconds

/** The upstream link of a [Replica], kept in the background. */
class Sync private constructor(
    private val handle: SyncHandle,
    private val state: MutableStateFlow<SyncStatus>,
    private val dispatcher: CoroutineDispatcher,
) : AutoCloseable {
    /** What the link does and what waits; its last value has the phase `STOPPED` or `ENDED`. */
    val status: StateFlow<SyncStatus> = state.asStateFlow()

    /** Ends the link and waits until it has ended; false where that takes longer than [patience]. */
    suspend fun stop(patience: Duration = 10.seconds): Boolean = withContext(dispatcher) {
        handle.stop()
        handle.wait(patience.inWholeMilliseconds.toULong())
    }

    /** Ends the link and returns at once. */
    override fun close() = handle.stop()

    internal companion object {
        fun start(replica: BlockingReplica, dispatcher: CoroutineDispatcher): Sync {
            val state = MutableStateFlow(IDLE)
            val handle = replica.startSync(object : SyncListener {
                override fun changed(status: SyncStatus) {
                    state.value = status
                }
            })
            // Where nothing was told yet; a state that was told meanwhile is newer and stays.
            state.compareAndSet(IDLE, handle.status())
            return Sync(handle, state, dispatcher)
        }

        private val IDLE = SyncStatus(SyncPhase.CONNECTING, 0u, 0u, 0u, 0u, 0u, null, null, null)
    }
}
