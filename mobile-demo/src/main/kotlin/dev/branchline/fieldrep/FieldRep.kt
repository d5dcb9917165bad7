package dev.branchline.fieldrep

import android.app.Activity
import android.app.Application
import android.content.Intent
import android.content.IntentFilter
import android.net.ConnectivityManager
import android.os.BatteryManager
import android.os.Bundle
import dev.branchline.fieldrep.device.service
import dev.branchline.fieldrep.device.Camera
import dev.branchline.fieldrep.device.Clock
import dev.branchline.fieldrep.device.KeyVault
import dev.branchline.fieldrep.device.Locator
import dev.branchline.fieldrep.device.PhoneCamera
import dev.branchline.fieldrep.device.PhoneLocator
import dev.branchline.fieldrep.device.PhoneVault
import dev.branchline.fieldrep.engine.Access
import dev.branchline.fieldrep.engine.Territory
import dev.branchline.fieldrep.work.Reminders
import dev.branchline.fieldrep.work.SyncJob
import java.time.Instant
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.SupervisorJob
import kotlinx.coroutines.launch

/** The app. What belongs to the phone (clock, place, camera, vault) can be another one in tests. */
open class FieldRep : Application() {
    open val clock: Clock = Clock { Instant.now() }
    open val locator: Locator by lazy { PhoneLocator(this) }
    open val camera: Camera by lazy { PhoneCamera(cacheDir) }
    open val vault: KeyVault by lazy { PhoneVault(this) }
    val access: Access by lazy { Access(this, vault, clock) }
    /** For work that outlives a screen. */
    val background = CoroutineScope(SupervisorJob() + Dispatchers.IO)
    val choices: Choices by lazy { Choices(this) }
    val reminders: Reminders by lazy { Reminders(this) }

    /** Tells the engine what the network costs and how the battery is; it decides what waits. */
    fun hintEngine() {
        val metered = service<ConnectivityManager>().isActiveNetworkMetered && choices.photosWaitWhenMetered
        val battery = registerReceiver(null, IntentFilter(Intent.ACTION_BATTERY_CHANGED))
        val percent = battery?.getIntExtra(BatteryManager.EXTRA_LEVEL, FULL) ?: FULL
        val charging = (battery?.getIntExtra(BatteryManager.EXTRA_PLUGGED, 0) ?: 0) != 0
        val low = percent < LOW && !charging && choices.photosWaitWhenLow
        background.launch { runCatching { access.territory().hints(metered, low) } }
    }

    override fun onCreate() {
        super.onCreate()
        registerActivityLifecycleCallbacks(Presence())
        if (access.state != Access.State.NONE) SyncJob.plan(this)
    }

    /** Tells the lock when the app leaves the screen and comes back. */
    private inner class Presence : ActivityLifecycleCallbacks {
        private var started = 0

        override fun onActivityStarted(activity: Activity) {
            if (started++ > 0) return
            access.cameBack()
            link { it.exchange() }
        }

        override fun onActivityStopped(activity: Activity) {
            if (--started == 0) {
                access.left()
                // The link costs battery; what was typed last goes as soon as the system finds a moment.
                link { it.stopExchange() }
                if (access.state != Access.State.NONE) SyncJob.soon(this@FieldRep)
            }
        }

        private fun link(change: (Territory) -> Unit) {
            val state = access.state
            if (state == Access.State.OPEN || state == Access.State.LOCKED) {
                background.launch { runCatching { change(access.territory()) } }
            }
        }

        override fun onActivityCreated(activity: Activity, state: Bundle?) = Unit
        override fun onActivityResumed(activity: Activity) = Unit
        override fun onActivityPaused(activity: Activity) = Unit
        override fun onActivitySaveInstanceState(activity: Activity, state: Bundle) = Unit
        override fun onActivityDestroyed(activity: Activity) = Unit
    }

    private companion object {
        const val FULL = 100
        const val LOW = 20
    }
}
