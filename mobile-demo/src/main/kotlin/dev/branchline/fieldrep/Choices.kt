package dev.branchline.fieldrep

import android.content.Context

/** What the person has chosen on this phone, and the visit that is going on. Nothing of a client is kept here but an id. */
class Choices(context: Context) {
    private val kept = context.getSharedPreferences("choices", Context.MODE_PRIVATE)

    /** Whether photos wait for a line that costs nothing. */
    var photosWaitWhenMetered: Boolean
        get() = kept.getBoolean("metered", true)
        set(value) = kept.edit().putBoolean("metered", value).apply()

    /** Whether photos wait while the battery is low. */
    var photosWaitWhenLow: Boolean
        get() = kept.getBoolean("battery", true)
        set(value) = kept.edit().putBoolean("battery", value).apply()

    /** The visit that was begun and not ended. */
    var openVisit: String?
        get() = kept.getString("visit", null)
        set(value) {
            // At once: it must be there after the process was killed.
            kept.edit().putString("visit", value).commit()
        }

    fun forget() {
        kept.edit().clear().commit()
    }
}
