package dev.tinyvlm.internal

import dev.tinyvlm.ErrorCode
import dev.tinyvlm.TinyVlmException

/** What the system does for the engine; a PC has none of it. */
internal interface Platform {
  /**
   * Adds an image file whose format the engine does not decode; null where the system does not know
   * it either.
   */
  fun addFile(file: ByteArray, target: ImageTarget): Int?
}

/** A session that takes an image. */
internal class ImageTarget(
  private val session: Long,
  private val flags: Int,
  private val platform: Platform?,
  /** Edge length of the model's input image: more of a picture is not looked at. */
  val imageSize: Int,
) {
  fun addFile(file: ByteArray): Int {
    if (!engineDecodes(file) && flags and Native.IMAGE_EXACT == 0)
      platform?.addFile(file, this)?.let {
        return it
      }
    return Native.sessionAddImage(session, file, flags)
  }

  fun addRows(width: Int, height: Int, rows: NativeRows): Int {
    val rowBytes = 4L * width
    val bytes = minOf(maxOf(BUFFER_BYTES, rowBytes), rowBytes * height)
    if (bytes > Int.MAX_VALUE)
      throw TinyVlmException(ErrorCode.INVALID_IMAGE, "an image of ${width}x$height is too large")
    return Native.sessionAddPixels(session, rows, width, height, ByteArray(bytes.toInt()), flags)
  }

  private companion object {
    const val BUFFER_BYTES = 256L shl 10
    val PNG = byteArrayOf(0x89.toByte(), 'P'.code.toByte(), 'N'.code.toByte(), 'G'.code.toByte())
    val JPEG = byteArrayOf(0xff.toByte(), 0xd8.toByte(), 0xff.toByte())

    fun engineDecodes(file: ByteArray) =
      listOf(PNG, JPEG).any { it.size <= file.size && it.indices.all { i -> it[i] == file[i] } }
  }
}
