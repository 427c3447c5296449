package dev.tinyvlm

import dev.tinyvlm.internal.Conversation
import dev.tinyvlm.internal.Engine
import dev.tinyvlm.internal.launchRequest
import java.io.Closeable
import java.util.concurrent.Executor
import kotlinx.coroutines.DelicateCoroutinesApi
import kotlinx.coroutines.GlobalScope
import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.launch
import kotlinx.coroutines.withContext

/**
 * A conversation, made by [TinyVlm.chat]. The images of its turns stay in the engine's memory until
 * [close].
 */
public class Chat
internal constructor(private val engine: Engine, private val conversation: Conversation) :
  Closeable {
  /**
   * Asks the next question, with new images or none. The turn becomes part of the conversation when
   * its answer is complete, also where it was cancelled after its first words; a question that
   * fails before leaves the conversation as it was. Errors are those of [TinyVlm.ask];
   * `invalid_argument` where [options] have a system prompt, which is the chat's; `not_ready` after
   * [close].
   */
  @JvmOverloads
  public fun ask(
    question: String,
    images: List<ImageInput> = emptyList(),
    options: AskOptions = AskOptions(),
  ): Flow<String> = TinyVlm.flowOf(engine, conversation, images, question, checked(options))

  /** Asks with one new image. */
  @JvmOverloads
  public fun ask(
    image: ImageInput,
    question: String,
    options: AskOptions = AskOptions(),
  ): Flow<String> = ask(question, listOf(image), options)

  /** Asks, and returns the whole answer, as [TinyVlm.answer] does. */
  public suspend fun answer(
    question: String,
    images: List<ImageInput> = emptyList(),
    options: AskOptions = AskOptions(),
    stop: StopSignal? = null,
    onText: suspend (String) -> Unit = {},
  ): Answer =
    withContext(Engine.dispatcher) {
      engine.answer(conversation, images, question, checked(options), stop, onText)
    }

  /** Asks, for Java: [listener] is called on [executor]. */
  public fun askAsync(
    images: List<ImageInput>,
    question: String,
    options: AskOptions,
    executor: Executor,
    listener: AnswerListener,
  ): Request =
    launchRequest(executor, listener::onError) {
      val onText: suspend (String) -> Unit = { onExecutor { listener.onText(it) } }
      listener.onComplete(answer(question, images, options, null, onText))
    }

  /** Ends the conversation and releases its images. May be called more than once. */
  @OptIn(DelicateCoroutinesApi::class)
  override fun close() {
    if (conversation.closed) return
    conversation.closed = true
    GlobalScope.launch(Engine.dispatcher) { engine.forget(conversation) }
  }

  private fun checked(options: AskOptions): AskOptions {
    if (options.system != null)
      throw TinyVlmException(
        ErrorCode.INVALID_ARGUMENT,
        "wanted the system text when the chat is made, found one with a question",
      )
    return options
  }
}
