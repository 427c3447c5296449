package dev.tinyvlm.internal

import dev.tinyvlm.ErrorCode
import dev.tinyvlm.TinyVlmException

/**
 * A native object, which is freed once: by [close] when no call is under way on it, else by the
 * last of those when it returns. Any thread may call any function.
 *
 * @param closedMessage the sentence of the error that a call after [close] gets.
 */
internal class Handle(
  private val pointer: Long,
  private val closedMessage: String,
  private val free: (Long) -> Unit,
) {
  private var users = 0
  private var closed = false

  val isClosed: Boolean
    @Synchronized get() = closed

  /**
   * Calls `block` with the pointer, which stays valid meanwhile. Throws `not_ready` after close.
   */
  inline fun <T> use(block: (Long) -> T): T {
    if (!acquire()) throw TinyVlmException(ErrorCode.NOT_READY, closedMessage)
    try {
      return block(pointer)
    } finally {
      release()
    }
  }

  /** The same where it is open; else nothing happens. */
  inline fun ifOpen(block: (Long) -> Unit) {
    if (!acquire()) return
    try {
      block(pointer)
    } finally {
      release()
    }
  }

  /** May be called more than once. */
  fun close() {
    val now =
      synchronized(this) {
        val first = !closed
        closed = true
        first && users == 0
      }
    if (now) free(pointer)
  }

  @Synchronized
  private fun acquire(): Boolean {
    if (!closed) ++users
    return !closed
  }

  private fun release() {
    val last = synchronized(this) { --users == 0 && closed }
    if (last) free(pointer)
  }
}
