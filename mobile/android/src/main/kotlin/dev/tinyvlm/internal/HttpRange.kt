package dev.tinyvlm.internal

import dev.tinyvlm.ErrorCode
import dev.tinyvlm.TinyVlmException
import java.io.IOException
import java.io.InputStream
import java.net.HttpURLConnection
import java.net.URL

/**
 * By what two answers are known to be of one version of a file; null where the server is silent.
 */
internal class Validator(val etag: String?, val lastModified: String?, val total: Long) {
  /** What `If-Range` takes: a strong ETag, else the date. */
  val condition: String?
    get() = etag?.takeUnless { it.startsWith("W/") } ?: lastModified

  /** Whether both can be of one version. */
  fun mayEqual(other: Validator): Boolean =
    same(etag, other.etag) &&
      (etag != null || same(lastModified, other.lastModified)) &&
      (total == 0L || other.total == 0L || total == other.total)

  private fun same(one: String?, other: String?) = one == null || other == null || one == other
}

/** An answer with bytes of a file. */
internal class RangeAnswer(
  private val connection: HttpURLConnection,
  /** Where its first byte lies in the file. */
  val start: Long,
  val validator: Validator,
) {
  val body: InputStream
    get() = connection.inputStream
}

/** A failure that another attempt may not meet. */
internal class Passing(val error: TinyVlmException, val retryAfterMillis: Long?) : IOException()

/** Asks for a file's bytes over HTTP. */
internal class HttpRange(
  private val url: String,
  private val headers: Map<String, String>,
  private val stallTimeoutMillis: Int,
) {
  @Volatile private var connection: HttpURLConnection? = null

  /**
   * Asks for the bytes from `position` on; null where the file ends there. Throws Passing, or
   * TinyVlmException where trying again is of no use.
   */
  fun open(position: Long, known: Validator?): RangeAnswer? {
    val connection = follow(position, known?.condition)
    val status = connection.responseCode
    val type = connection.contentType.orEmpty()
    val rangeText = connection.getHeaderField("Content-Range").orEmpty()
    val etag = connection.getHeaderField("ETag")
    val lastModified = connection.getHeaderField("Last-Modified")
    if (status == 416) {
      val total = Regex("bytes \\*/(\\d+)").matchEntire(rangeText)?.groupValues?.get(1)
      if (total?.toLong() == position) return null
      val message = "wanted bytes from $position on of $url, the server has none there (416)"
      throw Passing(error(ErrorCode.NETWORK, message), null)
    }
    if (status != 200 && status != 206) throw refused(connection, status)
    if (type.trimStart().startsWith("text/html", ignoreCase = true))
      throw error(
        ErrorCode.INVALID_FILE,
        "wanted a file at $url, found a web page ($type): the URL may be wrong or need a log-in",
      )
    if (status == 200) {
      val encoded = connection.contentEncoding?.equals("identity", ignoreCase = true) == false
      val total = if (encoded) 0 else connection.contentLengthLong.coerceAtLeast(0)
      return RangeAnswer(connection, 0, Validator(etag, lastModified, total))
    }
    val range = Regex("bytes (\\d+)-\\d+/(\\d+|\\*)").matchEntire(rangeText)?.groupValues
    val start = range?.get(1)?.toLong()
    if (start != position)
      throw Passing(
        error(
          ErrorCode.NETWORK,
          "wanted bytes from $position on of $url, the server sent \"$rangeText\"",
        ),
        null,
      )
    val total = range[2].toLongOrNull() ?: 0
    return RangeAnswer(connection, position, Validator(etag, lastModified, total))
  }

  /** Ends what is under way, from any thread. */
  fun abort() {
    connection?.disconnect()
  }

  // HttpURLConnection's own redirects would carry the headers to other origins.
  private fun follow(position: Long, condition: String?): HttpURLConnection {
    var address = addressOf(url)
    repeat(MAX_REDIRECTS) {
      val connection = address.openConnection() as HttpURLConnection
      this.connection = connection
      connection.instanceFollowRedirects = false
      connection.connectTimeout = stallTimeoutMillis
      connection.readTimeout = stallTimeoutMillis
      connection.useCaches = false
      // Android asks for gzip by itself, which has no ranges.
      connection.setRequestProperty("Accept-Encoding", "identity")
      if (sameOrigin(address, URL(url)))
        for ((name, value) in headers) connection.setRequestProperty(name, value)
      if (position > 0) {
        connection.setRequestProperty("Range", "bytes=$position-")
        if (condition != null) connection.setRequestProperty("If-Range", condition)
      }
      if (connection.responseCode !in REDIRECTS) return connection
      val target = connection.getHeaderField("Location").orEmpty()
      val next = addressOf(URL(address, target).toString())
      if (address.protocol == "https" && next.protocol != "https")
        throw error(ErrorCode.NETWORK, "$url leads to $next, which is not encrypted")
      connection.disconnect()
      address = next
    }
    throw error(ErrorCode.NETWORK, "$url leads from one address to another without end")
  }

  private fun sameOrigin(one: URL, other: URL) =
    one.protocol == other.protocol && one.host == other.host && portOf(one) == portOf(other)

  private fun portOf(url: URL) = if (url.port == -1) url.defaultPort else url.port

  private fun addressOf(text: String): URL {
    val address = runCatching { URL(text) }.getOrNull()
    if (address == null || address.protocol !in listOf("http", "https"))
      throw error(ErrorCode.INVALID_ARGUMENT, "wanted an http: or https: address, found $text")
    return address
  }

  private fun refused(connection: HttpURLConnection, status: Int): Throwable {
    val words = "wanted a file at $url, the server answered $status ${connection.responseMessage}"
    val error = TinyVlmException(ErrorCode.HTTP, words.trimEnd(), null, status)
    if (status < 500 && status !in TRY_AGAIN) return error
    val seconds = connection.getHeaderField("Retry-After")?.trim()?.toLongOrNull()
    return Passing(error, seconds?.times(1000))
  }

  private fun error(code: ErrorCode, message: String) = TinyVlmException(code, message)

  private companion object {
    const val MAX_REDIRECTS = 10
    val REDIRECTS = setOf(301, 302, 303, 307, 308)
    val TRY_AGAIN = setOf(408, 425, 429)
  }
}
