package dev.tinyvlm.internal

import dev.tinyvlm.ErrorCode
import dev.tinyvlm.LoadPhase
import dev.tinyvlm.LoadProgress
import dev.tinyvlm.ModelDownload
import dev.tinyvlm.TinyVlmException
import java.io.File
import java.io.FileOutputStream
import java.io.IOException
import java.io.OutputStream
import java.io.RandomAccessFile
import java.security.MessageDigest
import java.util.concurrent.ConcurrentHashMap
import kotlin.random.Random
import kotlinx.coroutines.CoroutineStart
import kotlinx.coroutines.DelicateCoroutinesApi
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.GlobalScope
import kotlinx.coroutines.async
import kotlinx.coroutines.awaitCancellation
import kotlinx.coroutines.cancelAndJoin
import kotlinx.coroutines.coroutineScope
import kotlinx.coroutines.currentCoroutineContext
import kotlinx.coroutines.delay
import kotlinx.coroutines.ensureActive
import kotlinx.coroutines.launch
import kotlinx.coroutines.sync.Mutex
import kotlinx.coroutines.sync.withLock

/** The server has another version of the file than the one that was begun. */
private class FileChanged : Exception()

/** A chunk has another hash than the header says. */
private class ChunkDamaged(val chunk: Int) : Exception()

/** One download of a file: ModelDownload tells what it promises. */
internal class FileTransfer(
  private val download: ModelDownload,
  private val firstDelayMillis: Long = 250,
  private val usableSpace: (File) -> Long = File::getUsableSpace,
  private val append: (File) -> OutputStream = { FileOutputStream(it, true) },
) {
  private val file = download.file
  private val part = partOf(file)
  private val state = stateOf(file)
  private val http = HttpRange(download.url, download.headers, download.stallTimeoutMillis)

  private var known: Validator? = null
  private var header: ModelHeader? = null
  private var length = 0L // of what is kept
  private var nextChunk = 0
  private var digest = MessageDigest.getInstance("SHA-256")
  private var onProgress: (LoadProgress) -> Unit = {}
  private var toldAt = 0L

  // A file without hashes may lack the padding at its end, which its header counts.
  private val totalBytes: Long
    get() {
      val told = known?.total ?: 0
      val header = header ?: return told
      return if (header.chunkBytes == 0L && told > 0) told else header.fileBytes
    }

  /**
   * Returns at once where it is cancelled. A read that waits for the network cannot always be
   * interrupted: it ends later, on its own thread, and nothing is written then; a next call waits
   * for it.
   */
  @OptIn(DelicateCoroutinesApi::class)
  suspend fun run(onProgress: (LoadProgress) -> Unit) {
    this.onProgress = onProgress
    val work =
      GlobalScope.async(Dispatchers.IO) {
        locks
          .computeIfAbsent(file.absolutePath) { Mutex() }
          .withLock { if (!file.exists()) fetch() }
      }
    try {
      work.await()
    } finally {
      work.cancel()
    }
  }

  private suspend fun fetch() {
    try {
      file.absoluteFile.parentFile?.mkdirs()
      openPart()
    } catch (error: IOException) {
      throw io(error)
    }
    var failures = 0
    val damaged = HashMap<Int, Int>()
    var changes = 0
    while (true) {
      val before = length
      val attempt = runCatching { transfer() }
      currentCoroutineContext().ensureActive()
      val error = attempt.exceptionOrNull() ?: break
      if (length > before) failures = 0
      when (error) {
        is FileChanged -> {
          if (++changes == ATTEMPTS) throw network("${download.url} changed while it was read")
          startOver()
        }
        is ChunkDamaged -> {
          val times = (damaged[error.chunk] ?: 0) + 1
          damaged[error.chunk] = times
          if (times == ATTEMPTS) throw invalidChunk(error.chunk)
          cutTo(header!!.rangeOf(error.chunk).first)
        }
        is Passing -> pauseAfter(++failures, error)
        is TinyVlmException -> throw error
        is IOException -> pauseAfter(++failures, Passing(broken(error), null))
        else -> throw error
      }
    }
    finish()
  }

  // Takes over what an earlier call left, as far as it can be told to be of this file.
  private fun openPart() {
    val saved = runCatching { JsonObject(state.readBytes()) }.getOrNull()
    length = if (saved?.text("url") == download.url) part.length() else 0
    if (length == 0L) return startOver()
    fun saved(key: String) = if (saved!!.has(key)) saved.text(key) else null
    known = Validator(saved("etag"), saved("lastModified"), saved!!.long("total"))
    try {
      header = ModelHeader.read(part, length)
    } catch (_: TinyVlmException) {
      return startOver()
    }
    if (header?.chunkBytes == 0L && known?.condition == null) return startOver()
    checkKept()
  }

  // Cuts the part behind its last chunk with the right hash.
  private fun checkKept() {
    val header = header?.takeIf { it.chunkBytes > 0 } ?: return
    RandomAccessFile(part, "r").use { input ->
      var end = header.headerBytes
      input.seek(end)
      while (nextChunk < header.chunks) {
        val range = header.rangeOf(nextChunk)
        if (range.last >= length) break
        val bytes = ByteArray((range.last + 1 - range.first).toInt()).also(input::readFully)
        if (hex(digest.digest(bytes)) != header.hashOf(nextChunk)) break
        ++nextChunk
        end = range.last + 1
      }
      cutTo(minOf(end, length))
    }
  }

  private fun startOver() {
    known = null
    header = null
    length = 0
    nextChunk = 0
    digest.reset()
    state.delete()
    part.delete()
  }

  private fun cutTo(end: Long) {
    RandomAccessFile(part, "rw").use { it.setLength(end) }
    length = end
    digest.reset()
  }

  // One answer of the server, to its end.
  private suspend fun transfer() = coroutineScope {
    // Not on the thread that cancels, which may be the one that draws.
    val canceller =
      launch(Dispatchers.IO, CoroutineStart.UNDISPATCHED) {
        try {
          awaitCancellation()
        } finally {
          http.abort()
        }
      }
    try {
      if (totalBytes == 0L || length < totalBytes) receive()
    } finally {
      canceller.cancelAndJoin()
    }
  }

  private suspend fun receive() {
    val answer = http.open(length, known) ?: return
    val before = known
    val another = before != null && !before.mayEqual(answer.validator)
    if (another) {
      if (answer.start > 0) throw FileChanged()
      startOver() // the answer is the whole of the new version
    }
    known = merged(known, answer.validator)
    saveState()
    checkSpace()
    var skip = length - answer.start // a server that does not know ranges sends all again
    val buffer = ByteArray(BUFFER_BYTES)
    append(part).use { output ->
      while (totalBytes == 0L || length < totalBytes) {
        val read = answer.body.read(buffer)
        if (read < 0) break
        currentCoroutineContext().ensureActive()
        val from = minOf(skip, read.toLong()).toInt()
        skip -= from
        if (from < read) take(buffer, from, read - from, output)
      }
    }
    if (length < totalBytes) throw Passing(broken(null), null)
  }

  private fun take(buffer: ByteArray, from: Int, count: Int, output: OutputStream) {
    if (length == 0L) refuseWebPage(buffer, from, count)
    try {
      output.write(buffer, from, count)
    } catch (error: IOException) {
      throw io(error)
    }
    val begin = length
    length += count
    if (header == null) {
      header = ModelHeader.read(part, length)
      if (header != null) {
        checkSpace()
        return checkFromDisk()
      }
    } else {
      compare(buffer, from, count, begin)
    }
    tell()
  }

  // The bytes behind the header that came with it.
  private fun checkFromDisk() {
    val begin = header!!.headerBytes
    val rest = ByteArray((length - begin).toInt())
    RandomAccessFile(part, "r").use {
      it.seek(begin)
      it.readFully(rest)
    }
    compare(rest, 0, rest.size, begin)
    tell()
  }

  private fun compare(buffer: ByteArray, from: Int, count: Int, begin: Long) {
    val header = header!!
    var at = from
    var position = begin
    while (at < from + count && nextChunk < header.chunks) {
      val end = header.rangeOf(nextChunk).last + 1
      val part = minOf(end - position, (from + count - at).toLong()).toInt()
      digest.update(buffer, at, part)
      at += part
      position += part
      if (position < end) break
      if (hex(digest.digest()) != header.hashOf(nextChunk)) throw ChunkDamaged(nextChunk)
      ++nextChunk
    }
  }

  private fun tell() {
    val now = System.nanoTime()
    if (length < totalBytes && now - toldAt < TELL_EVERY_NS) return
    toldAt = now
    onProgress(LoadProgress(LoadPhase.DOWNLOAD, length, totalBytes))
  }

  private fun checkSpace() {
    val wanted = totalBytes - length
    val free = usableSpace(file.absoluteFile.parentFile!!)
    if (wanted > free)
      throw TinyVlmException(
        ErrorCode.IO,
        "${download.url}: wanted $wanted bytes of free space for $file, found $free",
      )
  }

  private fun saveState() {
    val saved =
      mapOf(
        "url" to download.url,
        "etag" to known?.etag,
        "lastModified" to known?.lastModified,
        "total" to (known?.total ?: 0),
      )
    try {
      state.writeText(Json.write(saved))
    } catch (error: IOException) {
      throw io(error)
    }
  }

  private fun finish() {
    if (header == null)
      throw TinyVlmException(
        ErrorCode.INVALID_FILE,
        "wanted a model at ${download.url}, found $length bytes without a whole header",
      )
    if (length < totalBytes) throw broken(null)
    cutTo(totalBytes) // a server that sent more
    try {
      // What was written is on the disk before the name says that it is.
      RandomAccessFile(part, "rw").use { it.fd.sync() }
    } catch (error: IOException) {
      throw io(error)
    }
    if (!part.renameTo(file)) throw io(IOException("$part cannot be renamed to $file"))
    state.delete()
  }

  private suspend fun pauseAfter(failures: Int, passing: Passing) {
    val attempts = if (known == null) ATTEMPTS else ATTEMPTS_AFTER_ANSWER
    val wanted = passing.retryAfterMillis
    if (failures >= attempts || (wanted ?: 0) > LONGEST_RETRY_AFTER_MS) throw passing.error
    val backOff = minOf(LONGEST_DELAY_MS, firstDelayMillis shl (failures - 1))
    delay(wanted ?: (backOff * Random.nextDouble(0.5, 1.0)).toLong())
  }

  // Servers that send a page for every unknown URL do not always label it text/html.
  private fun refuseWebPage(buffer: ByteArray, from: Int, count: Int) {
    val start = String(buffer, from, minOf(count, 64), Charsets.ISO_8859_1).trimStart()
    if (WEB_PAGE.containsMatchIn(start))
      throw TinyVlmException(
        ErrorCode.INVALID_FILE,
        "wanted a model at ${download.url}, found a web page: \"${start.take(24)}…\"",
      )
  }

  private fun network(message: String) = TinyVlmException(ErrorCode.NETWORK, message)

  private fun broken(cause: IOException?): TinyVlmException {
    val of = if (totalBytes > 0) " of $totalBytes" else ""
    val why = cause?.let { "${it.javaClass.simpleName}: ${it.message}" } ?: "the answer ended"
    return TinyVlmException(
      ErrorCode.NETWORK,
      "the connection to ${download.url} broke after $length$of bytes: $why",
      cause,
    )
  }

  private fun io(cause: IOException) =
    TinyVlmException(ErrorCode.IO, "${download.url}: $part: ${cause.message}", cause)

  private fun invalidChunk(chunk: Int): TinyVlmException {
    val range = header!!.rangeOf(chunk)
    return TinyVlmException(
      ErrorCode.INVALID_FILE,
      "${download.url}: bytes ${range.first} to ${range.last} do not have the SHA-256 that the " +
        "header says (chunk $chunk), $ATTEMPTS times in a row",
    )
  }

  companion object {
    private const val BUFFER_BYTES = 64 shl 10
    private const val TELL_EVERY_NS = 50_000_000L
    private const val ATTEMPTS = 3
    private const val ATTEMPTS_AFTER_ANSWER = 7
    private const val LONGEST_DELAY_MS = 8000L
    private const val LONGEST_RETRY_AFTER_MS = 120_000L
    private val WEB_PAGE = Regex("^(<!doctype html|<html|<\\?xml)", RegexOption.IGNORE_CASE)
    // One transfer of a file at a time; a second call waits, and finds it there.
    private val locks = ConcurrentHashMap<String, Mutex>()

    fun partOf(file: File): File = File("${file.path}.part")

    fun stateOf(file: File): File = File("${file.path}.part.json")

    private fun merged(known: Validator?, now: Validator) =
      Validator(
        known?.etag ?: now.etag,
        known?.lastModified ?: now.lastModified,
        known?.total?.takeIf { it > 0 } ?: now.total,
      )

    private fun hex(bytes: ByteArray) = bytes.joinToString("") { "%02x".format(it) }
  }
}
