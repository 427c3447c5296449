package dev.tinyvlm.reactnative

import java.util.concurrent.TimeUnit.NANOSECONDS
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.Job
import kotlinx.coroutines.delay
import kotlinx.coroutines.launch

/** Says of frequent events which are to be told: one in so many milliseconds. */
internal class Pace(private val everyMs: Long) {
  private var last: Long? = null

  /** Whether this one is. */
  @Synchronized
  fun isDue(): Boolean {
    val now = NANOSECONDS.toMillis(System.nanoTime())
    if (last?.let { now - it < everyMs } == true) return false
    last = now
    return true
  }
}

/**
 * Pieces of text on their way to JavaScript: those of 30 milliseconds go as one, so that a fast
 * model does not keep the thread of JavaScript busy.
 */
internal class TextBatches(
  private val scope: CoroutineScope,
  private val send: (String) -> Unit,
) {
  private val said = StringBuilder()
  private var sent = 0
  private var timer: Job? = null

  /** All pieces so far, sent or not. */
  val text: String
    @Synchronized get() = said.toString()

  @Synchronized
  fun add(piece: String) {
    said.append(piece)
    timer = timer ?: scope.launch {
      delay(EVERY_MS)
      flush()
    }
  }

  /** Nothing is sent after this. */
  @Synchronized
  fun close() {
    timer?.cancel()
    sent = said.length
  }

  @Synchronized
  private fun flush() {
    timer = null
    if (sent == said.length) return
    send(said.substring(sent))
    sent = said.length
  }

  private companion object {
    const val EVERY_MS = 30L
  }
}
