package dev.tinyvlm.internal

import java.io.File
import java.io.RandomAccessFile

/** What a model file's header says of the rest of the file. */
internal class ModelHeader private constructor(info: JsonObject) {
  /** Bytes before the data section. */
  val headerBytes: Long = info.long("headerBytes")

  /** Of the whole file. */
  val fileBytes: Long = info.long("fileBytes")

  /** Bytes of the data section under each hash; 0 where the file has none. */
  val chunkBytes: Long = if (info.has("chunkBytes")) info.long("chunkBytes") else 0

  private val hashes = if (chunkBytes > 0) info.text("chunkSha256").chunked(64) else emptyList()

  val chunks: Int
    get() = hashes.size

  /** The bytes start until end of the file, which a chunk takes. */
  fun rangeOf(chunk: Int): LongRange {
    val start = headerBytes + chunk * chunkBytes
    return start until minOf(start + chunkBytes, fileBytes)
  }

  fun hashOf(chunk: Int): String = hashes[chunk]

  companion object {
    private const val STEP_BYTES = 64 shl 10

    /**
     * Reads the header of `file`'s first `length` bytes; null where it is longer. Throws
     * `invalid_file` where it is damaged or no model's.
     */
    fun read(file: File, length: Long): ModelHeader? {
      Library.require()
      val model = Native.modelCreate("{}".toByteArray())
      try {
        RandomAccessFile(file, "r").use { input ->
          val buffer = ByteArray(STEP_BYTES)
          var left = length
          while (left > 0) {
            val read = input.read(buffer, 0, minOf(left, buffer.size.toLong()).toInt())
            if (read <= 0) return null
            left -= read
            Native.modelWrite(model, buffer, 0, read)
            val info = JsonObject(Native.modelInfo(model))
            if (info.has("headerBytes")) return ModelHeader(info)
          }
        }
        return null
      } finally {
        Native.modelFree(model)
      }
    }
  }
}
