package dev.tinyvlm.internal

import dev.tinyvlm.ErrorCode
import dev.tinyvlm.TinyVlmException

/** Told how far a load is; false ends it. Called by native code: consumer-rules.pro keeps it. */
internal fun interface NativeProgress {
  fun report(loaded: Long, total: Long): Boolean
}

/** Writes rows of RGBA. Called by native code: consumer-rules.pro keeps it. */
internal fun interface NativeRows {
  /** Rows first..first+count of the image to the beginning of `to`, without gaps. */
  fun read(first: Int, count: Int, to: ByteArray)
}

/**
 * The functions of src/main/c/tinyvlm_jni.c, which registers them by these names. Pointers come
 * from Handle, texts are UTF-8. All throw TinyVlmException.
 */
internal object Native {
  @JvmStatic external fun abiVersion(): Int

  @JvmStatic external fun version(): ByteArray

  @JvmStatic external fun selfTest()

  /** Bytes of weights, tokenizer, KV cache, activations. */
  @JvmStatic
  external fun estimatePath(path: ByteArray, model: ByteArray, session: ByteArray): LongArray

  @JvmStatic external fun modelCreate(options: ByteArray): Long

  @JvmStatic external fun modelFree(model: Long)

  @JvmStatic external fun modelLoadPath(model: Long, path: ByteArray, progress: NativeProgress?)

  @JvmStatic
  external fun modelLoadDescriptor(
    model: Long,
    descriptor: Int,
    offset: Long,
    bytes: Long,
    progress: NativeProgress?,
  )

  /** The next bytes of the file. */
  @JvmStatic external fun modelWrite(model: Long, bytes: ByteArray, offset: Int, length: Int)

  @JvmStatic external fun modelEnd(model: Long)

  @JvmStatic external fun modelInfo(model: Long): ByteArray

  @JvmStatic external fun sessionCreate(model: Long, options: ByteArray): Long

  @JvmStatic external fun sessionFree(session: Long)

  @JvmStatic external fun sessionInfo(session: Long): ByteArray

  @JvmStatic external fun sessionAddImage(session: Long, file: ByteArray, flags: Int): Int

  /** `buffer` holds one row or more. */
  @JvmStatic
  external fun sessionAddPixels(
    session: Long,
    rows: NativeRows,
    width: Int,
    height: Int,
    buffer: ByteArray,
    flags: Int,
  ): Int

  @JvmStatic external fun sessionImageInfo(session: Long, image: Int): ByteArray

  @JvmStatic external fun sessionDropImage(session: Long, image: Int)

  /** Frees what the next question can make again; images stay. */
  @JvmStatic external fun sessionTrim(session: Long)

  @JvmStatic external fun sessionAsk(session: Long, request: ByteArray)

  @JvmStatic external fun sessionAdvance(session: Long, budgetMs: Double): Int

  @JvmStatic external fun sessionTakeText(session: Long): ByteArray

  /** From any thread, while the session lives. */
  @JvmStatic external fun sessionCancel(session: Long)

  @JvmStatic external fun sessionReport(session: Long): ByteArray

  /** Called by the functions above where they fail. */
  @JvmStatic
  fun fail(code: Int, message: ByteArray) {
    throw TinyVlmException(ErrorCode.of(code), message.toString(Charsets.UTF_8))
  }

  const val ABI_VERSION: Int = 1
  const val IMAGE_EXACT: Int = 1
  const val IMAGE_STRICT: Int = 2
  const val RUNNING: Int = 0
  const val DONE: Int = 1
}

/** The shared library of the engine, loaded and tried once in a process. */
internal object Library {
  /** A path instead of the app's own library: for programs and tests on a PC. */
  private const val PATH_PROPERTY = "dev.tinyvlm.library"

  private val failure: TinyVlmException? by lazy {
    try {
      val path = System.getProperty(PATH_PROPERTY)
      if (path != null) System.load(path) else System.loadLibrary("tinyvlm")
      val found = Native.abiVersion()
      if (found != Native.ABI_VERSION) {
        unsupported("wanted libtinyvlm.so of ABI version ${Native.ABI_VERSION}, found $found")
      } else {
        Native.selfTest()
        null
      }
    } catch (error: UnsatisfiedLinkError) {
      unsupported("libtinyvlm.so cannot be loaded on this device: ${error.message}", error)
    } catch (error: TinyVlmException) {
      error
    }
  }

  private fun unsupported(message: String, cause: Throwable? = null) =
    TinyVlmException(ErrorCode.UNSUPPORTED, message, cause)

  /**
   * Throws `unsupported` where the engine is not there for this processor, `internal` where it
   * computes wrongly on it.
   */
  fun require() {
    failure?.let { throw TinyVlmException(it.code, it.message!!, it) }
  }
}
