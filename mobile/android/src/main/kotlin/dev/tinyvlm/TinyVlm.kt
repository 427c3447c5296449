package dev.tinyvlm

import dev.tinyvlm.internal.Conversation
import dev.tinyvlm.internal.Engine
import dev.tinyvlm.internal.Library
import dev.tinyvlm.internal.Message
import dev.tinyvlm.internal.Native
import dev.tinyvlm.internal.Platform
import dev.tinyvlm.internal.Reclaimer
import dev.tinyvlm.internal.fastCores
import dev.tinyvlm.internal.launchRequest
import java.io.Closeable
import java.io.File
import java.util.concurrent.Executor
import kotlinx.coroutines.ExperimentalCoroutinesApi
import kotlinx.coroutines.async
import kotlinx.coroutines.channels.Channel
import kotlinx.coroutines.coroutineScope
import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.flow.buffer
import kotlinx.coroutines.flow.channelFlow
import kotlinx.coroutines.flow.flow
import kotlinx.coroutines.flow.flowOn
import kotlinx.coroutines.withContext

/**
 * A loaded model. Any thread may call it; questions are answered one at a time, in the order in
 * which they were asked, on a thread that is not the caller's. It takes the memory of its weights
 * until [close].
 */
public class TinyVlm internal constructor(private val engine: Engine) : Closeable {
  private val ticket = Reclaimer.register(this, engine::close)
  @Volatile private var onClose: (() -> Unit)? = null

  /** Name, sizes and limits of the model. */
  public val info: ModelInfo
    get() = engine.info

  /**
   * Asks about images, or about none. The flow is cold: each collector asks anew. It gives the
   * answer's text piece by piece; ending the collection early (`take`, `first`, cancelling the
   * coroutine) ends the work within one step. Errors, thrown to the collector: `invalid_argument`,
   * `invalid_image`, `context_full`, `out_of_memory`, `unsupported` (images, for a model that reads
   * text only), `not_ready` after [close], `aborted` where [close] ended it.
   */
  @JvmOverloads
  public fun ask(
    images: List<ImageInput>,
    question: String,
    options: AskOptions = AskOptions(),
  ): Flow<String> = flowOf(engine, null, images, question, options)

  /** Asks about one image, or (null) about none. */
  @JvmOverloads
  public fun ask(
    image: ImageInput?,
    question: String,
    options: AskOptions = AskOptions(),
  ): Flow<String> = ask(listOfNotNull(image), question, options)

  /** Asks about an image file ([ImageInput.encoded]). */
  @JvmOverloads
  public fun ask(
    image: ByteArray,
    question: String,
    options: AskOptions = AskOptions(),
  ): Flow<String> = ask(ImageInput.encoded(image), question, options)

  /**
   * Asks, and returns the whole answer with its numbers. [stop] ends it early: what there is of it
   * is then returned. [onText] gets each piece of text; the engine waits for it. Errors are those
   * of [ask].
   */
  public suspend fun answer(
    images: List<ImageInput>,
    question: String,
    options: AskOptions = AskOptions(),
    stop: StopSignal? = null,
    onText: suspend (String) -> Unit = {},
  ): Answer =
    withContext(Engine.dispatcher) { engine.answer(null, images, question, options, stop, onText) }

  /**
   * Asks, for Java: [listener] is called on [executor].
   *
   * @return what cancels it.
   */
  @JvmOverloads
  public fun askAsync(
    images: List<ImageInput>,
    question: String,
    options: AskOptions = AskOptions(),
    executor: Executor,
    listener: AnswerListener,
  ): Request =
    launchRequest(executor, listener::onError) {
      val onText: suspend (String) -> Unit = { onExecutor { listener.onText(it) } }
      listener.onComplete(answer(images, question, options, null, onText))
    }

  /**
   * Starts a conversation: each question is asked with the images and answers before it. Tokens
   * that it shares with the question before are not computed again.
   *
   * @param system the system prompt; null: that of the model's chat template; empty: none.
   * @param messages what was said before, oldest first: questions of the user and answers of the
   *   model in turn, an answer last. The first question fails with `invalid_argument` otherwise.
   */
  @JvmOverloads
  public fun chat(system: String? = null, messages: List<PastMessage> = emptyList()): Chat {
    val said = messages.map { Message(it.role, it.content, emptyList(), it.images) }
    val before = listOfNotNull(system?.let(Engine::systemMessage)) + said
    return Chat(engine, Conversation(before))
  }

  /**
   * Frees what can be made again: keys and values, activations, encoded images, tens of megabytes;
   * the next question allocates them anew, and is computed from its beginning. Weights stay, and a
   * chat's images: 3 bytes a pixel at the model's image size. False where a question is being
   * answered: it is then done after it. A model that was loaded with a Context does so by itself
   * when Android asks for memory.
   */
  public fun trimMemory(): Boolean = engine.trim()

  /**
   * Frees the model. An answer that is under way fails with `aborted`, later calls with
   * `not_ready`. May be called more than once, from any thread; it does not wait.
   */
  override fun close() {
    ticket.cancel()
    engine.close()
    onClose?.invoke()
    onClose = null
  }

  /** Has `action` called once, by [close]. */
  internal fun whenClosed(action: () -> Unit) {
    onClose = action
  }

  public companion object {
    /** The engine's version, such as "0.1.0". Throws `unsupported` where there is none. */
    @JvmStatic
    public fun version(): String {
      Library.require()
      return Native.version().toString(Charsets.UTF_8)
    }

    /**
     * Loads a model, without a Context: from a file, memory, a descriptor or a download.
     * [onProgress] is called now and then, on a thread of Tiny-VLM's; it must not throw. Errors:
     * `not_found`, `invalid_file`, `unsupported`, `out_of_memory`, `io`, `invalid_argument`, and
     * those of [ModelDownload.run]. Cancelling the coroutine ends the load.
     */
    public suspend fun load(
      source: ModelSource,
      options: LoadOptions = LoadOptions(),
      onProgress: (LoadProgress) -> Unit = {},
    ): TinyVlm = load(source, options, fastCores(), null, onProgress)

    /**
     * The same as a flow, for a screen that shows progress: [Loading.Progress] again and again,
     * then [Loading.Ready] with the model, which is the collector's to close.
     */
    public fun loading(source: ModelSource, options: LoadOptions = LoadOptions()): Flow<Loading> =
      loadingFlow { onProgress ->
        load(source, options, onProgress)
      }

    /** The same for Java: [listener] is called on [executor]. */
    @JvmStatic
    public fun loadAsync(
      source: ModelSource,
      options: LoadOptions,
      executor: Executor,
      listener: LoadListener,
    ): Request = loadRequest(executor, listener) { onProgress -> load(source, options, onProgress) }

    /**
     * What a model file and a context with these options would take. Only the file's header is
     * read. Errors: `not_found`, `invalid_file`, `unsupported`, `io`, `invalid_argument`.
     */
    public suspend fun estimateMemory(
      file: File,
      options: LoadOptions = LoadOptions(),
    ): MemoryEstimate =
      withContext(Engine.dispatcher) {
        Library.require()
        val (weights, tokenizer, kvCache, activations) =
          Native.estimatePath(
            file.path.toByteArray(),
            Engine.modelOptions(options),
            Engine.bytesOf(options.session()),
          )
        MemoryEstimate(weights, tokenizer, kvCache, activations)
      }

    internal suspend fun load(
      source: ModelSource,
      options: LoadOptions,
      usualThreads: Int,
      platform: Platform?,
      onProgress: (LoadProgress) -> Unit,
    ): TinyVlm {
      var loaded: TinyVlm? = null
      try {
        return withContext(Engine.dispatcher) {
          val local =
            if (source is ModelSource.Downloaded) {
              source.download.run(onProgress)
              ModelSource.file(source.download.file)
            } else {
              source
            }
          val engine =
            Engine.load(local, options, usualThreads, platform) { bytes, total ->
              onProgress(LoadProgress(LoadPhase.WEIGHTS, bytes, total))
            }
          TinyVlm(engine).also { loaded = it }
        }
      } catch (error: Throwable) {
        loaded?.close() // cancelled on the way back
        throw error
      }
    }

    @OptIn(ExperimentalCoroutinesApi::class)
    internal fun loadingFlow(load: suspend ((LoadProgress) -> Unit) -> TinyVlm): Flow<Loading> =
      flow {
        coroutineScope {
          val progress = Channel<LoadProgress>(Channel.CONFLATED)
          val loaded = async { load(progress::trySend) }
          loaded.invokeOnCompletion { progress.close() }
          val model =
            try {
              for (step in progress) emit(Loading.Progress(step))
              loaded.await()
            } catch (error: Throwable) {
              loaded.invokeOnCompletion { if (it == null) loaded.getCompleted().close() }
              throw error
            }
          emit(Loading.Ready(model))
        }
      }

    internal fun loadRequest(
      executor: Executor,
      listener: LoadListener,
      load: suspend ((LoadProgress) -> Unit) -> TinyVlm,
    ): Request =
      launchRequest(executor, listener::onError) {
        listener.onComplete(load { progress -> executor.execute { listener.onProgress(progress) } })
      }

    internal fun flowOf(
      engine: Engine,
      conversation: Conversation?,
      images: List<ImageInput>,
      question: String,
      options: AskOptions,
    ): Flow<String> =
      channelFlow { engine.answer(conversation, images, question, options, null) { send(it) } }
        // A collector that is slow does not keep other questions waiting.
        .buffer(Channel.UNLIMITED)
        .flowOn(Engine.dispatcher)
  }
}
