package dev.branchline.fieldrep.device

import android.Manifest
import android.content.Context
import android.content.pm.PackageManager
import android.location.LocationManager
import dev.branchline.fieldrep.Place

/** Where the phone is. */
interface Locator {
    /** The newest known place, if the person allows it and the phone knows one. */
    fun here(): Place?
}

class PhoneLocator(private val context: Context) : Locator {
    override fun here(): Place? {
        val allowed = context.checkSelfPermission(Manifest.permission.ACCESS_FINE_LOCATION) == PackageManager.PERMISSION_GRANTED
        if (!allowed) return null
        val places = context.service<LocationManager>()
        val newest = places.getProviders(true).mapNotNull(places::getLastKnownLocation).maxByOrNull { it.time }
        return newest?.let { Place(it.latitude, it.longitude) }
    }
}
