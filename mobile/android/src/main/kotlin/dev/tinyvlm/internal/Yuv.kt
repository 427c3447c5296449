package dev.tinyvlm.internal

import dev.tinyvlm.ErrorCode
import dev.tinyvlm.TinyVlmException
import dev.tinyvlm.YuvPlane

/** A copy of a plane. */
private class Samples(plane: YuvPlane, name: String, width: Int, height: Int) {
  private val rowStride = plane.rowStride
  private val pixelStride = plane.pixelStride
  private val bytes: ByteArray

  init {
    val (least, found) = (width - 1L) * pixelStride + 1 to plane.buffer.remaining()
    val wanted = (height - 1L) * rowStride + least
    if (pixelStride < 1 || rowStride < least || found < wanted)
      throw TinyVlmException(
        ErrorCode.INVALID_ARGUMENT,
        "plane $name: wanted $wanted bytes for ${width}x$height samples " +
          "(rowStride $rowStride, pixelStride $pixelStride), found $found",
      )
    bytes = ByteArray(wanted.toInt())
    plane.buffer.duplicate().get(bytes)
  }

  operator fun get(x: Int, y: Int) = bytes[y * rowStride + x * pixelStride].toInt() and 255
}

/**
 * The rows of a frame that is turned clockwise; BT.601, full range, as JFIF and cameras have it.
 */
internal fun yuvRows(
  width: Int,
  height: Int,
  y: YuvPlane,
  u: YuvPlane,
  v: YuvPlane,
  rotationDegrees: Int,
): NativeRows {
  val luma = Samples(y, "Y", width, height)
  val blue = Samples(u, "U", (width + 1) / 2, (height + 1) / 2)
  val red = Samples(v, "V", (width + 1) / 2, (height + 1) / 2)
  val outWidth = if (rotationDegrees % 180 == 0) width else height
  return NativeRows { first, count, to ->
    var at = 0
    for (row in first until first + count) {
      for (column in 0 until outWidth) {
        val sourceX: Int
        val sourceY: Int
        when (rotationDegrees) {
          90 -> {
            sourceX = row
            sourceY = height - 1 - column
          }
          180 -> {
            sourceX = width - 1 - column
            sourceY = height - 1 - row
          }
          270 -> {
            sourceX = width - 1 - row
            sourceY = column
          }
          else -> {
            sourceX = column
            sourceY = row
          }
        }
        val light = luma[sourceX, sourceY] shl 16
        val cb = blue[sourceX / 2, sourceY / 2] - 128
        val cr = red[sourceX / 2, sourceY / 2] - 128
        to[at++] = channel(light + 91881 * cr)
        to[at++] = channel(light - 22554 * cb - 46802 * cr)
        to[at++] = channel(light + 116130 * cb)
        to[at++] = -1
      }
    }
  }
}

/** From 16 bits behind the point, rounded, to 0..255. */
private fun channel(value: Int) = ((value + 32768) shr 16).coerceIn(0, 255).toByte()
