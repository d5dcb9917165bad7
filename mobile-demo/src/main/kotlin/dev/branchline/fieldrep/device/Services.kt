package dev.branchline.fieldrep.device

import android.content.Context

/** A service of the system that every phone has. */
inline fun <reified T : Any> Context.service(): T = getSystemService(T::class.java)!!
