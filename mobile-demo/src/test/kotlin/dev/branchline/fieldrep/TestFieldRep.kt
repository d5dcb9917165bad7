package dev.branchline.fieldrep

import android.content.Context
import dev.branchline.fieldrep.device.Clock
import dev.branchline.fieldrep.device.FileVault
import dev.branchline.fieldrep.device.KeyVault
import dev.branchline.fieldrep.device.Locator
import java.io.File
import java.time.Duration
import java.time.Instant
import javax.crypto.KeyGenerator
import javax.crypto.SecretKey
import javax.crypto.spec.SecretKeySpec

/** The app on a phone whose clock, place and secure hardware the test holds in its hands. */
class TestFieldRep : FieldRep() {
    var time: Instant = Instant.parse("2026-11-27T08:40:00Z")
    var place: Place? = Place(50.4501, 30.5234)

    override val clock = Clock { time }
    override val locator = object : Locator {
        override fun here() = place
    }
    override val vault: KeyVault by lazy { TestVault(noBackupFilesDir) }

    fun pass(by: Duration) {
        time += by
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
