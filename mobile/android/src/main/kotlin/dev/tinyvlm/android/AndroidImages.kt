@file:JvmName("AndroidImages")

package dev.tinyvlm

import android.content.Context
import android.graphics.Bitmap
import android.graphics.ImageFormat
import android.media.Image
import android.net.Uri
import android.os.Build
import dev.tinyvlm.internal.ImageTarget
import java.io.FileNotFoundException
import java.io.IOException
import kotlinx.coroutines.flow.Flow

/**
 * A Bitmap of any configuration; a hardware bitmap is copied when it is read. It is read row by
 * row, without a copy of the whole, when its question's turn comes, and must not be recycled
 * before.
 */
public fun ImageInput.Companion.bitmap(bitmap: Bitmap): ImageInput = BitmapImage(bitmap)

/** An image file of this or another app, by its `content:` or `file:` address, of any format. */
public fun ImageInput.Companion.uri(context: Context, uri: Uri): ImageInput =
  UriImage(context.applicationContext ?: context, uri)

/**
 * A camera's frame (`YUV_420_888`), which is copied: it may be closed after this. With CameraX:
 * `ImageInput.frame(proxy.image!!, proxy.imageInfo.rotationDegrees)`. Throws `unsupported` for
 * another format.
 *
 * @param rotationDegrees clockwise, what turns the frame upright: 0, 90, 180 or 270.
 */
public fun ImageInput.Companion.frame(image: Image, rotationDegrees: Int = 0): ImageInput {
  if (image.format != ImageFormat.YUV_420_888)
    throw TinyVlmException(
      ErrorCode.UNSUPPORTED,
      "wanted a frame of the format YUV_420_888 (${ImageFormat.YUV_420_888}), " +
        "found ${image.format}",
    )
  val (y, u, v) = image.planes.map { YuvPlane(it.buffer, it.rowStride, it.pixelStride) }
  return yuv420(image.width, image.height, y, u, v, rotationDegrees)
}

/** Asks about a Bitmap: [TinyVlm.ask], [ImageInput.Companion.bitmap]. */
@JvmOverloads
public fun TinyVlm.ask(
  image: Bitmap,
  question: String,
  options: AskOptions = AskOptions(),
): Flow<String> = ask(ImageInput.bitmap(image), question, options)

private class BitmapImage(private val bitmap: Bitmap) : ImageInput() {
  override fun addTo(target: ImageTarget): Int {
    if (bitmap.isRecycled) throw recycled()
    if (Build.VERSION.SDK_INT >= Build.VERSION_CODES.O && bitmap.config == Bitmap.Config.HARDWARE) {
      val copy =
        bitmap.copy(Bitmap.Config.ARGB_8888, false)
          ?: throw TinyVlmException(
            ErrorCode.OUT_OF_MEMORY,
            "a hardware bitmap of ${bitmap.width}x${bitmap.height} cannot be copied",
          )
      return try {
        add(copy, target)
      } finally {
        copy.recycle()
      }
    }
    return add(bitmap, target)
  }

  // getPixels, which tells every configuration as ARGB that is not premultiplied; the order of
  // bytes in a Bitmap's own buffer differs from device to device.
  private fun add(bitmap: Bitmap, target: ImageTarget): Int {
    val width = bitmap.width
    var colors = IntArray(0)
    return target.addRows(width, bitmap.height) { first, count, to ->
      if (colors.size < count * width) colors = IntArray(count * width)
      try {
        bitmap.getPixels(colors, 0, width, 0, first, width, count)
      } catch (error: IllegalStateException) {
        throw recycled(error)
      }
      var at = 0
      for (index in 0 until count * width) {
        val color = colors[index]
        to[at++] = (color shr 16).toByte()
        to[at++] = (color shr 8).toByte()
        to[at++] = color.toByte()
        to[at++] = (color ushr 24).toByte()
      }
    }
  }

  private fun recycled(cause: Throwable? = null) =
    TinyVlmException(
      ErrorCode.INVALID_IMAGE,
      "wanted a Bitmap with pixels, found one that was recycled",
      cause,
    )
}

private class UriImage(private val context: Context, private val uri: Uri) : ImageInput() {
  override fun addTo(target: ImageTarget): Int {
    val file =
      try {
        context.contentResolver.openInputStream(uri)?.use { it.readBytes() }
      } catch (error: FileNotFoundException) {
        throw TinyVlmException(ErrorCode.NOT_FOUND, "no image at $uri: ${error.message}", error)
      } catch (error: SecurityException) {
        throw TinyVlmException(ErrorCode.IO, "$uri may not be read: ${error.message}", error)
      } catch (error: IOException) {
        throw TinyVlmException(ErrorCode.IO, "$uri cannot be read: ${error.message}", error)
      } ?: throw TinyVlmException(ErrorCode.NOT_FOUND, "there is no image at $uri")
    return target.addFile(file)
  }
}
