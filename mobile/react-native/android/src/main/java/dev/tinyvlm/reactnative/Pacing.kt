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
  private val unsent = StringBuilder()
  private var timer: Job? = null

  @Synchronized
  fun add(piece: String) {
    unsent.append(piece)
    timer = timer ?: scope.launch {
      delay(EVERY_MS)
      flush()
    }
  }

  /** Nothing is sent after this. */
  @Synchronized
  fun close() {
    timer?.cancel()
    unsent.clear()
  }

  @Synchronized
  private fun flush() {
    timer = null
    if (unsent.isEmpty()) return
    send(unsent.toString())
    unsent.clear()
  }

  private companion object {
    const val EVERY_MS = 30L
  }
}
