package dev.tinyvlm.internal

import dev.tinyvlm.ErrorCode
import dev.tinyvlm.Request
import dev.tinyvlm.TinyVlmException
import java.util.concurrent.Executor
import kotlinx.coroutines.CancellationException
import kotlinx.coroutines.CoroutineDispatcher
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.CoroutineStart
import kotlinx.coroutines.DelicateCoroutinesApi
import kotlinx.coroutines.asCoroutineDispatcher
import kotlinx.coroutines.launch
import kotlinx.coroutines.withContext

/** The executor of a listener. */
internal class ListenerScope(private val dispatcher: CoroutineDispatcher) {
  suspend fun onExecutor(call: () -> Unit) = withContext(dispatcher) { call() }
}

/** Runs `work` on the executor, where it suspends for everything that takes long. */
@OptIn(DelicateCoroutinesApi::class)
internal fun launchRequest(
  executor: Executor,
  onError: (TinyVlmException) -> Unit,
  work: suspend ListenerScope.() -> Unit,
): Request {
  val dispatcher = executor.asCoroutineDispatcher()
  // Atomic: the listener hears of a request that was cancelled before it began.
  val job =
    CoroutineScope(dispatcher).launch(start = CoroutineStart.ATOMIC) {
      try {
        ListenerScope(dispatcher).work()
      } catch (error: TinyVlmException) {
        onError(error)
      } catch (_: CancellationException) {
        onError(TinyVlmException(ErrorCode.ABORTED, "the request was cancelled"))
      }
    }
  return Request { job.cancel() }
}
