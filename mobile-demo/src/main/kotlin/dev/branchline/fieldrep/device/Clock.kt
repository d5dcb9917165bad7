package dev.branchline.fieldrep.device

import java.time.Instant

/** The time of day. */
fun interface Clock {
    fun now(): Instant
}
