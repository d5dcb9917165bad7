package dev.branchline.fieldrep.device

import android.Manifest
import android.content.Context
import android.content.pm.PackageManager
import android.location.Location
import android.location.LocationListener
import android.location.LocationManager
import android.os.Build
import android.os.Bundle
import android.os.Handler
import android.os.Looper
import android.os.SystemClock
import dev.branchline.fieldrep.Place
import java.time.Duration

/** Where the phone is. */
interface Locator {
    /** Whether the person allows it. */
    val allowed: Boolean

    /** The newest known place, if the person allows it and the phone knows one. */
    fun here(): Place?

    /**
     * Measures where the phone is now, and calls back once on the main thread. Without a measurement in time it is a place of
     * the last minutes, else none.
     */
    fun measure(then: (Place?) -> Unit)
}

class PhoneLocator(private val context: Context) : Locator {
    private val places get() = context.service<LocationManager>()

    override fun here(): Place? = newest()?.let { Place(it.latitude, it.longitude) }

    override val allowed: Boolean
        get() = context.checkSelfPermission(Manifest.permission.ACCESS_FINE_LOCATION) == PackageManager.PERMISSION_GRANTED

    private fun newest(): Location? =
        if (allowed) places.getProviders(true).mapNotNull(places::getLastKnownLocation).maxByOrNull { it.time } else null

    override fun measure(then: (Place?) -> Unit) {
        val provider = if (allowed) places.getProviders(true).minByOrNull(::rank) else null
        if (provider == null) {
            then(null)
            return
        }
        Measurement(provider, then).begin()
    }

    // Where the phone combines its sources, it knows best itself.
    private fun rank(provider: String) = listOf("fused", LocationManager.GPS_PROVIDER, LocationManager.NETWORK_PROVIDER)
        .indexOf(provider).let { if (it < 0) Int.MAX_VALUE else it }

    private inner class Measurement(private val provider: String, private val then: (Place?) -> Unit) : LocationListener {
        private val main = Handler(Looper.getMainLooper())
        private val late = Runnable { end(newest()?.takeIf { age(it) < FRESH }) }

        @Suppress("DEPRECATION") // The newer way begins with API 30.
        fun begin() {
            main.postDelayed(late, PATIENCE.toMillis())
            places.requestSingleUpdate(provider, this, Looper.getMainLooper())
        }

        override fun onLocationChanged(location: Location) = end(location)

        override fun onProviderDisabled(provider: String) {
            main.removeCallbacks(late)
            late.run()
        }

        override fun onProviderEnabled(provider: String) = Unit

        @Deprecated("called by Android before 10")
        override fun onStatusChanged(provider: String?, status: Int, extras: Bundle?) = Unit

        private fun end(location: Location?) {
            main.removeCallbacks(late)
            places.removeUpdates(this)
            then(location?.let { Place(it.latitude, it.longitude) })
        }
    }

    private fun age(of: Location) = Duration.ofNanos(SystemClock.elapsedRealtimeNanos() - of.elapsedRealtimeNanos)

    private companion object {
        val PATIENCE: Duration = Duration.ofSeconds(30)
        val FRESH: Duration = Duration.ofMinutes(2)
    }
}
