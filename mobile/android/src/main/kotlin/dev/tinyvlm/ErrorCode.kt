package dev.tinyvlm

/**
 * The kind of a failure, to branch on: the codes of docs/errors.md with their numbers and words.
 */
public enum class ErrorCode(
  /** The number, as the C interface and the command line have it. */
  public val number: Int
) {
  /** An argument or option that the call does not take. */
  INVALID_ARGUMENT(1),

  /** A file, or a tensor or key in a model file, does not exist. */
  NOT_FOUND(2),

  /** The model file is truncated, altered or something else. */
  INVALID_FILE(3),

  /** Well-formed, but not supported by this engine or on this device. */
  UNSUPPORTED(4),

  /** Memory for a model, a context or an image could not be allocated. */
  OUT_OF_MEMORY(5),

  /** The image is damaged, of an unknown format, too large, or a recycled Bitmap. */
  INVALID_IMAGE(6),

  /** The images and the question exceed the context. */
  CONTEXT_FULL(7),

  /** The operating system could not read or write a file; a full disk is one reason. */
  IO(8),

  /** A call in the wrong order, such as after `close()`. */
  NOT_READY(9),

  /** A bug in Tiny-VLM; please report it. */
  INTERNAL(10),

  /** No response, or the connection broke. */
  NETWORK(11),

  /** The server answered, but not with a file: [TinyVlmException.httpStatus]. */
  HTTP(12),

  /** `close()`, or [Request.cancel], ended the work. */
  ABORTED(13),

  /** Of the web's workers; never met on Android. */
  WORKER(14);

  /** The word for it, as in docs/errors.md: "invalid_argument". */
  public val word: String = name.lowercase(java.util.Locale.ROOT)

  internal companion object {
    fun of(number: Int): ErrorCode = entries.firstOrNull { it.number == number } ?: INTERNAL
  }
}

/**
 * The one class of errors that Tiny-VLM throws. [message] is a sentence: what was wanted, what was
 * found. A coroutine that is cancelled ends with its own CancellationException instead.
 */
public class TinyVlmException(
  /** The kind of the failure. */
  public val code: ErrorCode,
  message: String,
  cause: Throwable? = null,
  /** The status that a server answered with, where [code] is [ErrorCode.HTTP]. */
  public val httpStatus: Int? = null,
) : RuntimeException(message, cause) {
  /** "invalid_file: wanted …, found …". */
  override fun toString(): String = "TinyVlmException: ${code.word}: $message"
}
