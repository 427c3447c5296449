package dev.tinyvlm

/**
 * Ends answers early and keeps what there is of them: [TinyVlm.answer] then returns it, with the
 * reason [FinishReason.CANCELLED], its tokens and times. Cancelling the coroutine throws instead.
 */
public class StopSignal {
  private val answers = LinkedHashSet<() -> Unit>()

  /** Whether [stop] was called. */
  @Volatile
  public var isStopped: Boolean = false
    private set

  /**
   * Ends each answer that was asked for with this signal within one step, and those to come before
   * they begin. Any thread; more than once does no harm.
   */
  public fun stop() {
    isStopped = true
    for (end in synchronized(answers) { answers.toList() }) end()
  }

  /** Has [stop] call `end` while `work` runs; `work` itself looks whether it was called before. */
  internal inline fun <T> during(noinline end: () -> Unit, work: () -> T): T {
    synchronized(answers) { answers += end }
    try {
      return work()
    } finally {
      synchronized(answers) { answers -= end }
    }
  }
}
