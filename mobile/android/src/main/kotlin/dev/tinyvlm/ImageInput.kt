package dev.tinyvlm

import dev.tinyvlm.internal.ImageTarget
import dev.tinyvlm.internal.yuvRows
import java.nio.ByteBuffer

/**
 * An image to ask about. It is read when its question's turn comes, and again whenever it is asked
 * about again; what it was made of must not change until then.
 */
public abstract class ImageInput internal constructor() {
  /** Decodes the image into the session; its number there. */
  internal abstract fun addTo(target: ImageTarget): Int

  public companion object {
    /**
     * The bytes of an image file. PNG and JPEG are decoded by the engine; other formats (WebP,
     * HEIC, AVIF, GIF) by Android, as far as the device knows them.
     */
    @JvmStatic public fun encoded(file: ByteArray): ImageInput = EncodedImage(file)

    /**
     * Rows of RGBA, 8 bits a channel, alpha not premultiplied, the top one first.
     *
     * @param stride bytes from one row to the next.
     */
    @JvmStatic
    @JvmOverloads
    public fun rgba(
      pixels: ByteArray,
      width: Int,
      height: Int,
      stride: Int = 4 * width,
    ): ImageInput = RgbaImage(pixels, width, height, stride)

    /**
     * A camera's frame, as `YUV_420_888` has it: planes of Y, U and V (full range, BT.601), the
     * latter two at half the resolution. The planes are copied: the frame may be closed.
     *
     * @param width in pixels, before it is turned.
     * @param height in pixels, before it is turned.
     * @param rotationDegrees clockwise, 0, 90, 180 or 270: what turns the frame upright, as
     *   CameraX's `ImageInfo.getRotationDegrees` says it.
     */
    @JvmStatic
    @JvmOverloads
    public fun yuv420(
      width: Int,
      height: Int,
      y: YuvPlane,
      u: YuvPlane,
      v: YuvPlane,
      rotationDegrees: Int = 0,
    ): ImageInput = YuvImage(width, height, y, u, v, rotationDegrees)
  }
}

/** One plane of a camera's frame. */
public class YuvPlane(
  /** Its bytes from the buffer's position on. */
  public val buffer: ByteBuffer,
  /** Bytes from one row to the next. */
  public val rowStride: Int,
  /** Bytes from one sample to the next. */
  public val pixelStride: Int,
)

private class EncodedImage(private val file: ByteArray) : ImageInput() {
  override fun addTo(target: ImageTarget) = target.addFile(file)
}

private fun invalid(message: String) = TinyVlmException(ErrorCode.INVALID_ARGUMENT, message)

private class RgbaImage(
  private val pixels: ByteArray,
  private val width: Int,
  private val height: Int,
  private val stride: Int,
) : ImageInput() {
  init {
    if (width < 1 || height < 1) throw invalid("wanted an image of pixels, found ${width}x$height")
    if (stride < 4L * width) throw invalid("wanted a stride of ${4L * width} bytes, found $stride")
    val wanted = stride.toLong() * (height - 1) + 4L * width
    if (pixels.size < wanted) throw invalid("wanted $wanted bytes of RGBA, found ${pixels.size}")
  }

  override fun addTo(target: ImageTarget) =
    target.addRows(width, height) { first, count, to ->
      for (row in 0 until count) pixels.copyInto(
        to,
        row * 4 * width,
        (first + row) * stride,
        (first + row) * stride + 4 * width,
      )
    }
}

private class YuvImage(
  width: Int,
  height: Int,
  y: YuvPlane,
  u: YuvPlane,
  v: YuvPlane,
  private val rotationDegrees: Int,
) : ImageInput() {
  private val turned = rotationDegrees == 90 || rotationDegrees == 270
  private val outWidth = if (turned) height else width
  private val outHeight = if (turned) width else height
  private val rows = run {
    if (width < 1 || height < 1) throw invalid("wanted an image of pixels, found ${width}x$height")
    if (rotationDegrees !in listOf(0, 90, 180, 270))
      throw invalid("wanted a rotation of 0, 90, 180 or 270 degrees, found $rotationDegrees")
    yuvRows(width, height, y, u, v, rotationDegrees)
  }

  override fun addTo(target: ImageTarget) = target.addRows(outWidth, outHeight, rows)
}
