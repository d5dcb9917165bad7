package dev.branchline.fieldrep

import android.os.Handler
import android.os.Looper
import dev.branchline.fieldrep.device.Clock
import dev.branchline.fieldrep.device.FileVault
import dev.branchline.fieldrep.device.KeyVault
import dev.branchline.fieldrep.device.Locator
import java.io.File
import java.time.Duration
import java.time.Instant
import java.time.LocalDate
import java.time.ZoneId
import javax.crypto.KeyGenerator
import javax.crypto.SecretKey
import javax.crypto.spec.SecretKeySpec

/** The app on a phone whose clock, place and secure hardware the test holds in its hands. */
class TestFieldRep : FieldRep() {
    var time: Instant = Instant.parse("2026-11-27T08:40:00Z")
    var place: Place? = Place(50.4501, 30.5234)
    /** Where the phone really is. */
    var measured: Place? = place

    override val clock = Clock { time }
    override val locator = object : Locator {
        override val allowed = true
        override fun here() = place

        // A real one takes its time, too.
        override fun measure(then: (Place?) -> Unit) {
            Handler(Looper.getMainLooper()).postDelayed({ then(measured) }, MEASURING_MS)
        }
    }
    override val vault: KeyVault by lazy { TestVault(noBackupFilesDir) }

    val today: LocalDate get() = time.atZone(ZoneId.systemDefault()).toLocalDate()

    fun pass(by: Duration) {
        time += by
    }

    private companion object {
        const val MEASURING_MS = 100L
    }
}

/** A vault whose sealing key lies in a file, as no phone would keep it: the keystore of a phone does not exist here. */
class TestVault(folder: File) : FileVault(folder) {
    private val file = File(folder, "hardware.key")

    override fun sealingKey(): SecretKey {
        if (!file.exists()) {
            file.parentFile?.mkdirs()
            file.writeBytes(KeyGenerator.getInstance("AES").apply { init(256) }.generateKey().encoded)
        }
        return SecretKeySpec(file.readBytes(), "AES")
    }

    override fun forget() {
        super.forget()
        file.delete()
    }
}
