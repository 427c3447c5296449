package dev.tinyvlm.core

import dev.tinyvlm.*
import dev.tinyvlm.core.FakeServer.Companion.file
import dev.tinyvlm.core.FakeServer.Companion.head
import dev.tinyvlm.internal.FileTransfer
import java.io.File
import java.io.FileOutputStream
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.async
import kotlinx.coroutines.awaitAll
import kotlinx.coroutines.cancelAndJoin
import kotlinx.coroutines.delay
import kotlinx.coroutines.launch
import kotlinx.coroutines.runBlocking
import org.junit.Assert.assertArrayEquals
import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
import org.junit.Assert.assertTrue
import org.junit.Test

/** Downloads over connections and servers that fail. */
class DownloadTest {
  private val model = demoModel.readBytes()
  private val folder = temporaryFolder()
  private val target = File(folder, "new/model.gguf")
  private val megabyte = 1 shl 20

  private suspend fun fetch(url: String, stallMillis: Int = 2000) =
    FileTransfer(ModelDownload(url, target, mapOf("X-Key" to "secret"), stallMillis), 1).run {}

  // The bytes arrive whatever the server does, and nothing but the file is left.
  private fun arrives(answer: FakeAnswer): List<FakeRequest> =
    FakeServer(answer).use { server ->
      runBlocking { fetch(server.url) }
      assertArrayEquals(model, target.readBytes())
      assertEquals(listOf(target), target.parentFile.listFiles()!!.toList())
      server.requests.toList()
    }

  private fun fails(code: ErrorCode, vararg words: String, answer: FakeAnswer) =
    FakeServer(answer).use { server ->
      val error = assertFails(code, *words) { runBlocking { fetch(server.url) } }
      assertFalse("never taken for whole", target.exists())
      error to server.requests.toList()
    }

  @Test
  fun `a file that arrives is loaded, and not fetched again`() =
    runBlocking<Unit> {
      FakeServer { request, to -> file(model, request, to) }
        .use { server ->
          val source = ModelSource.download(ModelDownload(server.url, target))
          repeat(2) {
            val phases = ArrayList<LoadPhase>()
            TinyVlm.load(source, LoadOptions(threads = 1)) { phases += it.phase }
              .use { assertEquals(demoModel.length(), it.info.fileBytes) }
            assertEquals(LoadPhase.WEIGHTS, phases.last())
            assertEquals(it == 0, LoadPhase.DOWNLOAD in phases)
          }
          assertEquals(1, server.requests.size)
          ModelDownload(server.url, target).delete()
          assertFalse(target.exists())
        }
    }

  @Test
  fun `connections that break go on where they were`() {
    val requests = arrives { request, to -> file(model, request, to, sent = 700_000) }
    assertTrue("${requests.size} requests", requests.size in 9..11)
    assertEquals(700_000, requests[1].start)
    assertEquals("\"1\"", requests[1].headers["if-range"])
  }

  @Test
  fun `a server that ignores ranges sends all again`() {
    val requests = arrives { request, to ->
      head(to, "200 OK", "Content-Length: ${model.size}", "ETag: \"1\"")
      to.write(model, 0, minOf(model.size, request.number * 3_000_000))
    }
    assertEquals(3, requests.size)
  }

  @Test
  fun `a server without lengths and names`() {
    arrives { _, to ->
      head(to, "200 OK")
      to.write(model)
    }
  }

  @Test
  fun `another version begins anew`() {
    val old = model.copyOf().also { it.fill(7, megabyte, model.size) }
    arrives { request, to ->
      if (request.number == 1) file(old, request, to, "\"old\"", sent = 1_000_000)
      else file(model, request, to, "\"new\"")
    }
  }

  @Test
  fun `a file that changes again and again is an error`() {
    var version = 0
    fails(ErrorCode.NETWORK, "changed") { request, to ->
      // Ranges of whatever version there is, whatever was asked for.
      val known = request.headers - "if-range"
      file(model, FakeRequest(request.number, "", known), to, "\"${++version}\"", sent = 500_000)
    }
  }

  @Test
  fun `a chunk that is damaged on its way is fetched again`() {
    val bad = model.copyOf().also { it[3_500_000]++ }
    val requests = arrives { request, to ->
      file(if (request.number == 1) bad else model, request, to)
    }
    assertEquals(2, requests.size)
    assertTrue("what came before is kept", requests[1].start in 2 * megabyte..3_500_000)
  }

  @Test
  fun `damage that comes again is an error`() {
    val bad = model.copyOf().also { it[3_500_000]++ }
    val (_, requests) =
      fails(ErrorCode.INVALID_FILE, "SHA-256", "chunk 3") { request, to -> file(bad, request, to) }
    assertEquals(3, requests.size)
  }

  @Test
  fun `a download that was killed goes on, whatever is left of it`() =
    runBlocking<Unit> {
      FakeServer { request, to ->
          if (request.number == 1) {
            file(model, request, to, sent = 3_000_000)
            to.flush()
            Thread.sleep(2000)
          } else file(model, request, to)
        }
        .use { server ->
          val part = FileTransfer.partOf(target)
          val killed = launch(Dispatchers.Default) { fetch(server.url, 20_000) }
          while (part.length() < 3_000_000) delay(5)
          val began = System.nanoTime()
          killed.cancelAndJoin()
          assertTrue("cancelling ends the wait", System.nanoTime() - began < 1_500_000_000)
          assertFalse(target.exists())
          // As a phone that lost power may leave it.
          val left = part.readBytes()
          part.writeBytes(left.copyOf(2_800_000).also { it[2_500_000]++ })
          fetch(server.url)
          assertArrayEquals(model, target.readBytes())
          val second = server.requests[1]
          assertTrue("from ${second.start}", second.start in megabyte..2_500_000)
        }
    }

  @Test
  fun `what is left of another address is not taken`() =
    runBlocking<Unit> {
      target.parentFile.mkdirs()
      FileTransfer.partOf(target).writeBytes(ByteArray(2_000_000))
      FileTransfer.stateOf(target).writeText("""{"url": "http://other", "total": 1}""")
      val requests = arrives { request, to -> file(model, request, to) }
      assertEquals(0, requests.first().start)
    }

  @Test
  fun `answers that are no file`() {
    val (error, requests) =
      fails(ErrorCode.HTTP, "404", "Not Found") { _, to -> head(to, "404 Not Found") }
    assertEquals(404, error.httpStatus)
    assertEquals(1, requests.size)
    fails(ErrorCode.INVALID_FILE, "web page", "text/html") { _, to ->
      head(to, "200 OK", "Content-Type: text/html; charset=utf-8")
    }
    fails(ErrorCode.INVALID_FILE, "web page", "<!DOCTYPE html>") { _, to ->
      head(to, "200 OK")
      to.write("\n<!DOCTYPE html><title>Log in</title>".toByteArray())
    }
    fails(ErrorCode.INVALID_FILE) { _, to ->
      head(to, "200 OK")
      to.write("version https://git-lfs.github.com/spec/v1\n".repeat(99).toByteArray())
    }
  }

  @Test
  fun `a server that is busy is asked again`() {
    val requests = arrives { request, to ->
      when (request.number) {
        1 -> head(to, "503 Service Unavailable", "Retry-After: 0")
        2 -> head(to, "429 Too Many Requests")
        else -> file(model, request, to)
      }
    }
    assertEquals(3, requests.size)
    target.delete()
    val (error, _) = fails(ErrorCode.HTTP, "500") { _, to -> head(to, "500 Oops") }
    assertEquals(500, error.httpStatus)
    fails(ErrorCode.HTTP, "503") { _, to -> head(to, "503 Later", "Retry-After: 3600") }
  }

  @Test
  fun `a server that falls silent, or is not there`() {
    arrives { request, to ->
      if (request.number == 1) {
        file(model, request, to, sent = 1_000_000)
        to.flush()
        Thread.sleep(4000)
      } else file(model, request, to)
    }
    target.delete()
    val gone = FakeServer { _, _ -> }.apply { close() }
    assertFails(ErrorCode.NETWORK, gone.url) { runBlocking { fetch(gone.url) } }
    for (url in listOf("ftp://host/file", "model.gguf", "file:///etc/passwd")) assertFails(
      ErrorCode.INVALID_ARGUMENT,
      url,
    ) {
      runBlocking { fetch(url) }
    }
  }

  @Test
  fun `headers do not follow a redirect to another origin`() {
    FakeServer { request, to -> file(model, request, to) }
      .use { other ->
        FakeServer { request, to ->
            if (request.path == "/model.gguf") head(to, "302 Found", "Location: /here")
            else head(to, "307 Temporary Redirect", "Location: ${other.url}")
          }
          .use { first ->
            runBlocking { fetch(first.url) }
            assertArrayEquals(model, target.readBytes())
            assertEquals(listOf("secret", "secret"), first.requests.map { it.headers["x-key"] })
            assertEquals(listOf(null), other.requests.map { it.headers["x-key"] })
          }
      }
    target.delete()
    fails(ErrorCode.NETWORK, "without end") { _, to -> head(to, "302 Found", "Location: /again") }
  }

  @Test
  fun `no space is told before and while writing`() =
    runBlocking<Unit> {
      FakeServer { request, to -> file(model, request, to) }
        .use { server ->
          val download = ModelDownload(server.url, target)
          assertFails(ErrorCode.IO, "${model.size} bytes", "found 1000") {
            FileTransfer(download, 1, { 1000 }).run {}
          }
          assertFalse(target.exists())
          // Every write to this device fails as on a full disk.
          assertFails(ErrorCode.IO, "No space left") {
            FileTransfer(download, 1, { Long.MAX_VALUE }) { FileOutputStream("/dev/full") }.run {}
          }
          assertFalse(target.exists())
        }
    }

  @Test
  fun `two that want one file fetch it once`() =
    runBlocking<Unit> {
      FakeServer { request, to -> file(model, request, to) }
        .use { server ->
          List(4) { async(Dispatchers.IO) { fetch(server.url) } }.awaitAll()
          assertEquals(1, server.requests.size)
        }
    }
}
