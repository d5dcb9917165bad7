package dev.branchline.fieldrep.device

import android.app.Activity
import android.content.ActivityNotFoundException
import android.content.ClipData
import android.content.Intent
import android.graphics.Bitmap
import android.graphics.BitmapFactory
import android.provider.MediaStore
import java.io.File
import kotlin.math.max

/** Takes pictures. */
interface Camera {
    /** Asks for a picture; the activity gets the result under `request`. False where the phone has no camera. */
    fun take(activity: Activity, request: Int): Boolean

    /** The file with the last picture, if one was taken. */
    fun taken(): File?
}

/** The phone's own camera app writes into a file of ours; so this app needs no right to the camera. */
class PhoneCamera(private val folder: File) : Camera {
    private val file get() = File(folder, PhotoProvider.NAME)

    override fun take(activity: Activity, request: Int): Boolean {
        file.delete()
        val intent = Intent(MediaStore.ACTION_IMAGE_CAPTURE)
            .putExtra(MediaStore.EXTRA_OUTPUT, PhotoProvider.URI)
            .addFlags(Intent.FLAG_GRANT_WRITE_URI_PERMISSION)
        intent.clipData = ClipData.newRawUri(null, PhotoProvider.URI)
        return try {
            activity.startActivityForResult(intent, request)
            true
        } catch (none: ActivityNotFoundException) {
            false
        }
    }

    override fun taken(): File? = file.takeIf { it.length() > 0 }
}

/** A picture no larger than `side` pixels, read without holding all of its pixels. */
fun readPicture(bytes: ByteArray, side: Int): Bitmap? = scaled(side) { BitmapFactory.decodeByteArray(bytes, 0, bytes.size, it) }

private fun scaled(side: Int, decode: (BitmapFactory.Options) -> Bitmap?): Bitmap? {
    val bounds = BitmapFactory.Options().apply { inJustDecodeBounds = true }
    decode(bounds)
    var step = 1
    while (max(bounds.outWidth, bounds.outHeight) / (step * 2) >= side) step *= 2
    return decode(BitmapFactory.Options().apply { inSampleSize = step })
}

/** Makes a picture small enough for a slow line, in a file beside it. */
fun shrinkPicture(file: File): File {
    val picture = scaled(PICTURE_SIDE_MAX) { BitmapFactory.decodeFile(file.path, it) } ?: return file
    val small = File(file.parentFile, "small-${file.name}")
    small.outputStream().use { picture.compress(Bitmap.CompressFormat.JPEG, PICTURE_QUALITY, it) }
    return small
}

private const val PICTURE_SIDE_MAX = 1600
private const val PICTURE_QUALITY = 80
