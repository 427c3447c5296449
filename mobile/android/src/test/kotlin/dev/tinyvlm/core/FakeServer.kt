package dev.tinyvlm.core

import java.io.Closeable
import java.io.OutputStream
import java.net.InetAddress
import java.net.ServerSocket
import java.net.Socket
import java.util.Collections
import kotlin.concurrent.thread

/** A request that the server got. */
class FakeRequest(val number: Int, val path: String, val headers: Map<String, String>) {
  /** Where its range begins; 0 without one. */
  val start: Int
    get() =
      headers["range"]?.let { Regex("bytes=(\\d+)-").matchEntire(it)!!.groupValues[1].toInt() } ?: 0
}

/** Answers one request; the connection is closed afterwards. */
typealias FakeAnswer = (FakeRequest, OutputStream) -> Unit

/** An HTTP server that answers wrongly where it is told to. */
class FakeServer(private val answer: FakeAnswer) : Closeable {
  private val socket = ServerSocket(0, 50, InetAddress.getLoopbackAddress())
  val requests: MutableList<FakeRequest> = Collections.synchronizedList(ArrayList())
  val url: String = "http://${socket.inetAddress.hostAddress}:${socket.localPort}/model.gguf"

  init {
    thread(isDaemon = true) {
      while (!socket.isClosed) {
        val connection = runCatching { socket.accept() }.getOrNull() ?: break
        thread(isDaemon = true) { connection.use { runCatching { serve(it) } } }
      }
    }
  }

  private fun serve(connection: Socket) {
    val lines = connection.getInputStream().bufferedReader(Charsets.ISO_8859_1)
    val path = lines.readLine().split(' ')[1]
    val headers = HashMap<String, String>()
    while (true) {
      val line = lines.readLine().orEmpty()
      if (line.isEmpty()) break
      headers[line.substringBefore(':').lowercase()] = line.substringAfter(':').trim()
    }
    val request =
      synchronized(requests) {
        FakeRequest(requests.size + 1, path, headers).also { requests += it }
      }
    val output = connection.getOutputStream()
    answer(request, output)
    output.flush()
  }

  override fun close() = socket.close()

  companion object {
    fun head(to: OutputStream, status: String, vararg headers: String) {
      val lines = listOf("HTTP/1.1 $status", "Connection: close", *headers, "", "")
      to.write(lines.joinToString("\r\n").toByteArray())
    }

    /**
     * The file, or the range that is asked for.
     *
     * @param sent bytes after which the connection breaks off.
     */
    fun file(
      bytes: ByteArray,
      request: FakeRequest,
      to: OutputStream,
      etag: String = "\"1\"",
      sent: Int = Int.MAX_VALUE,
    ) {
      val condition = request.headers["if-range"]
      val start = if (condition == null || condition == etag) request.start else 0
      if (start >= bytes.size)
        return head(to, "416 Range Not Satisfiable", "Content-Range: bytes */${bytes.size}")
      val length = "Content-Length: ${bytes.size - start}"
      if (start > 0)
        head(
          to,
          "206 Partial Content",
          length,
          "ETag: $etag",
          "Content-Range: bytes $start-${bytes.size - 1}/${bytes.size}",
        )
      else head(to, "200 OK", length, "ETag: $etag")
      to.write(bytes, start, minOf(sent, bytes.size - start))
    }
  }
}
