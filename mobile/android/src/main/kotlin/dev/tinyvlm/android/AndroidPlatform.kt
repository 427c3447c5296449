package dev.tinyvlm.internal

import android.annotation.TargetApi
import android.graphics.Bitmap
import android.graphics.BitmapFactory
import android.graphics.ImageDecoder
import android.os.Build
import dev.tinyvlm.ImageInput
import dev.tinyvlm.bitmap
import java.io.IOException
import java.nio.ByteBuffer

/** Decodes with Android what the engine does not: WebP, HEIC, AVIF, GIF, BMP. */
internal object AndroidPlatform : Platform {
  override fun addFile(file: ByteArray, target: ImageTarget): Int? {
    // More than this is not looked at; half a step is left to the engine's better filter.
    val side = maxOf(2 * target.imageSize, 1)
    val modern = Build.VERSION.SDK_INT >= Build.VERSION_CODES.P
    val bitmap = (if (modern) decode(file, side) else decodeBefore28(file, side)) ?: return null
    return try {
      ImageInput.bitmap(bitmap).addTo(target)
    } finally {
      bitmap.recycle()
    }
  }

  // Turns the image upright, too, as its file says.
  @TargetApi(Build.VERSION_CODES.P)
  private fun decode(file: ByteArray, side: Int): Bitmap? =
    try {
      ImageDecoder.decodeBitmap(ImageDecoder.createSource(ByteBuffer.wrap(file))) { decoder, info, _
        ->
        decoder.allocator = ImageDecoder.ALLOCATOR_SOFTWARE
        decoder.isUnpremultipliedRequired = true
        decoder.setTargetSampleSize(sampleSize(info.size.width, info.size.height, side))
      }
    } catch (_: IOException) {
      null
    }

  private fun decodeBefore28(file: ByteArray, side: Int): Bitmap? {
    val options = BitmapFactory.Options()
    options.inJustDecodeBounds = true
    BitmapFactory.decodeByteArray(file, 0, file.size, options)
    if (options.outWidth < 1 || options.outHeight < 1) return null
    options.inJustDecodeBounds = false
    options.inSampleSize = sampleSize(options.outWidth, options.outHeight, side)
    return BitmapFactory.decodeByteArray(file, 0, file.size, options)
  }

  /** The power of two that leaves the longer side at least `side` pixels. */
  fun sampleSize(width: Int, height: Int, side: Int): Int {
    var sample = 1
    while (maxOf(width, height) / (2 * sample) >= side) sample *= 2
    return sample
  }
}
