package dev.tinyvlm.reactnative

import com.facebook.react.bridge.Arguments
import com.facebook.react.bridge.Promise
import com.facebook.react.bridge.ReactApplicationContext
import com.facebook.react.bridge.ReadableArray
import com.facebook.react.bridge.ReadableMap
import com.facebook.react.module.annotations.ReactModule
import dev.tinyvlm.Chat
import dev.tinyvlm.ErrorCode
import dev.tinyvlm.LoadOptions
import dev.tinyvlm.ModelDownload
import dev.tinyvlm.StopSignal
import dev.tinyvlm.TinyVlm
import dev.tinyvlm.TinyVlmException
import dev.tinyvlm.load
import java.io.File
import java.util.concurrent.ConcurrentHashMap
import kotlinx.coroutines.CancellationException
import kotlinx.coroutines.CoroutineScope
import kotlinx.coroutines.CoroutineStart
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.Job
import kotlinx.coroutines.SupervisorJob
import kotlinx.coroutines.cancel
import kotlinx.coroutines.job
import kotlinx.coroutines.launch
import kotlinx.coroutines.withContext

/**
 * The native module of src/NativeTinyVLM.ts over [TinyVlm]. JavaScript asks a model one question
 * after the other, and chooses the numbers by which it speaks of models, chats and questions. React
 * Native calls the methods on one thread, which none of them blocks.
 */
@ReactModule(name = NativeTinyVLMSpec.NAME)
class TinyVlmModule(private val app: ReactApplicationContext) : NativeTinyVLMSpec(app) {
  private class OpenModel(val vlm: TinyVlm, val file: File?, val options: LoadOptions)

  private class OpenChat(val model: Double, val chat: Chat)

  private val scope = CoroutineScope(SupervisorJob() + Dispatchers.Default)
  private val models = ConcurrentHashMap<Double, OpenModel>()
  private val chats = ConcurrentHashMap<Double, OpenChat>()
  private val loads = ConcurrentHashMap<Double, Job>()
  private val questions = ConcurrentHashMap<Double, StopSignal>()

  override fun load(model: Double, source: ReadableMap, options: ReadableMap, promise: Promise) =
    settle(promise) {
      keep(loads, model, coroutineContext.job)
      val from = sourceOf(app, source)
      val given = loadOptionsOf(options)
      val pace = Pace(PROGRESS_MS)
      val vlm = TinyVlm.load(app, from.source, given) { progress ->
        val isLast = progress.loadedBytes == progress.totalBytes
        if (pace.isDue() || isLast) emitOnProgress(progressOf(model, progress))
      }
      models[model] = OpenModel(vlm, from.file, given)
      infoOf(vlm.info)
    }

  override fun cancelLoad(model: Double) {
    loads[model]?.cancel()
  }

  override fun ask(
    question: Double,
    model: Double,
    chat: Double,
    images: ReadableArray,
    text: String,
    options: ReadableMap,
    promise: Promise,
  ) = settle(promise) {
    val stop = StopSignal()
    keep(questions, question, stop)
    val inputs = imagesOf(app, images)
    val given = askOptionsOf(options)
    val said = TextBatches(scope) { piece ->
      val event = Arguments.createMap()
      event.putDouble("question", question)
      event.putString("text", piece)
      emitOnText(event)
    }
    try {
      val answer =
        if (chat == 0.0) {
          modelOf(model).vlm.answer(inputs, text, given, stop) { said.add(it) }
        } else {
          chatOf(chat).answer(text, inputs, given, stop) { said.add(it) }
        }
      answerOf(answer)
    } finally {
      said.close() // what was not sent is in the answer
    }
  }

  override fun cancel(question: Double) {
    questions[question]?.stop()
  }

  override fun openChat(
    chat: Double,
    model: Double,
    system: String?,
    messages: ReadableArray,
    promise: Promise,
  ) = settle(promise) {
    chats[chat] = OpenChat(model, modelOf(model).vlm.chat(system, messagesOf(app, messages)))
    null
  }

  override fun closeChat(chat: Double) {
    chats.remove(chat)?.chat?.close()
  }

  override fun memoryBytes(model: Double, promise: Promise) = settle(promise) {
    val open = modelOf(model)
    val file =
      open.file
        ?: throw TinyVlmException(
          ErrorCode.UNSUPPORTED,
          "wanted a model that is a file of the app's, found one of its assets or a document",
        )
    val estimate = TinyVlm.estimateMemory(file, open.options)
    val weights = estimate.weightBytes + estimate.tokenizerBytes
    (weights + estimate.kvCacheBytes + estimate.activationBytes).toDouble()
  }

  override fun dispose(model: Double, promise: Promise) = settle(promise) {
    chats.values.removeAll { it.model == model }
    models.remove(model)?.vlm?.close()
    null
  }

  override fun deleteDownload(url: String, promise: Promise) = settle(promise) {
    withContext(Dispatchers.IO) {
      val file = downloadedFile(app, url)
      val isThere = file.parentFile?.list().orEmpty().any { it.startsWith(file.name) }
      ModelDownload(url, file).delete()
      isThere
    }
  }

  /** JavaScript ends, or starts anew: nobody knows the numbers any more. */
  override fun invalidate() {
    scope.cancel()
    chats.clear()
    for (model in models.keys) models.remove(model)?.vlm?.close()
    super.invalidate()
  }

  private fun modelOf(number: Double) =
    models[number]
      ?: throw TinyVlmException(ErrorCode.NOT_READY, "the model was disposed; load it again")

  private fun chatOf(number: Double) =
    chats[number]?.chat
      ?: throw TinyVlmException(ErrorCode.NOT_READY, "the chat or its model was disposed")

  // Until the work ends.
  private fun <What : Any> CoroutineScope.keep(
    all: MutableMap<Double, What>,
    number: Double,
    what: What,
  ) {
    all[number] = what
    coroutineContext.job.invokeOnCompletion { all.remove(number) }
  }

  // Begins at once, on React Native's thread: a coroutine that is cancelled before it has begun
  // would leave its promise pending.
  private fun settle(promise: Promise, work: suspend CoroutineScope.() -> Any?) {
    scope.launch(start = CoroutineStart.UNDISPATCHED) {
      try {
        promise.resolve(work())
      } catch (error: CancellationException) {
        promise.reject(ErrorCode.ABORTED.word, "the work was cancelled", error)
      } catch (error: TinyVlmException) {
        val details = Arguments.createMap()
        error.httpStatus?.let { details.putInt("status", it) }
        promise.reject(error.code.word, error.message, error, details)
      } catch (error: OutOfMemoryError) {
        val message = "the app has no memory for it: ${error.message}"
        promise.reject(ErrorCode.OUT_OF_MEMORY.word, message, error)
      } catch (error: Exception) {
        promise.reject(ErrorCode.INTERNAL.word, "unexpected $error", error)
      }
    }
  }

  private companion object {
    const val PROGRESS_MS = 50L
  }
}
