package dev.branchline.fieldrep.device

import android.graphics.Bitmap
import com.google.zxing.BinaryBitmap
import com.google.zxing.DecodeHintType
import com.google.zxing.NotFoundException
import com.google.zxing.RGBLuminanceSource
import com.google.zxing.ReaderException
import com.google.zxing.common.HybridBinarizer
import com.google.zxing.qrcode.QRCodeReader

/** Finds the text of a QR code in a picture. */
fun readCode(picture: Bitmap): String? {
    val pixels = IntArray(picture.width * picture.height)
    picture.getPixels(pixels, 0, picture.width, 0, 0, picture.width, picture.height)
    val light = RGBLuminanceSource(picture.width, picture.height, pixels)
    val hints = mapOf(DecodeHintType.TRY_HARDER to true)
    return try {
        read(BinaryBitmap(HybridBinarizer(light)), hints)
    } catch (nothing: NotFoundException) {
        // A code on a dark terminal is light on dark.
        try {
            read(BinaryBitmap(HybridBinarizer(light.invert())), hints)
        } catch (nothing: ReaderException) {
            null
        }
    } catch (damaged: ReaderException) {
        null
    }
}

private fun read(picture: BinaryBitmap, hints: Map<DecodeHintType, *>): String = QRCodeReader().decode(picture, hints).text
