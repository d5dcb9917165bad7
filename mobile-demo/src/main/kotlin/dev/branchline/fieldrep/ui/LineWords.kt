package dev.branchline.fieldrep.ui

import android.content.Context
import dev.branchline.fieldrep.LineState
import dev.branchline.fieldrep.LineState.Phase
import dev.branchline.fieldrep.R
import dev.branchline.fieldrep.Words
import java.time.Duration
import java.time.Instant

/** Says in plain words where the line stands. What needs a person comes first, then what waits, then that all is well. */
class LineWords(private val context: Context) {
    private val words = Words(context)
    private val resources = context.resources

    /** Icon, colour and words. */
    fun glance(state: LineState): Triple<Int, Int, String> = when {
        state.refused > 0 -> Triple(R.drawable.ic_refused, R.color.danger, title(state))
        state.conflicts > 0 -> Triple(R.drawable.ic_conflict, R.color.warn, title(state))
        running(state) -> Triple(R.drawable.ic_sync, R.color.brand, title(state))
        state.waiting > 0 || state.lastSuccess == null -> Triple(R.drawable.ic_waiting, R.color.muted, title(state))
        else -> Triple(R.drawable.ic_line, R.color.good, title(state))
    }

    fun title(state: LineState): String = when {
        state.refused > 0 -> resources.getQuantityString(R.plurals.line_refused_count, state.refused, state.refused)
        state.conflicts > 0 -> resources.getQuantityString(R.plurals.line_conflict_count, state.conflicts, state.conflicts)
        running(state) -> context.getString(R.string.line_syncing)
        state.waiting > 0 -> resources.getQuantityString(R.plurals.line_waiting, state.waiting, state.waiting)
        state.lastSuccess == null -> context.getString(R.string.line_never)
        else -> context.getString(R.string.line_delivered)
    }

    fun body(state: LineState): String = when {
        state.phase == Phase.CONNECTING -> context.getString(R.string.sync_connecting)
        state.phase == Phase.FETCHING || state.phase == Phase.EXCHANGING -> progress(state)
        state.refused > 0 -> context.getString(R.string.line_refused_body)
        state.waiting > 0 || state.lastSuccess == null -> context.getString(R.string.line_waiting_body)
        else -> context.getString(R.string.line_delivered_body)
    }

    /** What the exchange does, and how far it is. */
    fun progress(state: LineState): String = when {
        state.total > 0 -> context.getString(R.string.sync_of, words.count(state.done), words.count(state.total))
        state.phase == Phase.FETCHING -> context.getString(R.string.sync_fetching)
        else -> context.getString(R.string.sync_exchanging)
    }

    fun last(state: LineState, now: Instant): String = when {
        state.phase == Phase.WAITING && state.waitSeconds > 0 -> {
            val wait = words.duration(Duration.ofSeconds(state.waitSeconds))
            "${context.getString(R.string.line_no_signal)}. ${context.getString(R.string.line_again_at, wait)}"
        }
        state.lastSuccess != null -> context.getString(R.string.line_last, words.momentInFull(state.lastSuccess, now))
        else -> context.getString(R.string.line_never)
    }

    fun running(state: LineState) =
        state.phase == Phase.CONNECTING || state.phase == Phase.FETCHING || state.phase == Phase.EXCHANGING
}
