package dev.tinyvlm.internal

import java.lang.ref.PhantomReference
import java.lang.ref.ReferenceQueue
import java.util.Collections
import kotlin.concurrent.thread

/**
 * Closes what belongs to objects that nobody closed, after they were collected. A finaliser could
 * run while a call is under way on the same object, and java.lang.ref.Cleaner wants API 33.
 */
internal object Reclaimer {
  private val queue = ReferenceQueue<Any>()
  private val registered = Collections.synchronizedSet(HashSet<Ticket>())

  init {
    thread(isDaemon = true, name = "tiny-vlm reclaimer") {
      while (true) {
        (queue.remove() as Ticket).let {
          registered.remove(it)
          it.reclaim()
        }
      }
    }
  }

  /** Calls `reclaim`, which must not refer to `owner`, once `owner` is unreachable. */
  fun register(owner: Any, reclaim: () -> Unit): Ticket =
    Ticket(owner, reclaim).also { registered += it }

  /** The promise to reclaim. */
  class Ticket(owner: Any, val reclaim: () -> Unit) : PhantomReference<Any>(owner, queue) {
    /** The owner was closed: there is nothing left to do. */
    fun cancel() {
      clear()
      registered.remove(this)
    }
  }
}
