package dev.tinyvlm.internal

import dev.tinyvlm.Answer
import dev.tinyvlm.AskOptions
import dev.tinyvlm.ErrorCode
import dev.tinyvlm.ImageInput
import dev.tinyvlm.LoadOptions
import dev.tinyvlm.ModelInfo
import dev.tinyvlm.ModelSource
import dev.tinyvlm.StopSignal
import dev.tinyvlm.TinyVlmException
import java.util.concurrent.atomic.AtomicBoolean
import kotlinx.coroutines.CoroutineDispatcher
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.Job
import kotlinx.coroutines.awaitCancellation
import kotlinx.coroutines.cancelAndJoin
import kotlinx.coroutines.coroutineScope
import kotlinx.coroutines.currentCoroutineContext
import kotlinx.coroutines.delay
import kotlinx.coroutines.ensureActive
import kotlinx.coroutines.launch
import kotlinx.coroutines.sync.Mutex
import kotlinx.coroutines.sync.withLock

/**
 * One message of a conversation; `images` are numbers in the session, `unread` those that it does
 * not have yet.
 */
internal class Message(
  val role: String,
  val content: String,
  val images: List<Int>,
  val unread: List<ImageInput> = emptyList(),
)

/** What a chat has said so far. Changed in its question's turn only. */
internal class Conversation(@Volatile var messages: List<Message>) {
  @Volatile var closed = false
}

/** A loaded model and its session, in which one question after the other is answered. */
internal class Engine(
  private val model: Handle,
  sessionOptions: ByteArray,
  private val platform: Platform?,
) {
  private val turn = Mutex()
  private val closed = AtomicBoolean()
  private val trimWanted = AtomicBoolean() // by a trim that found a question under way

  private val session =
    model.use { Handle(Native.sessionCreate(it, sessionOptions), CLOSED, Native::sessionFree) }

  val info: ModelInfo =
    session.use { session ->
      val ofSession = JsonObject(Native.sessionInfo(session))
      model.use { ModelInfo(JsonObject(Native.modelInfo(it)), ofSession) }
    }

  /**
   * Answers, when its turn has come. Ends within a bounded step where the coroutine is cancelled,
   * the engine is closed, or (returning) where `stop` was called.
   */
  suspend fun answer(
    conversation: Conversation?,
    inputs: List<ImageInput>,
    question: String,
    options: AskOptions,
    stop: StopSignal?,
    onText: suspend (String) -> Unit,
  ): Answer {
    val began = System.nanoTime()
    try {
      return turn.withLock {
        if (stop?.isStopped == true) Answer.nothing(ms(System.nanoTime() - began))
        else
          answerNow(began, conversation, inputs, question, options, stop ?: StopSignal(), onText)
      }
    } finally {
      if (trimWanted.get()) trim()
    }
  }

  private suspend fun answerNow(
    began: Long,
    conversation: Conversation?,
    inputs: List<ImageInput>,
    question: String,
    options: AskOptions,
    stop: StopSignal,
    onText: suspend (String) -> Unit,
  ): Answer {
    if (conversation?.closed == true) throw notReady("the chat was closed; make another")
    return session.use { pointer ->
      val added = ArrayList<Int>()
      var kept = false
      try {
        val before =
          conversation?.messages?.map { read(it, pointer, options, added) }
            ?: listOfNotNull(options.system?.let { systemMessage(it) })
        val shown = added.size
        val warnings = addImages(pointer, inputs, options, added)
        val asked = Message("user", question, added.drop(shown))
        Native.sessionAsk(pointer, requestOf(before + asked, options))
        var firstText = 0L
        val text = StringBuilder()
        try {
          run(session, pointer, stop) { piece ->
            if (text.isEmpty()) firstText = System.nanoTime()
            text.append(piece)
            onText(piece)
          }
        } finally {
          // Also where it was cancelled after its first words.
          if (conversation != null && text.isNotEmpty()) {
            val answered = Message("assistant", text.toString(), emptyList())
            conversation.messages = before + asked + answered
            kept = true
          }
        }
        val report = JsonObject(Native.sessionReport(pointer))
        if (closed.get() && report.text("finishReason") == "cancelled") throw aborted()
        val firstTokenMs = if (firstText == 0L) 0.0 else ms(firstText - began)
        Answer(report, warnings, firstTokenMs, ms(System.nanoTime() - began))
      } finally {
        if (!kept) for (image in added) Native.sessionDropImage(pointer, image)
      }
    }
  }

  private fun addImages(
    session: Long,
    inputs: List<ImageInput>,
    options: AskOptions,
    added: MutableList<Int>,
  ): List<String> {
    val exact = if (options.exactPreprocess == true) Native.IMAGE_EXACT else 0
    val strict = if (options.strict == true) Native.IMAGE_STRICT else 0
    val target = ImageTarget(session, exact or strict, platform, info.imageSize)
    return inputs.flatMapIndexed { index, input ->
      val image = input.addTo(target)
      added += image
      val of = if (inputs.size > 1) "image ${index + 1}: " else ""
      JsonObject(Native.sessionImageInfo(session, image)).texts("warnings").map { of + it }
    }
  }

  /** The message with its images in the session, of which those are `added` that were unread. */
  private fun read(
    message: Message,
    session: Long,
    options: AskOptions,
    added: MutableList<Int>,
  ): Message {
    if (message.unread.isEmpty()) return message
    val before = added.size
    addImages(session, message.unread, options, added)
    return Message(message.role, message.content, added.drop(before))
  }

  private suspend fun run(
    session: Handle,
    pointer: Long,
    stop: StopSignal,
    onText: suspend (String) -> Unit,
  ) =
    coroutineScope {
      // Runs on the thread that cancels, while this one is in a step.
      val canceller = launch(Dispatchers.Unconfined) { cancelWithCoroutine(session) }
      stop.during({ session.ifOpen(Native::sessionCancel) }) {
        var state = Native.RUNNING
        while (state != Native.DONE) {
          ensureActive()
          if (closed.get()) throw aborted() // before the session could be told
          if (stop.isStopped) Native.sessionCancel(pointer) // likewise
          state = Native.sessionAdvance(pointer, STEP_MS)
          val text = Native.sessionTakeText(pointer).toString(Charsets.UTF_8)
          if (text.isNotEmpty()) onText(text)
          if (state != Native.DONE && state != Native.RUNNING) delay(1)
        }
      }
      canceller.cancelAndJoin()
    }

  private suspend fun cancelWithCoroutine(session: Handle): Nothing =
    try {
      awaitCancellation()
    } finally {
      session.ifOpen(Native::sessionCancel)
    }

  /** Forgets a chat's images. */
  suspend fun forget(conversation: Conversation) {
    turn.withLock {
      val unused = conversation.messages.flatMap { it.images }
      session.ifOpen { for (image in unused) Native.sessionDropImage(it, image) }
    }
  }

  /**
   * Frees what the next question makes anew. False where a question is being answered: it is then
   * done after it.
   */
  fun trim(): Boolean {
    trimWanted.set(true)
    if (!turn.tryLock()) return false
    try {
      if (trimWanted.getAndSet(false)) session.ifOpen(Native::sessionTrim)
      return true
    } finally {
      turn.unlock()
    }
  }

  fun close() {
    closed.set(true)
    model.close()
    session.ifOpen(Native::sessionCancel)
    session.close()
  }

  companion object {
    /** Steps of a question; each ends earlier where there is new text. */
    private const val STEP_MS = 20.0
    private const val CLOSED = "the model was closed; load it again"

    /**
     * Where all native work is done: not on the caller's thread, and in no pool of a fixed size.
     */
    val dispatcher: CoroutineDispatcher = Dispatchers.IO

    private fun notReady(message: String) = TinyVlmException(ErrorCode.NOT_READY, message)

    private fun aborted() =
      TinyVlmException(ErrorCode.ABORTED, "the model was closed while it answered")

    private fun ms(nanoseconds: Long) = nanoseconds / 1e6

    fun systemMessage(text: String) = Message("system", text, emptyList())

    fun bytesOf(options: Map<String, Any?>): ByteArray = Json.write(options).toByteArray()

    fun modelOptions(options: LoadOptions, usualThreads: Int = fastCores()): ByteArray =
      bytesOf(options.model() + mapOf("threads" to (options.threads ?: usualThreads)))

    private fun requestOf(messages: List<Message>, options: AskOptions): ByteArray {
      val said =
        messages.map { mapOf("role" to it.role, "content" to it.content, "images" to it.images) }
      val format = options.responseFormat?.json
      return bytesOf(options.answer() + mapOf("messages" to said, "responseFormat" to format))
    }

    /**
     * Loads what lies in files or memory, with [usualThreads] where the options do not say how
     * many. Cancelling the coroutine ends it.
     */
    suspend fun load(
      source: ModelSource,
      options: LoadOptions,
      usualThreads: Int,
      platform: Platform?,
      onProgress: (Long, Long) -> Unit,
    ): Engine {
      Library.require()
      val job = currentCoroutineContext()[Job]
      val progress = NativeProgress { loaded, total ->
        onProgress(loaded, total)
        job?.isActive != false
      }
      val created = Native.modelCreate(modelOptions(options, usualThreads))
      val model = Handle(created, CLOSED, Native::modelFree)
      try {
        model.use { pointer ->
          when (source) {
            is ModelSource.InFile ->
              Native.modelLoadPath(pointer, source.file.path.toByteArray(), progress)
            is ModelSource.InDescriptor ->
              source.run {
                Native.modelLoadDescriptor(pointer, descriptor, offset, length, progress)
              }
            is ModelSource.InMemory -> write(pointer, source.bytes, progress)
            else ->
              throw TinyVlmException(
                ErrorCode.INVALID_ARGUMENT,
                "${source.name}: wanted a load with a Context: TinyVlm.load(context, source)",
              )
          }
        }
        return Engine(model, bytesOf(options.session()), platform)
      } catch (error: Throwable) {
        model.close()
        currentCoroutineContext().ensureActive() // a load that was cancelled
        throw error
      }
    }

    private fun write(model: Long, bytes: ByteArray, progress: NativeProgress) {
      for (offset in bytes.indices step WRITE_BYTES) {
        val length = minOf(WRITE_BYTES, bytes.size - offset)
        Native.modelWrite(model, bytes, offset, length)
        if (!progress.report(offset.toLong() + length, bytes.size.toLong())) return
      }
      Native.modelEnd(model)
    }

    private const val WRITE_BYTES = 1 shl 20
  }
}
